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

// questions are what a terminal is asked and would answer on the program's input:
// colours (OSC 10 and 11), what it is (DA), and where the cursor is (DSR).
var questions = regexp.MustCompile(`\x1b(\]1[0-9];\?|\[[>=]?0?c|\[[0-9?]*n)`)

// colourTerminal is the terminal that a program would ask most.
const colourTerminal = "TERM=xterm-256color"

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
// table that follows the record, sparklines, and keys.
func TestWatchOnATerminal(t *testing.T) {
	t.Parallel()
	dir, report := watchedRecord(t)
	report()
	cmd := sweepIn(dir, "watch")
	cmd.Env = append(cmd.Env, colourTerminal, "NO_COLOR=1")
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
	rows := uint16(14)
	shows := func(what string) {
		t.Helper()
		waitFor(t, what, func() bool {
			// Only what changed is written, but the whole screen after a change of size.
			rows = 29 - rows
			if err := pty.Setsize(terminal, &pty.Winsize{Rows: rows, Cols: 40}); err != nil {
				t.Fatal(err)
			}
			return strings.Contains(seen.String(), what)
		})
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
	if _, err := io.WriteString(terminal, "q"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("q ends it with %v", err)
	}
	<-copied
}

// A terminal that is dumb gets lines as a pipe does, and no escape sequence.
func TestWatchOnADumbTerminal(t *testing.T) {
	t.Parallel()
	dir, report := watchedRecord(t)
	report()
	cmd := sweepIn(dir, "watch")
	cmd.Env = append(cmd.Env, "TERM=dumb")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Skipf("SKIPPED: no pseudo-terminal: %v", err)
	}
	defer terminal.Close()
	var seen screen
	go func() { _, _ = io.Copy(&seen, terminal) }()
	// Nobody runs the sweep, which it says after a line of progress.
	waitFor(t, "the end", func() bool { return strings.Contains(seen.String(), "no process runs sweep") })
	_ = cmd.Wait() // exit 3
	if text := seen.String(); strings.Contains(text, "\x1b") {
		t.Errorf("escape sequences in %q", text)
	}
}

// No command asks the terminal what it is or how it is coloured: where nothing
// answers, as in recorders, build logs and some multiplexers, it would wait, and
// where something answers late the answer would end up in the user's shell.
func TestTerminalsAreNotAsked(t *testing.T) {
	t.Parallel()
	dir, _ := watchedRecord(t)
	for _, args := range [][]string{{"version"}, {"status"}, {"frontier"}, {"help"}} {
		cmd := sweepIn(dir, args...)
		cmd.Env = append(cmd.Env, colourTerminal)
		terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
		if err != nil {
			t.Skipf("SKIPPED: no pseudo-terminal: %v", err)
		}
		var seen screen
		_, _ = io.Copy(&seen, terminal) // ends with EIO when the program does
		terminal.Close()
		if err := cmd.Wait(); err != nil || seen.String() == "" {
			t.Errorf("%v: %v, output %q", args, err, seen.String())
		}
		if asked := questions.FindString(seen.String()); asked != "" {
			t.Errorf("%v asks the terminal %q", args, asked)
		}
	}
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
	cmd.Env = append(cmd.Env, colourTerminal)
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
