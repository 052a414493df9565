package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sweep/results"
	"sweep/results/resultstest"
)

// BenchmarkUIMemory starts `sweep ui` on a large record, takes every page, picture
// and report once, and then has eight visitors take all of them three times over, at
// once. It prints how much memory the server had at most (VmHWM), and what it had
// before anybody came and after all had gone, as RSS, in which pages of files count
// whole, and PSS, in which each of a page's users counts its share. SWEEP_BINARY and
// SWEEP_LARGE_DB are those of [BenchmarkLarge].
//
//	SWEEP_LARGE_DB=/tmp/large.db SWEEP_BINARY=$PWD/sweep go test ./cmd/sweep -run '^$' -bench UIMemory -benchtime 1x
func BenchmarkUIMemory(b *testing.B) {
	path := os.Getenv("SWEEP_LARGE_DB")
	if path == "" {
		path = filepath.Join(b.TempDir(), "results.db")
		if _, err := resultstest.Large(b.Context(), path, 2000, 20_000); err != nil {
			b.Fatal(err)
		}
	}
	pages := uiPages(b, path)
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), cmp.Or(os.Getenv("SWEEP_BINARY"), "sweep"), "ui", "--db", path)
		out, err := cmd.StdoutPipe()
		if err = errors.Join(err, cmd.Start()); err != nil {
			b.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		address, err2 := url.Parse(strings.TrimSpace(line))
		jar, err3 := cookiejar.New(nil)
		if err = errors.Join(err, err2, err3); err != nil {
			b.Fatal(err)
		}
		memory := func(name, file, field string) {
			b.ReportMetric(memoryOf(b, filepath.Join("/proc", fmt.Sprint(cmd.Process.Pid), file), field), name)
		}
		memory("first-RSS-MB", "smaps_rollup", "Rss:")
		visitor := &http.Client{Jar: jar}
		if err := visit(visitor, address.String()); err != nil {
			b.Fatal(err)
		}
		base := "http://" + address.Host
		round := func(times int) (err error) {
			for range times {
				for _, page := range pages {
					err = errors.Join(err, visit(visitor, base+page))
				}
			}
			return err
		}
		if err := round(1); err != nil {
			b.Fatal(err)
		}
		ended := make(chan error)
		for range 8 {
			go func() { ended <- round(3) }()
		}
		for range 8 {
			err = errors.Join(err, <-ended)
		}
		if err != nil {
			b.Fatal(err)
		}
		memory("peak-MB", "status", "VmHWM:")
		memory("last-RSS-MB", "smaps_rollup", "Rss:")
		memory("last-PSS-MB", "smaps_rollup", "Pss:")
		if err := cmd.Process.Kill(); err != nil {
			b.Fatal(err)
		}
		cmd.Wait() // it was killed
	}
}

// uiPages are all that the page serves of the only sweep of the record.
func uiPages(b *testing.B, path string) []string {
	b.Helper()
	s, err := results.Open(b.Context(), path) // brings its schema up to date
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	id := resultstest.Sweep("large").ID
	best, err := s.Trials(b.Context(), id, results.Filter{Sort: "-accuracy", Limit: 2})
	if err != nil || len(best) < 2 {
		b.Fatal(len(best), err)
	}
	pages := []string{"/", "/ledger", "/trial/" + string(best[0].ID)}
	for _, page := range []string{
		"", "/trials", "/trials?where=learning_rate+%3E+2&sort=-accuracy", "/explore", "/curves", "/workers", "/privacy", "/compare",
		fmt.Sprintf("/compare?trial=%s&trial=%s", best[0].ID, best[1].ID), "/frontier/svg", "/frontier/png", "/report.html",
	} {
		pages = append(pages, "/sweep/"+string(id)+page)
	}
	return pages
}

func visit(c *http.Client, address string) error {
	r, err := c.Get(address)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.Body)
	if err = errors.Join(err, r.Body.Close()); err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", address, r.Status)
	}
	return err
}

// memoryOf is a field of a file of /proc, which says kB for 1024 bytes, in MB.
func memoryOf(b *testing.B, file, field string) float64 {
	b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, field+" %f kB", &kb); n == 1 {
			return kb * 1024 / 1e6
		}
	}
	b.Skipf("%s has no %s", file, field)
	return 0
}
