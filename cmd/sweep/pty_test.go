package main

import (
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/creack/pty"

	"sweep"
	"sweep/results"
	"sweep/results/resultstest"
)

// A screen collects what a program writes to its terminal.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// escapes are what moves the cursor and paints.
var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[a-zA-Z]|[()][A-Z0-9]|[=>])`)

// terminalType is one whose background colour the terminal library does not ask
// for: nobody here would answer.
const terminalType = "TERM=screen"

// watchedRecord has a trial that runs, with ten losses, and a completed rest.
func watchedRecord(t *testing.T) (dir string, report func()) {
	t.Helper()
	dir = t.TempDir()
	db := filepath.Join(dir, "results.db")
	id, err := resultstest.Large(t.Context(), db, 40, 400)
	if err != nil {
		t.Fatal(err)
	}
	s, err := results.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	next, err := s.Next(t.Context(), id, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Begin(t.Context(), id, next[0].Trial)
	if err != nil {
		t.Fatal(err)
	}
	ref, step := sweep.AttemptRef{Sweep: id, Trial: next[0].Trial, Number: c.Attempt}, 0
	return dir, func() {
		r := sweep.Reading{From: int64(step), Offset: int64(step + 10), Started: step == 0, NoiseID: "n", Worker: "w"}
		for range 10 {
			step++
			r.Metrics = append(r.Metrics, sweep.Metric{Name: "loss", Step: step, Value: 2 / float64(step)})
		}
		r.Step = step
		if err := s.Collect(t.Context(), ref, r); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWatchOnATerminal runs `sweep watch` on a pseudo-terminal of 40 columns: a
// table that follows the record, sparklines, keys, and no line that wraps.
func TestWatchOnATerminal(t *testing.T) {
	t.Parallel()
	dir, report := watchedRecord(t)
	report()
	cmd := sweepIn(dir, "watch")
	cmd.Env = append(cmd.Env, terminalType, "NO_COLOR=1")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 14, Cols: 40})
	if err != nil {
		t.Skipf("SKIPPED: no pseudo-terminal: %v", err)
	}
	defer terminal.Close()
	var seen screen
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(&seen, terminal) // ends with EIO when the program does
	}()
	shows := func(what string) {
		t.Helper()
		waitFor(t, what, func() bool { return strings.Contains(seen.String(), what) })
	}
	shows("1 running")
	shows("10/")
	report()
	shows("20/")
	for key, what := range map[string]string{"2": "n=", "3": "nothing has failed", "4": "ε"} {
		if _, err := io.WriteString(terminal, key); err != nil {
			t.Fatal(err)
		}
		shows(what)
	}
	if err := pty.Setsize(terminal, &pty.Winsize{Rows: 20, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(terminal, "1"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "sparkline", func() bool { return strings.ContainsAny(seen.String(), "▂▃▅▆") })
	narrow, _, _ := strings.Cut(seen.String(), "▂")
	for _, line := range strings.FieldsFunc(escapes.ReplaceAllString(narrow, ""), func(r rune) bool { return r == '\r' || r == '\n' }) {
		if n := utf8.RuneCountInString(line); n > 100 {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
	if _, err := io.WriteString(terminal, "q"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("q ends it with %v", err)
	}
	<-copied
}

// Where the output is a file or a pipe there is plain text: no escapes, and every
// line whole.
func TestPipesGetPlainText(t *testing.T) {
	t.Parallel()
	dir, report := watchedRecord(t)
	report()
	for _, args := range [][]string{{"status"}, {"frontier"}, {"best"}, {"trials", "--limit", "5"}, {"list"}, {"frontier", "--history"}} {
		out, err := sweepIn(dir, args...).Output()
		if err != nil || len(out) == 0 {
			t.Errorf("%v: %v", args, err)
		}
		if strings.ContainsRune(string(out), 0x1b) {
			t.Errorf("%v writes escapes into a pipe:\n%q", args, out)
		}
	}
	cmd := sweepIn(dir, "trials", "--limit", "5")
	cmd.Env = append(cmd.Env, terminalType)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 14, Cols: 40})
	if err != nil {
		t.Skipf("SKIPPED: no pseudo-terminal: %v", err)
	}
	defer terminal.Close()
	var seen screen
	_, _ = io.Copy(&seen, terminal)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(escapes.ReplaceAllString(seen.String(), "")) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\r\n")); n > 40 {
			t.Errorf("a line of %d columns on 40: %q", n, line)
		}
	}
}
