package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"sweep/workflows/devserver"
)

// besideGrid is two trials of about a second.
const besideGrid = `
name: %s
data: {name: glyphs, train: 600}
model: fake
%s
privacy: {noise_multiplier: %g, delta: 1e-4}
grid: {batch_size: [10, 20]}
fixed: {learning_rate: 0.5, steps: 50, option.step_time: 20ms}
run: {parallel: 2}
`

// TestVersionsSideBySide starts a sweep on one build of a Worker Deployment and,
// while it runs, makes another build the current one: the first sweep stays where
// it is, the next begins on the new build, and both are completed.
func TestVersionsSideBySide(t *testing.T) {
	slow(t)
	t.Parallel()
	dir := t.TempDir()
	build := func(id string, args ...string) *exec.Cmd {
		cmd := sweepIn(dir, args...)
		cmd.Env = append(cmd.Env, "TEMPORAL_DEPLOYMENT_NAME=lab", "TEMPORAL_WORKER_BUILD_ID="+id)
		return cmd
	}
	defer background(t, build("one", "server", "--no-train", "--make-current"))()
	waitForServer(t, dir)
	start := func(name string, noise float64) {
		t.Helper()
		grid := fmt.Sprintf(besideGrid, name, fakeTrainer(t), noise)
		writeGrid(t, dir, grid)
		if out, err := sweepIn(dir, "start", "--detach", "grid.yaml").CombinedOutput(); err != nil {
			t.Fatalf("start: %v\n%s", err, out)
		}
	}
	runsOn := func(name, id string) {
		t.Helper()
		h := dialServer(t, dir)
		waitFor(t, "sweep "+name+" on build "+id, func() bool {
			all, err := openSweeps(t.Context(), h)
			if err != nil {
				t.Fatal(err)
			}
			for _, sweep := range all {
				if !strings.HasPrefix(sweep, name+"-") {
					continue
				}
				d, err := h.client.DescribeWorkflowExecution(t.Context(), sweep, "")
				if err != nil {
					t.Fatal(err)
				}
				on := d.WorkflowExecutionInfo.GetVersioningInfo().GetDeploymentVersion().GetBuildId()
				if on != "" && on != id {
					t.Fatalf("sweep %s runs on build %s, want %s", name, on, id)
				}
				return on == id
			}
			return false
		})
	}
	start("before", 1)
	runsOn("before", "one")
	defer background(t, build("two", "worker", "--at-once", "1", "--make-current"))()
	h := dialServer(t, dir)
	waitFor(t, "the new build to be current", func() bool {
		d, err := h.client.WorkerDeploymentClient().GetHandle("lab").Describe(t.Context(), client.WorkerDeploymentDescribeOptions{})
		return err == nil && d.Info.RoutingConfig.CurrentVersion != nil && d.Info.RoutingConfig.CurrentVersion.BuildID == "two"
	})
	start("after", 2)
	runsOn("after", "two")
	for _, name := range []string{"before", "after"} {
		if out, err := sweepIn(dir, "wait", name, "--timeout", "2m").CombinedOutput(); err != nil {
			t.Errorf("wait: %v\n%s", err, out)
		}
	}
}

// TestWorkerServesTheRecord runs `sweep worker --record` on somebody else's
// server: sweeps are then started with --detach, and no process is left behind.
func TestWorkerServesTheRecord(t *testing.T) {
	slow(t)
	t.Parallel()
	far, near := t.TempDir(), t.TempDir()
	defer background(t, sweepIn(far, "server", "--no-train"))()
	waitForServer(t, far)
	state := filepath.Join(far, "results.d")
	info, err := devserver.Running(state)
	if err != nil {
		t.Fatal(err)
	}
	on := func(args ...string) *exec.Cmd {
		cmd := sweepIn(near, args...)
		cmd.Env = append(cmd.Env, clusterEnv(state, info)...)
		return cmd
	}
	defer background(t, on("worker", "--at-once", "2", "--record", "kept.db"))()
	p := place{db: filepath.Join(near, "kept.db"), state: filepath.Join(near, "kept.d")}
	waitFor(t, "record to be served", func() bool { return recordServed(p) })
	writeGrid(t, near, fmt.Sprintf(besideGrid, "kept", fakeTrainer(t), 1.))
	for _, args := range [][]string{{"start", "--detach", "--db", "kept.db", "grid.yaml"}, {"wait", "--db", "kept.db", "--timeout", "2m"}} {
		if out, err := on(args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	rows, err := sweepIn(near, "trials", "--db", "kept.db", "-o", "csv").Output()
	if err != nil || strings.Count(string(rows), ",completed,") != 2 {
		t.Errorf("trials: %v\n%s\nwant two completed", err, rows)
	}
	if _, err := os.Stat(filepath.Join(near, "kept.d", "server.log")); err == nil {
		t.Error("a process in the background was started beside the worker that serves the record")
	}
}
