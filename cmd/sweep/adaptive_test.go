package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sweep/results"
)

// adaptiveGrids ask one trial at a time for the next, so that a run which is not
// disturbed has one course only; noise repeats.
var adaptiveGrids = map[string]string{
	"tpe": `
name: adaptive
data: {name: glyphs, train: 600, validation: 300}
model: linear
privacy: {epsilon: [1, 10], delta: 1e-4, accountant: rdp, noise: seeded}
grid: {learning_rate: {log: {min: 0.1, max: 10}}, batch_size: [60, 120]}
fixed: {steps: 40}
strategy: {name: tpe, trials: 7, startup: 3}
run: {parallel: 1, checkpoint_every: 1s}
`,
	"asha": `
name: adaptive
data: {name: glyphs, train: 600, validation: 300}
model: linear
privacy: {epsilon: [3], delta: 1e-4, accountant: rdp, noise: seeded}
grid: {learning_rate: {log: {min: 0.1, max: 10}}, batch_size: [60, 120]}
fixed: {steps: 45}
strategy: {name: asha, trials: 6, min_steps: 15, reduction: 3}
run: {parallel: 1, checkpoint_every: 1s}
`,
}

// A search that is killed again and again ends with the very trials of one that
// was left alone, in the same order, each completed once with the same bits.
func TestAdaptiveSweepsSurviveKills(t *testing.T) {
	slow(t)
	t.Parallel()
	for name, text := range adaptiveGrids {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm, stormy := t.TempDir(), t.TempDir()
			for _, dir := range []string{calm, stormy} {
				writeGrid(t, dir, text)
			}
			undisturbed := sweepIn(calm, "start", "grid.yaml")
			var said bytes.Buffer
			undisturbed.Stdout, undisturbed.Stderr = &said, &said
			if err := undisturbed.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = undisturbed.Process.Kill() }) // of one that the test did not wait for
			for _, completed := range []int{1, 4} {              // while the strategy has no model or rung yet, and when it has
				killAfter(t, stormy, completed)
			}
			if out, err := sweepIn(stormy, goOn(stormy, "adaptive")...).CombinedOutput(); err != nil {
				t.Fatalf("run after the kills: %v\n%s", err, out)
			}
			if err := undisturbed.Wait(); err != nil {
				t.Fatalf("undisturbed run: %v\n%s", err, said.String())
			}
			want, got := course(t, calm), course(t, stormy)
			if !slices.Equal(got, want) || len(want) < 7 {
				t.Errorf("after the kills:\n%s\nundisturbed:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// killAfter goes on with the sweep in dir, and kills it when so many of its
// trials are completed.
func killAfter(t *testing.T, dir string, completed int) {
	t.Helper()
	cmd := sweepIn(dir, goOn(dir, "adaptive")...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if completedIn(t, dir) >= completed {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended before it was killed: %v\n%s", err, out.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d trials are not completed in two minutes\n%s", completed, out.String())
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// completedIn counts the completed trials of dir's one sweep.
func completedIn(t *testing.T, dir string) int {
	t.Helper()
	r, err := results.OpenReader(t.Context(), filepath.Join(dir, "results.db"))
	if err != nil {
		return 0 // nothing is written yet
	}
	defer r.Close()
	all, err := r.Sweeps(t.Context())
	if err != nil || len(all) == 0 {
		return 0
	}
	return all[0].Counts.Completed
}

// course is what the completed trials of dir's sweep came to, in the order in which
// they were asked for.
func course(t *testing.T, dir string) (lines []string) {
	t.Helper()
	text, err := sweepIn(dir, "trials", "adaptive", "--state", "completed", "-o", "json").Output()
	if err != nil {
		return nil // nothing is written yet
	}
	var listed struct {
		Trials []struct {
			ID, Label string
			Index     int
			Outcome   map[string]any
		}
	}
	if err := json.Unmarshal(text, &listed); err != nil {
		t.Fatal(err)
	}
	at := map[int]string{}
	for _, trial := range listed.Trials {
		delete(trial.Outcome, "seconds")
		outcome, err := json.Marshal(trial.Outcome)
		if err != nil {
			t.Fatal(err)
		}
		at[trial.Index] = trial.ID + " " + trial.Label + " " + string(outcome)
	}
	for _, i := range slices.Sorted(maps.Keys(at)) {
		lines = append(lines, at[i])
	}
	return lines
}
