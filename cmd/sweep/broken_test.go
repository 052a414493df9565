package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep/internal/faults"
	"sweep/trainerplugin/trainertest"
)

const brokenGrid = `
name: %s
data: {name: glyphs, train: 600}
model: fake
trainer: {command: [/bin/sh, %s], sha256: %x}
privacy: {noise_multiplier: 1, delta: 1e-4}
grid: {batch_size: [60]}
fixed: {learning_rate: 0.5, steps: 3, option.step_time: 1100ms} # each step is reported
run: {retries: 0}
`

// TestBrokenTrainers runs a sweep by each of several trainers that misbehave. The
// trial fails with words that say how, or is completed where the trainer did its
// work all the same, and of no trainer is anything left.
func TestBrokenTrainers(t *testing.T) {
	slow(t)
	t.Parallel()
	dir := t.TempDir()
	program, err := exec.LookPath("broken-trainer")
	if err != nil {
		t.Fatal(err)
	}
	stop := background(t, sweepIn(dir, "server", "--at-once", "9"))
	waitForServer(t, dir)
	broken := map[string]string{ // what is said of it
		"fork":      "",
		"rubbish":   "Welcome to CUDA 13",
		"stillborn": "No module named 'torch'",
		"crash":     "exit status 3",
		"leak":      "out of memory",
		"nan":       "NaN",
		"escape":    "../../etc/passwd",
		"lie":       "0.999",
		"refuse":    "96 GiB",
	}
	for mode := range broken {
		script := fmt.Appendf(nil, "%s=%s exec %s\n", trainertest.Variable, mode, program)
		path := filepath.Join(dir, mode+".sh")
		grid := fmt.Appendf(nil, brokenGrid, mode, path, sha256.Sum256(script))
		for file, text := range map[string][]byte{path: script, filepath.Join(dir, mode+".yaml"): grid} {
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := sweepIn(dir, "start", "--detach", mode+".yaml").CombinedOutput(); err != nil {
			t.Fatalf("start %s: %v\n%s", mode, err, out)
		}
	}
	for mode, words := range broken {
		wait := sweepIn(dir, "wait", mode, "--timeout", "2m")
		out, _ := wait.CombinedOutput()
		want, state := exitFailed, ",failed,"
		if words == "" {
			want, state = exitOK, ",completed,"
		}
		if got := wait.ProcessState.ExitCode(); got != want {
			t.Errorf("%s: exit status %d, want %d\n%s", mode, got, want, out)
		}
		shown, err := sweepIn(dir, "trials", mode, "-o", "csv").Output()
		if err != nil || !strings.Contains(string(shown), state) {
			t.Errorf("%s: %v\n%s\nwant it %s", mode, err, shown, strings.Trim(state, ","))
		}
		full, err := sweepIn(dir, "trials", "--show", listedTrial(string(shown))).Output()
		if err != nil || !strings.Contains(string(full), words) {
			t.Errorf("%s: %v\n%s\nwant it to say %q", mode, err, full, words)
		}
	}
	stop()
	if left, err := faults.Gone("HOME="+dir, 10*time.Second); err != nil || len(left) > 0 {
		t.Errorf("still running: %v, error %v", left, err)
	}
}

// listedTrial is the id in the first row of a listing.
func listedTrial(rows string) string {
	lines := strings.Split(rows, "\n")
	id, _, _ := strings.Cut(lines[min(1, len(lines)-1)], ",")
	return id
}
