package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep/internal/faults"
)

// clockGrid is a dozen trials of a second or two, with noise that repeats.
const clockGrid = `
name: clock
data: {name: glyphs, train: 600, validation: 300}
model: linear
privacy: {noise_multiplier: [1], delta: 1e-4, noise: seeded}
grid: {batch_size: [60], learning_rate: [0.25, 0.5, 1, 2], steps: [1000]}
repeats: 3
run: {parallel: 2, checkpoint_every: 1s}
`

// TestClockJumps sets the clock of the process that runs everything (Temporal's
// server, the record, the worker) an hour back in the middle of a sweep, and then
// a day forward, and kills a trainer after each. The sweep goes on by itself:
// every trial is completed once, with the bits of an undisturbed run.
func TestClockJumps(t *testing.T) {
	slow(t)
	t.Parallel()
	dir := t.TempDir()
	writeGrid(t, dir, clockGrid)
	start := sweepIn(dir, "start", "grid.yaml")
	out, ended := begin(t, start)
	awaitTraining(t, dir, ended, out)
	clock := faults.TakeClock(t, faults.Process{PID: start.Process.Pid, Args: start.Args})
	for i, by := range []time.Duration{-time.Hour, 24 * time.Hour} {
		if err := clock.Set(by); err != nil {
			t.Fatal(err)
		}
		killTrainer(t, dir)
		for began := time.Now(); completed(dir) < 4*(i+1); time.Sleep(200 * time.Millisecond) {
			if time.Since(began) > 3*time.Minute {
				t.Fatalf("set by %v: %d trials are completed after 3 minutes", by, completed(dir))
			}
		}
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	case <-time.After(5 * time.Minute):
		state, _ := sweepIn(dir, "trials", "--attempts").CombinedOutput()
		t.Fatalf("not at its end after 5 minutes:\n%s", state)
	}
	undisturbed(t, dir, 12)
	if text, err := sweepIn(dir, "verify").CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, text)
	}
}

func completed(dir string) int {
	out, _ := sweepIn(dir, "trials", "--state", "completed", "-o", "csv").Output()
	return strings.Count(string(out), ",completed,")
}

// killTrainer kills one trainer of dir's sweep, as soon as there is one.
func killTrainer(t *testing.T, dir string) {
	t.Helper()
	waitFor(t, "trainer", func() bool {
		running := trainersOf(t, dir)
		return len(running) > 0 && running[0].Signal(syscall.SIGKILL) == nil
	})
}
