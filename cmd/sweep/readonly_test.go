package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep/internal/faults"
)

// readonlyGrid is two trials that take no time.
const readonlyGrid = `
name: %s
data: {name: glyphs, train: 300, validation: 100}
model: linear
privacy: {epsilon: [2], delta: 1e-4, accountant: rdp, noise: seeded}
grid: {batch_size: [30], learning_rate: [0.25, %s], steps: [5]}
`

// TestReadOnlyFiles makes the record, the folder of the state, or both
// unchangeable after a sweep. A second sweep is refused, with a message that
// names what cannot be written and an exit status that says that nothing ran;
// what is recorded can still be read, and nothing of it is lost.
func TestReadOnlyFiles(t *testing.T) {
	slow(t)
	t.Parallel()
	for _, c := range []struct{ name, frozen string }{
		{"record", "results.db"}, {"state", "results.d"}, {"all", "."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, rate := range map[string]string{"first": "0.5", "second": "1"} {
				grid := strings.Replace(strings.Replace(readonlyGrid, "%s", name, 1), "%s", rate, 1)
				if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(grid), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if out, err := sweepIn(dir, "start", "first.yaml").CombinedOutput(); err != nil {
				t.Fatalf("start: %v\n%s", err, out)
			}
			before, err := sweepIn(dir, "trials", "first", "-o", "json").Output()
			if err != nil {
				t.Fatal(err)
			}
			thaw := faults.ReadOnly(t, filepath.Join(dir, c.frozen))
			start := sweepIn(dir, "start", "second.yaml")
			start.Env = append(start.Env, "TMPDIR="+t.TempDir())
			out, err := start.CombinedOutput()
			if err == nil || start.ProcessState.ExitCode() != exitInternal {
				t.Errorf("start: exit status %d, want %d\n%s", start.ProcessState.ExitCode(), exitInternal, out)
			}
			for _, want := range []string{"results.d", "read-only|readonly", "hint: "} {
				if c.name == "record" {
					want = strings.Replace(want, "results.d", "results.db", 1)
				}
				if !containsAny(string(out), strings.Split(want, "|")) {
					t.Errorf("start says\n%s\nwant %q in it", out, want)
				}
			}
			if after, err := sweepIn(dir, "trials", "first", "-o", "json").CombinedOutput(); err != nil || string(after) != string(before) {
				t.Errorf("while it cannot be written: %v\n%s\nwant what was there before", err, after)
			}
			thaw()
			if out, err := sweepIn(dir, "start", "second.yaml").CombinedOutput(); err != nil {
				t.Errorf("when it can be written again: %v\n%s", err, out)
			}
			if after, err := sweepIn(dir, "trials", "first", "-o", "json").CombinedOutput(); err != nil || string(after) != string(before) {
				t.Errorf("of the first sweep there is now: %v\n%s\nwant what was there before", err, after)
			}
		})
	}
}

// TestReadOnlyMidway makes, while a sweep runs, the record, the store of
// checkpoints or the trials' folder unchangeable, also for who has them open, and
// changeable again some seconds later. The sweep goes on by itself and loses
// nothing.
func TestReadOnlyMidway(t *testing.T) {
	slow(t)
	t.Parallel()
	for name, freeze := range map[string]func(t *testing.T, dir string) (thaw func()){
		"record": func(t *testing.T, dir string) func() {
			return faults.Immutable(t, filepath.Join(dir, "results.db"), filepath.Join(dir, "results.db-wal"))
		},
		"checkpoints": func(t *testing.T, dir string) func() { return faults.ReadOnly(t, filepath.Join(dir, "checkpoints")) },
		"trials": func(t *testing.T, dir string) func() {
			return faults.ReadOnly(t, filepath.Join(dir, "results.d", "trials"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "checkpoints"), 0o700); err != nil {
				t.Fatal(err)
			}
			writeGrid(t, dir, diskGrid)
			start := sweepIn(dir, "start", "grid.yaml", "--checkpoints", filepath.Join(dir, "checkpoints"))
			out, ended := begin(t, start)
			awaitTraining(t, dir, ended, out)
			thaw := freeze(t, dir)
			time.Sleep(3 * time.Second)
			thaw()
			if err := <-ended; err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			undisturbed(t, dir, 4)
		})
	}
}

func containsAny(text string, some []string) bool {
	for _, s := range some {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}
