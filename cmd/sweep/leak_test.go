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

// TestWorkerLeaksNothing runs sweeps of a fake trainer, one after another, on
// one host in this process, and compares what it holds after the first and
// after the last. SWEEP_LEAK_TRIALS asks for more trials than CI's.
func TestWorkerLeaksNothing(t *testing.T) {
	slow(t)
	trials := number(t, "SWEEP_LEAK_TRIALS", 32)
	const sweeps = 4
	dir := t.TempDir()
	fake, err := exec.LookPath("fake-trainer")
	if err != nil {
		t.Fatal(err)
	}
	script := "exec " + fake + "\n"
	if err := os.WriteFile(filepath.Join(dir, "fake.sh"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
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
	var first, last usage
	for i := range sweeps {
		text := fmt.Sprintf(leakGrid, i, filepath.Join(dir, "fake.sh"), sha256.Sum256([]byte(script)), 0.25+0.01*float64(i), trials/sweeps)
		if err := os.WriteFile(filepath.Join(dir, "grid.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := sweepIn(dir, "start", "grid.yaml").CombinedOutput(); err != nil { // joins the host
			t.Fatalf("%v\n%s", err, out)
		}
		time.Sleep(time.Second) // connections end a moment after their process
		last = usageNow(t)
		t.Logf("%5d trials, %4.0f s: %v", (i+1)*(trials/sweeps), time.Since(began).Seconds(), last)
		if i == 0 {
			first = last
		}
	}
	// What stays for each sweep is the embedded server's: a cached workflow, and
	// one of its own connections, which has two ends here. A leak of the worker's
	// would show as something for each trial.
	after := trials - trials/sweeps
	if grown := last.goroutines - first.goroutines; grown > 20*sweeps+after/4 {
		t.Errorf("%d goroutines more after %d trials: %v, then %v", grown, after, first, last)
	}
	if grown := last.files - first.files; grown > 3*sweeps {
		t.Errorf("%d files more after %d trials: %v, then %v", grown, after, first, last)
	}
	const perTrial = 100_000 // bytes; the server remembers each workflow for a while
	if last.heap > first.heap+uint64(5e6+after*perTrial) {
		t.Errorf("the heap grew: %v, then %v", first, last)
	}
}
