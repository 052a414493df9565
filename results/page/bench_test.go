package page

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// largePages are all pages of a large sweep.
func largePages(b *testing.B, path string, id sweep.SweepID) []string {
	b.Helper()
	r, err := results.OpenReader(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	best, err := r.Trials(b.Context(), id, results.Filter{Sort: "-accuracy", Limit: 2})
	if err != nil || len(best) < 2 {
		b.Fatal(len(best), err)
	}
	of := "/sweep/" + string(id)
	return []string{
		"/", "/ledger", of, of + "/trials", of + "/trials?where=learning_rate+%3E+2&sort=-accuracy", of + "/explore", of + "/curves", of + "/workers",
		of + "/compare?trial=" + string(best[0].ID) + "&trial=" + string(best[1].ID), of + "/privacy", "/trial/" + string(best[0].ID),
	}
}

// BenchmarkLarge asks for each page of a large sweep with nothing remembered from
// before. Beside the time that passes it prints the CPU's, which other work on the
// machine does not stretch, and the most memory that this process, which is server
// and test in one, has had.
//
//	SWEEP_LARGE_DB=/tmp/large.db SWEEP_TRIALS=100000 SWEEP_METRICS=10000000 go test ./results/resultstest -run Large
//	SWEEP_LARGE_DB=/tmp/large.db go test ./results/page -run '^$' -bench Large -benchtime 5x
func BenchmarkLarge(b *testing.B) {
	path, id := largeRecord(b)
	for _, page := range largePages(b, path, id) {
		b.Run("page "+page, func(b *testing.B) {
			cpu := cpuTime(b)
			for b.Loop() {
				s := openSite(b, path)
				if w, body := s.get(b, page); w.StatusCode != 200 || strings.Contains(body, "data-unfinished") {
					b.Fatal(body)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(peakMemory(b), "peak-MB")
		})
	}
}

// painted asks a page of Chromium when it first painted anything of the content,
// when the largest piece of it, and when all of it was there, in milliseconds since
// it was asked for.
const painted = `new Promise(done => new PerformanceObserver(list => {
	const largest = list.getEntries().at(-1).startTime, whole = performance.getEntriesByType("navigation")[0].loadEventEnd;
	done([performance.getEntriesByName("first-contentful-paint")[0].startTime, largest, whole]);
}).observe({type: "largest-contentful-paint", buffered: true}))`

// BenchmarkFirstPaint has Chromium open each page of a large sweep, in a site that
// has answered nothing yet, and prints medians: until something of the content is
// painted, until its largest piece is, and until the page is whole. Chromium counts
// texts and images for the largest, and not drawings.
//
//	SWEEP_LARGE_DB=/tmp/large.db go test ./results/page -run '^$' -bench FirstPaint -benchtime 5x
func BenchmarkFirstPaint(b *testing.B) {
	path, id := largeRecord(b)
	tab := openBrowser(b)
	for _, page := range largePages(b, path, id) {
		b.Run(page, func(b *testing.B) {
			var times [3][]float64
			for b.Loop() {
				s := openSite(b, path)
				join := "?"
				if strings.Contains(page, "?") {
					join = "&"
				}
				tab.run(b, chromedp.Navigate(s.server.URL+page+join+"token="+s.gate.token))
				tab.until(b, `!location.search.includes("token=") && document.querySelector("footer") && performance.getEntriesByType("navigation")[0]?.loadEventEnd > 0 && performance.getEntriesByName("first-contentful-paint").length`)
				all, err := chromedp.Run(tab.Context, chromedp.Evaluate[[3]float64](painted, chromedp.EvalAwaitPromise))
				if err != nil {
					b.Fatal(err)
				}
				for i, ms := range all {
					times[i] = append(times[i], ms)
				}
			}
			for i, name := range []string{"first-paint-ms", "largest-paint-ms", "whole-ms"} {
				slices.Sort(times[i])
				b.ReportMetric(times[i][len(times[i])/2], name)
			}
			tab.shot(b, "large"+shotName(strings.Replace(page, string(id), "", 1)))
		})
	}
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
