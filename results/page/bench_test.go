package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sweep"
	"sweep/results"
	"sweep/results/resultstest"
)

// largeRecord is the record that SWEEP_LARGE_DB names, which package resultstest
// makes, or a new one of SWEEP_TRIALS trials and SWEEP_METRICS metrics.
func largeRecord(b *testing.B) (path string, id sweep.SweepID) {
	b.Helper()
	id = resultstest.Sweep("large").ID
	if path := os.Getenv("SWEEP_LARGE_DB"); path != "" {
		s, err := results.Open(b.Context(), path) // brings its schema up to date
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
		return path, id
	}
	size := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	path = filepath.Join(b.TempDir(), "results.db")
	if _, err := resultstest.Large(b.Context(), path, size("SWEEP_TRIALS", 2000), size("SWEEP_METRICS", 20_000)); err != nil {
		b.Fatal(err)
	}
	return path, id
}

// BenchmarkLarge asks for each page of a large sweep with nothing remembered from
// before, and has a browser show the first one. Beside the time that passes it
// prints the CPU's, which other work on the machine does not stretch, and the most
// memory that this process, which is server and test in one, has had.
//
//	SWEEP_LARGE_DB=/tmp/large.db SWEEP_TRIALS=100000 SWEEP_METRICS=10000000 go test ./results/resultstest -run Large
//	SWEEP_LARGE_DB=/tmp/large.db go test ./results/page -run '^$' -bench Large
func BenchmarkLarge(b *testing.B) {
	path, id := largeRecord(b)
	for _, page := range []string{"", "/trials", "/trials?where=learning_rate+%3E+2&sort=-accuracy", "/explore", "/curves", "/workers", "/privacy"} {
		b.Run("page "+page, func(b *testing.B) {
			cpu := cpuTime(b)
			for b.Loop() {
				s := openSite(b, path)
				if w, body := s.get(b, "/sweep/"+string(id)+page); w.StatusCode != 200 {
					b.Fatal(body)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(peakMemory(b), "peak-MB")
		})
	}
	b.Run("first paint", func(b *testing.B) {
		tab := openBrowser(b)
		total := 0.0
		for b.Loop() {
			s := openSite(b, path)
			tab.run(b, chromedp.Navigate(s.URL()), chromedp.WaitReady("table.sweeps"), chromedp.Navigate(s.server.URL+"/sweep/"+string(id)), chromedp.WaitReady("footer"))
			tab.until(b, `performance.getEntriesByName("first-contentful-paint").length`)
			ms, err := strconv.ParseFloat(tab.eval(b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`), 64)
			if err != nil {
				b.Fatal(err)
			}
			total += ms
		}
		b.ReportMetric(total/float64(b.N), "first-paint-ms")
		b.ReportMetric(peakMemory(b), "peak-MB")
		tab.shot(b, "large")
		s := openSite(b, path)
		for _, page := range []string{"explore", "workers", "curves", "trials"} {
			tab.run(b, chromedp.Navigate(s.URL()), chromedp.WaitReady("table.sweeps"), chromedp.Navigate(s.server.URL+"/sweep/"+string(id)+"/"+page), chromedp.WaitReady("footer"))
			tab.shot(b, "large-"+page)
		}
	})
}

// openSite serves the record as if nobody had asked it before.
func openSite(b *testing.B, path string) served {
	b.Helper()
	r, err := results.OpenReader(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close() })
	return serveReader(b, r, path, Options{})
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func peakMemory(b *testing.B) (mb float64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &mb); n == 1 {
			return mb / 1024
		}
	}
	return mb
}
