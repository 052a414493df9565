package main

import (
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"sweep/workflows"
	"sweep/workflows/devserver"
)

// saveHistories writes the histories of TestHistoriesReplay where
// workflows/replay_test.go finds them: once for each release, and before a
// change to workflows that is meant to be compatible.
var saveHistories = flag.String("save-histories", "", "folder to write workflow histories to")

const replayGrid = `
name: replay
data: {name: glyphs, train: 300, validation: 100}
model: linear
privacy: {epsilon: [2, 8], delta: 1e-4, accountant: rdp, noise: seeded}
grid: {batch_size: [30], learning_rate: [0.5, 1e38], steps: [6]}
run: {parallel: 2, retries: 1}
`

// TestHistoriesReplay runs a sweep of which half diverges, and replays what the
// server has recorded of it: a workflow that decides otherwise than it did is
// not deterministic.
func TestHistoriesReplay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeGrid(t, dir, replayGrid)
	out, err := sweepIn(dir, "start", "grid.yaml").CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitFailed {
		t.Fatalf("a sweep of which half diverges: %v, want exit status %d\n%s", err, exitFailed, out)
	}
	h := joinServer(t, dir)
	found := map[string]int{}
	list, err := h.client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: h.namespace})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Executions {
		kind := e.Type.Name
		events := historyOf(t, h, e.Execution.WorkflowId, e.Execution.RunId)
		r := worker.NewWorkflowReplayer()
		r.RegisterWorkflow(workflows.SweepWorkflow)
		r.RegisterWorkflow(workflows.TrialWorkflow)
		r.RegisterWorkflow(workflows.SubmitWorkflow)
		original := workflow.Execution{ID: e.Execution.WorkflowId, RunID: e.Execution.RunId}
		if err := r.ReplayWorkflowHistoryWithOptions(nil, events, worker.ReplayWorkflowHistoryOptions{OriginalExecution: original}); err != nil {
			t.Errorf("%s %s: %v", kind, e.Execution.WorkflowId, err)
		}
		found[kind+" "+e.Status.String()]++
		if *saveHistories != "" {
			save(t, filepath.Join(*saveHistories, strings.ToLower(kind+"-"+e.Status.String())+".json"), events)
		}
	}
	for _, kind := range []string{"SweepWorkflow Completed", "TrialWorkflow Completed", "TrialWorkflow Failed", "SubmitWorkflow Completed"} {
		if found[kind] == 0 {
			t.Errorf("no %s among %v", kind, found)
		}
	}
}

// joinServer runs a server on dir's state and connects to it.
func joinServer(t *testing.T, dir string) *host {
	t.Helper()
	t.Cleanup(background(t, sweepIn(dir, "server")))
	return dialServer(t, dir)
}

// dialServer connects to the server that runs, or is about to, on dir's results
// file.
func dialServer(t *testing.T, dir string) *host {
	t.Helper()
	p := place{db: filepath.Join(dir, "results.db"), state: filepath.Join(dir, "results.d")}
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		h, err := joinEmbedded(t.Context(), p, role{logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			t.Cleanup(func() { h.close() })
			return h
		}
		if !errors.Is(err, devserver.ErrNotRunning) || time.Since(began) > time.Minute {
			t.Fatal(err)
		}
	}
}

func historyOf(t *testing.T, h *host, id, run string) *history.History {
	t.Helper()
	var all history.History
	events := h.client.GetWorkflowHistory(t.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		all.Events = append(all.Events, e)
	}
	return &all
}

func save(t *testing.T, path string, h *history.History) {
	t.Helper()
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
