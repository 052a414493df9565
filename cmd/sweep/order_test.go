package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"sweep/workflows"
)

// queuedGrid is four trials of which all wait at once. Each lasts longer than it
// takes to record the one before it.
const queuedGrid = `
name: %s
data: {name: glyphs, train: 600}
model: fake
%s
privacy: {noise_multiplier: %g, delta: 1e-4}
grid: {batch_size: [10, 20, 30, 40]}
fixed: {learning_rate: 0.5, steps: 6, option.step_time: 100ms}
run: {parallel: 4, priority: %d}
`

// TestPrioritiesAndFairness queues the trials of four sweeps before any worker is
// there, and then has one take them one by one: first those of the most urgent
// sweep, though it was started late, then of two sweeps in turns, though all of
// one were there before the other's, and last those of the least urgent.
func TestPrioritiesAndFairness(t *testing.T) {
	slow(t)
	t.Parallel()
	dir := t.TempDir()
	defer background(t, sweepIn(dir, "server", "--no-train"))()
	waitForServer(t, dir)
	h := dialServer(t, dir)
	for i, s := range []struct {
		name     string
		priority int
	}{{"low", 5}, {"one", 3}, {"two", 3}, {"high", 1}} {
		grid := fmt.Sprintf(queuedGrid, s.name, fakeTrainer(t), 1+0.5*float64(i), s.priority)
		writeGrid(t, dir, grid)
		if out, err := sweepIn(dir, "start", "--detach", "grid.yaml").CombinedOutput(); err != nil {
			t.Fatalf("start: %v\n%s", err, out)
		}
		waitFor(t, "queue of all trials", func() bool { return queued(t, h) == int64(4*(i+1)) })
	}
	defer background(t, sweepIn(dir, "worker", "--at-once", "1"))()
	for _, name := range []string{"low", "one", "two", "high"} {
		if out, err := sweepIn(dir, "wait", name, "--timeout", "2m").CombinedOutput(); err != nil {
			t.Fatalf("wait: %v\n%s", err, out)
		}
	}
	order := trainedInOrder(t, dir, "low", "one", "two", "high")
	if len(order) != 16 || strings.Join(order[:4], "") != strings.Repeat("high", 4) || strings.Join(order[12:], "") != strings.Repeat("low", 4) {
		t.Fatalf("trained in the order %v; want the urgent ones first and the others last", order)
	}
	ahead := 0
	for _, name := range order[4:12] {
		ahead += map[string]int{"one": 1, "two": -1}[name]
		if ahead < -2 || ahead > 2 {
			t.Fatalf("trained in the order %v; want sweeps one and two in turns", order)
		}
	}
}

// queued is how many trials wait for a worker.
func queued(t *testing.T, h *host) int64 {
	t.Helper()
	a, err := h.client.WorkflowService().DescribeTaskQueue(t.Context(), &workflowservice.DescribeTaskQueueRequest{
		Namespace: h.namespace, TaskQueue: &taskqueue.TaskQueue{Name: workflows.TrainQueue}, TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY, ReportStats: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a.GetStats().GetApproximateBacklogCount()
}

// trainedInOrder names the sweep of each attempt, the first to end first.
func trainedInOrder(t *testing.T, dir string, names ...string) (order []string) {
	t.Helper()
	type ended struct {
		sweep string
		at    time.Time
	}
	var all []ended
	for _, name := range names {
		out, err := sweepIn(dir, "trials", name, "--attempts", "-o", "json").Output()
		var listed struct {
			Attempts []struct{ Ended time.Time }
		}
		if err == nil {
			err = json.Unmarshal(out, &listed)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, a := range listed.Attempts {
			all = append(all, ended{name, a.Ended})
		}
	}
	slices.SortFunc(all, func(a, b ended) int { return a.at.Compare(b.at) })
	for _, e := range all {
		order = append(order, e.sweep)
	}
	return order
}
