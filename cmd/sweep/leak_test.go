package main

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"sweep/workflows"
	"sweep/workflows/devserver"
)

// leakGrid is a sweep of the fake trainer.
const leakGrid = `
name: leak%d
data: {name: glyphs, train: 1000, validation: 100}
model: fake
trainer: {command: [/bin/sh, %s], sha256: %x}
privacy: {noise_multiplier: [1], delta: 1e-4, noise: seeded}
grid: {batch_size: [100], learning_rate: [%g], steps: [3]}
repeats: %d
run: {parallel: 4}
`

// A usage is what a process holds.
type usage struct {
	goroutines, files int
	heap, resident    uint64 // bytes
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %.1f MB of heap, %.0f MB resident", u.goroutines, u.files, float64(u.heap)/1e6, float64(u.resident)/1e6)
}

func usageNow(t *testing.T) usage {
	t.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	u := usage{goroutines: runtime.NumGoroutine(), files: len(files), heap: m.HeapAlloc}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &u.resident); err != nil {
		t.Fatal(err)
	}
	u.resident *= 1000
	return u
}

// What may come and go between two looks at an idle host, in which the server
// still tidies up: pollers, timers, queues that are dropped after minutes.
const (
	comeAndGo    = 40 // goroutines
	spareFiles   = 8
	spareHeap    = 4e6 // bytes
	heldWorkflow = 60e3
)

// within reports whether u is no more than first, give or take, if the server
// may have got to know so many workflows in between.
func (u usage) within(first usage, cached int) bool {
	return u.goroutines <= first.goroutines+comeAndGo && u.files <= first.files+spareFiles &&
		float64(u.heap) <= float64(first.heap)+spareHeap+heldWorkflow*float64(cached)
}

// TestWorkerLeaksNothing runs sweeps of a fake trainer, one after another, on
// one host in this process. What it holds after a quarter of the trials is all
// that it ever holds, but for the workflows that the server keeps in memory:
// [devserver.CachedWorkflows] of them, after which the heap is flat too.
// SWEEP_LEAK_TRIALS asks for more trials than CI's.
func TestWorkerLeaksNothing(t *testing.T) {
	slow(t)
	trials := number(t, "SWEEP_LEAK_TRIALS", 96)
	const sweeps = 8
	dir := t.TempDir()
	script := writeFake(t, dir)
	p := place{db: filepath.Join(dir, "results.db"), state: filepath.Join(dir, "results.d"), data: dir}
	h, err := runEmbedded(t.Context(), p, role{train: true, atOnce: 4, queues: []string{workflows.TrainQueue}, logger: slog.New(slog.DiscardHandler), trouble: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}()
	began := time.Now()
	var first usage
	known := 0 // workflows: of trials, and two of each sweep
	for i := range sweeps {
		text := fmt.Sprintf(leakGrid, i, filepath.Join(dir, "fake.sh"), sha256.Sum256([]byte(script)), 0.25+0.01*float64(i), trials/sweeps)
		writeGrid(t, dir, text)
		if out, err := sweepIn(dir, "start", "grid.yaml").CombinedOutput(); err != nil { // joins the host
			t.Fatalf("%v\n%s", err, out)
		}
		known += trials/sweeps + 2
		if i == sweeps/4 {
			time.Sleep(2 * time.Second) // connections end a moment after their process, spares at their next look
			first = usageNow(t)
		}
		if i >= sweeps/4 {
			cached := min(known, devserver.CachedWorkflows) - min((sweeps/4+1)*(trials/sweeps+2), devserver.CachedWorkflows)
			now := settle(t, first, cached)
			t.Logf("%5d trials, %4.0f s: %v", (i+1)*(trials/sweeps), time.Since(began).Seconds(), now)
			if !now.within(first, cached) {
				t.Fatalf("it holds more after %d trials: %v, then %v", (i+1)*(trials/sweeps), first, now)
			}
		}
	}
}

// settle waits, not for ever, until the process holds no more than it did.
func settle(t *testing.T, first usage, cached int) usage {
	t.Helper()
	for began := time.Now(); ; time.Sleep(500 * time.Millisecond) {
		if now := usageNow(t); now.within(first, cached) || time.Since(began) > 20*time.Second {
			return now
		}
	}
}

// writeFake leaves a script in dir that becomes the fake trainer, and returns
// its text: its digest is quicker taken than that of the program.
func writeFake(t *testing.T, dir string) string {
	t.Helper()
	fake, err := exec.LookPath("fake-trainer")
	if err != nil {
		t.Fatal(err)
	}
	script := "exec " + fake + "\n"
	if err := os.WriteFile(filepath.Join(dir, "fake.sh"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return script
}
