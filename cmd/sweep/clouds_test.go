package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep/internal/faults"
	"sweep/workflows/checkpoints/cloudtest"
)

// cloudGrid is two trials of some seconds, with noise that repeats.
const cloudGrid = `
name: clouds
data: {name: glyphs, train: 600, validation: 300}
model: linear
privacy: {noise_multiplier: [1], delta: 1e-4, noise: seeded}
grid: {batch_size: [60], learning_rate: [0.25, 0.5], steps: [4000]}
run: {parallel: 2, checkpoint_every: 1s}
`

// TestSweepOnClouds keeps the checkpoints of a sweep in a store of each protocol,
// kills the process that runs it, and has another go on: with the undisturbed
// bits, and with nothing left in the store.
func TestSweepOnClouds(t *testing.T) {
	slow(t)
	t.Parallel()
	cloudtest.Each(t, func(t *testing.T, c *cloudtest.Store) {
		dir := t.TempDir()
		writeGrid(t, dir, cloudGrid)
		start := sweepIn(dir, "start", "grid.yaml", "--checkpoints", c.URL)
		out, ended := begin(t, start)
		waitFor(t, "checkpoint in the store", func() bool { return strings.Contains(strings.Join(c.Keys(t), " "), ".ckpt") })
		if err := start.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		<-ended
		if left, err := faults.Gone("HOME="+dir, 10*time.Second); err != nil || len(left) > 0 {
			t.Fatalf("processes outlive their host: %v, error %v", left, err)
		}
		if out, err := sweepIn(dir, "resume", "clouds", "--checkpoints", c.URL).CombinedOutput(); err != nil {
			t.Fatalf("resume: %v\n%s", err, out)
		}
		undisturbed(t, dir, 2)
		rows, err := sweepIn(dir, "trials", "--attempts", "-o", "csv").Output()
		if err != nil || !resumedFromCheckpoint(string(rows)) {
			t.Errorf("attempts: %v\n%s\nwant one that went on from a checkpoint", err, rows)
		}
		if keys := c.Keys(t); len(keys) != 0 {
			t.Errorf("left in the store: %v", keys)
		}
	})
}

// resumedFromCheckpoint reports whether a second attempt began after step 0.
func resumedFromCheckpoint(rows string) bool {
	for line := range strings.Lines(rows) {
		if f := strings.Split(line, ","); len(f) > 4 && f[1] == "2" && f[4] != "0" {
			return true
		}
	}
	return false
}

// A store that cannot be used is said before anything runs, with what to do.
func TestStoreIsTriedFirst(t *testing.T) {
	dir := t.TempDir()
	writeGrid(t, dir, cloudGrid)
	cloudtest.Each(t, func(t *testing.T, c *cloudtest.Store) {
		c.Fail(cloudtest.Fault{Status: http.StatusForbidden})
		out, err := sweepIn(dir, "start", "grid.yaml", "--checkpoints", c.URL).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "check its credentials") || !strings.Contains(string(out), "hint: --checkpoints") {
			t.Errorf("start: %v\n%s\nwant a refusal that says what to check", err, out)
		}
		out, err = sweepIn(dir, "doctor", "--checkpoints", c.URL, "-o", "csv").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "checkpoints,bad,") {
			t.Errorf("doctor: %v\n%s\nwant the store found bad", err, out)
		}
		c.Heal()
		out, err = sweepIn(dir, "doctor", "--checkpoints", c.URL, "-o", "csv").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "checkpoints,ok,") {
			t.Errorf("doctor: %v\n%s\nwant the store found well", err, out)
		}
	})
}
