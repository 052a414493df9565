package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sweep/internal/faults"
)

// crashGrid is 8 trials of about a second, with noise that repeats.
const crashGrid = `
name: crash
data: {name: glyphs, train: 600, validation: 300}
model: linear
privacy: {epsilon: [1, 10], delta: 1e-4, accountant: rdp, noise: seeded}
grid: {batch_size: [60, 120], learning_rate: [0.5, 2], steps: [200]}
run: {parallel: 2, checkpoint_every: 1s}
`

// TestKillNine kills the whole process at random moments. Afterwards every
// trial is completed exactly once, with the bits of an undisturbed run, and no
// trainer has outlived its host. SWEEP_KILLS asks for more kills; TestSoak has
// thirty faults of all kinds.
func TestKillNine(t *testing.T) {
	t.Parallel()
	kills := 2
	if n := os.Getenv("SWEEP_KILLS"); n != "" {
		if _, err := fmt.Sscan(n, &kills); err != nil {
			t.Fatal(err)
		}
	}
	calm, stormy := t.TempDir(), t.TempDir()
	for _, dir := range []string{calm, stormy} {
		writeGrid(t, dir, crashGrid)
	}
	if out, err := sweepIn(calm, "start", "grid.yaml").CombinedOutput(); err != nil {
		t.Fatalf("undisturbed run: %v\n%s", err, out)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("moments drawn with seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range kills {
		kill(t, stormy, 500*time.Millisecond+time.Duration(random.Int64N(int64(2500*time.Millisecond))), goOn(stormy, "crash")...)
		t.Logf("kill %d of %d done", i+1, kills)
	}
	if out, err := sweepIn(stormy, goOn(stormy, "crash")...).CombinedOutput(); err != nil {
		t.Fatalf("run after %d kills: %v\n%s", kills, err, out)
	}
	want, got := outcomes(t, calm), outcomes(t, stormy)
	if len(want) != 8 || len(got) != 8 {
		t.Fatalf("%d and %d trials, want 8", len(want), len(got))
	}
	for id, o := range want {
		if got[id] != o {
			t.Errorf("trial %s: %s; undisturbed: %s", id, got[id], o)
		}
	}
}

// goOn is the command by which a person goes on with the sweep of grid.yaml in
// dir: by its name, or by its file if it was killed before anything was written.
func goOn(dir, name string) []string {
	if out, err := sweepIn(dir, "list", "-o", "csv").Output(); err != nil || !bytes.Contains(out, []byte(name+"-")) {
		return []string{"start", "grid.yaml"}
	}
	return []string{"resume", name}
}

// kill runs the verb, kills its process with -9 after a while, and waits until
// nothing of it is left.
func kill(t *testing.T, dir string, after time.Duration, args ...string) {
	t.Helper()
	cmd := sweepIn(dir, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("ended before it was killed: %v\n%s", err, out.String())
		}
		return // it was quick: the sweep is complete
	case <-time.After(after):
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-ended
	if left, err := faults.Gone("HOME="+dir, 10*time.Second); err != nil || len(left) > 0 {
		t.Fatalf("processes outlive their host: %v, error %v", left, err)
	}
}

// sweepIn is sweep with a working directory and an environment of its own. A
// mark in the environment tells its descendants from other processes.
func sweepIn(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("sweep", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "TEMPORAL_ADDRESS=", "SWEEP_DB=", "SWEEP_DATA_DIR=", idleForVariable+"=3s")
	return cmd
}

// writeGrid writes dir's sweep file.
func writeGrid(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "grid.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// begin starts cmd, whose end comes through ended, when all that it said is in
// out. The test does not outlive it.
func begin(t *testing.T, cmd *exec.Cmd) (out *bytes.Buffer, ended chan error) {
	t.Helper()
	out, ended = new(bytes.Buffer), make(chan error, 1)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // after a failure
	go func() { ended <- cmd.Wait() }()
	return out, ended
}

// outcomes are the trials of dir's sweep by id, as text without what may differ.
func outcomes(t *testing.T, dir string) map[string]string {
	t.Helper()
	out, err := sweepIn(dir, "trials", "crash", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var listed struct {
		Trials []struct {
			ID, State string
			Epsilon   float64
			Outcome   map[string]any
		}
	}
	if err := json.Unmarshal(out, &listed); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, trial := range listed.Trials {
		delete(trial.Outcome, "seconds")
		text, err := json.Marshal(trial.Outcome) // keys sorted
		if err != nil {
			t.Fatal(err)
		}
		if trial.State != "completed" {
			t.Errorf("trial %s is %s", trial.ID, trial.State)
		}
		all[trial.ID] = fmt.Sprintf("ε %v %s", trial.Epsilon, text)
	}
	return all
}
