package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep/internal/faults"
	"sweep/workflows/devserver"
)

// TestCluster runs a sweep on a Temporal server that is somebody else's, found
// by Temporal's own environment variables, with mutual TLS: one process with
// the results file, and a worker that trains and has none.
func TestCluster(t *testing.T) {
	t.Parallel()
	far, near := t.TempDir(), t.TempDir()
	server := background(t, sweepIn(far, "server", "--no-train"))
	defer server()
	state := filepath.Join(far, "results.d")
	var info devserver.Info
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		var err error
		if info, err = devserver.Running(state); err == nil {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal(err)
		}
	}
	env := clusterEnv(state, info)
	worker := sweepIn(t.TempDir(), "worker", "--at-once", "2")
	worker.Env = append(worker.Env, env...)
	defer background(t, worker)()

	writeGrid(t, near, replayGrid)
	start := sweepIn(near, "start", "grid.yaml")
	start.Env = append(start.Env, env...)
	out, err := start.CombinedOutput()
	if err == nil || start.ProcessState.ExitCode() != exitFailed || strings.Count(string(out), "diverged") < 1 {
		t.Fatalf("a sweep of which half diverges: %v, want exit status %d\n%s", err, exitFailed, out)
	}
	detachOnCluster(t, env)
	listed, err := sweepIn(near, "trials", "-o", "csv").Output()
	if err != nil || strings.Count(string(listed), ",completed,") != 2 || strings.Count(string(listed), ",failed,") != 2 {
		t.Errorf("trials: %v\n%s\nwant two completed, two failed", err, listed)
	}
	if _, err := os.Stat(filepath.Join(near, "results.d", "server.json")); err == nil {
		t.Error("an embedded server was started beside the cluster")
	}
}

// interruptGrid is two trials of five seconds, and a checkpoint when asked.
const interruptGrid = `
name: slow
data: {name: glyphs, train: 600}
model: fake
%s
privacy: {noise_multiplier: 1, delta: 1e-4}
grid: {batch_size: [60, 120]}
fixed: {learning_rate: 0.5, steps: 500, option.step_time: 10ms}
run: {parallel: 2, checkpoint_every: 1h}
`

// clusterEnv is how Temporal's own variables name the server of another process.
func clusterEnv(state string, info devserver.Info) []string {
	return []string{
		"TEMPORAL_ADDRESS=" + info.Address, "TEMPORAL_NAMESPACE=" + info.Namespace, "TEMPORAL_TLS_SERVER_NAME=sweep.local",
		"TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + filepath.Join(state, "tls-ca.pem"),
		"TEMPORAL_TLS_CLIENT_CERT_PATH=" + filepath.Join(state, "tls-cert.pem"),
		"TEMPORAL_TLS_CLIENT_KEY_PATH=" + filepath.Join(state, "tls-key.pem"),
	}
}

// TestInterrupt presses Ctrl-C once: trainers write checkpoints, the trials are
// stopped, and resuming goes on from there.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	grid := fmt.Sprintf(interruptGrid, fakeTrainer(t))
	writeGrid(t, dir, grid)
	start := sweepIn(dir, "start", "grid.yaml")
	var out strings.Builder
	start.Stdout, start.Stderr = &out, &out
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(100 * time.Millisecond) {
		steps, _ := sweepIn(dir, "trials", "--state", "running", "-o", "csv").Output()
		if strings.Contains(string(steps), "step ") && !strings.Contains(string(steps), "step 0 ") {
			break
		}
	}
	if err := start.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := start.Wait(); start.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(out.String(), "`sweep resume slow-") {
		t.Fatalf("after Ctrl-C: %v, want exit status %d and how to resume\n%s", err, exitInterrupted, out.String())
	}
	listed, err := sweepIn(dir, "trials", "--state", "stopped", "-o", "csv").Output()
	if err != nil || strings.Count(string(listed), ",stopped,") != 2 {
		t.Errorf("trials: %v\n%s\nwant two stopped", err, listed)
	}
	if left, err := faults.Gone("HOME="+dir, 0); err != nil || len(left) > 0 {
		t.Errorf("still running: %v, error %v", left, err)
	}
	if out, err := sweepIn(dir, "resume").CombinedOutput(); err != nil {
		t.Fatalf("resume: %v\n%s", err, out)
	}
	shown, err := sweepIn(dir, "trials", "--show", firstTrial(t, dir)).Output()
	if err != nil || !strings.Contains(string(shown), `"failure": "cancelled"`) || !strings.Contains(string(shown), `"number": 2`) || strings.Contains(string(shown), `"number": 3`) {
		t.Errorf("%v\n%s\nwant a first attempt that was cancelled, and a second that completed", err, shown)
	}
	rows, err := sweepIn(dir, "trials", "--attempts", "-o", "csv").Output()
	if err != nil || strings.Count(string(rows), ",cancelled,") != 2 || strings.Count(string(rows), ",completed,") != 2 {
		t.Errorf("attempts: %v\n%s\nwant two that were cancelled, and two that completed", err, rows)
	}
	table, err := sweepIn(dir, "trials", "--show", firstTrial(t, dir), "-o", "table").Output()
	for _, want := range []string{"completed, 500 steps charged", "cancelled", "checkpoint of attempt"} {
		if err != nil || !strings.Contains(string(table), want) {
			t.Errorf("%v\n%s\nwant a table with %q", err, table, want)
		}
	}
}

func firstTrial(t *testing.T, dir string) string {
	t.Helper()
	out, err := sweepIn(dir, "trials", "-o", "csv").Output()
	lines := strings.Split(string(out), "\n")
	if err != nil || len(lines) < 2 {
		t.Fatalf("%v\n%s", err, out)
	}
	id, _, _ := strings.Cut(lines[1], ",")
	return id
}

// background starts cmd and returns what terminates it and waits for its end.
func background(t *testing.T, cmd *exec.Cmd) (stop func()) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			t.Errorf("%v: %v", cmd.Args, err)
		}
	}
}

// detachOnCluster starts a sweep and leaves: a process in the background serves
// the results file until the sweep is done, and then ends.
func detachOnCluster(t *testing.T, env []string) {
	t.Helper()
	dir := t.TempDir()
	grid := strings.Replace(strings.Replace(replayGrid, "name: replay", "name: away", 1), "1e38", "0.25", 1)
	writeGrid(t, dir, grid)
	for _, args := range [][]string{{"start", "--detach", "--priority", "1", "grid.yaml"}, {"wait", "--timeout", "2m"}} {
		cmd := sweepIn(dir, args...)
		cmd.Env = append(cmd.Env, env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	p := place{db: filepath.Join(dir, "results.db"), state: filepath.Join(dir, "results.d")}
	waitFor(t, "end of the process in the background", func() bool { return !recordServed(p) })
}
