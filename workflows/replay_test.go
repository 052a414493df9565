package workflows

import (
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/worker"
)

// TestReplay replays saved histories of real sweeps: a change to a workflow
// that would break one that is running fails here. Such a change needs
// workflow.GetVersion. The files come from
//
//	go test ./cmd/sweep -run TestHistoriesReplay -save-histories ../../workflows/testdata
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d saved histories, %v; want at least a sweep, a submission and two trials", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			r.RegisterWorkflow(SweepWorkflow)
			r.RegisterWorkflow(TrialWorkflow)
			r.RegisterWorkflow(SubmitWorkflow)
			if err := r.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
				t.Error(err)
			}
		})
	}
}
