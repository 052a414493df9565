package workflows

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sweep"
)

// A Submission is a sweep file to be entered into a record.
type Submission struct {
	Sweep sweep.SweepID // the sweep it makes, or the one it extends
	File  string        // its path, for people
	Text  string

	OwnSeeds bool // if it is new, no result of another sweep counts for it
}

// Entered says what a submission's trials were to the record.
type Entered struct {
	New    int // to be run
	Known  int // in the sweep before
	Reused int // completed by another sweep
	Gone   int // in the sweep before, and no longer in its file
}

// enterTimeout is how long a process that enters a sweep file may be silent. A
// large file may take all of the CPU for a while.
const enterTimeout = time.Minute

// SubmitWorkflow has a sweep file entered into the record by the worker that
// holds it.
func SubmitWorkflow(ctx workflow.Context, queue string, s Submission) (Entered, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 24 * time.Hour, // calibrating a large grid takes what it takes
		HeartbeatTimeout:    enterTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, MaximumInterval: 30 * time.Second},
	})
	var r *RecordActivities
	var entered Entered
	err := workflow.ExecuteActivity(ctx, r.Enter, s).Get(ctx, &entered)
	return entered, err
}

// Submit has s entered into the record that the queue serves, with payloads under
// the key of that id.
func Submit(ctx context.Context, c client.Client, queue, key string, s Submission) (Entered, error) {
	var entered Entered
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:            "submit/" + string(s.Sweep) + "/" + rand.Text(), // two shells may submit at once
		TaskQueue:     Sealed(SweepQueue, key),
		StaticSummary: "enter " + s.File,
	}, SubmitWorkflow, queue, s)
	if err == nil {
		err = run.Get(ctx, &entered)
	}
	if err != nil {
		return entered, fmt.Errorf("submit sweep %s: %w", s.Sweep, err)
	}
	return entered, nil
}

// Enter enters s into the record.
func (a *RecordActivities) Enter(ctx context.Context, s Submission) (Entered, error) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(enterTimeout / 4)
		defer tick.Stop()
		for {
			activity.RecordHeartbeat(ctx)
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	entered, err := a.EnterFile(ctx, s)
	return entered, permanent(err)
}
