package workflows

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// A Build says which version of the program runs workflows.
type Build struct {
	ID string // of the program; shown in histories

	// Deployment, if not empty, is the Worker Deployment of which the build is
	// a version. A sweep then stays with the build that it was started on, as
	// long as one of its workers is there, and new sweeps start on the build
	// that is current; see [Build.MakeCurrent]. Without it any worker takes any
	// workflow, which the replay tests keep safe: a change that would break a
	// running sweep fails them.
	Deployment string
}

func (b Build) options() worker.DeploymentOptions {
	o := worker.DeploymentOptions{Version: worker.WorkerDeploymentVersion{DeploymentName: b.Deployment, BuildID: b.ID}}
	if b.Deployment == "" {
		o.Version.DeploymentName = "sweep" // a label alone
		return o
	}
	o.UseVersioning, o.DefaultVersioningBehavior = true, workflow.VersioningBehaviorPinned
	return o
}

// MakeCurrent has new sweeps start on this build, once one of its workers is
// known to the server.
func (b Build) MakeCurrent(ctx context.Context, c client.Client) error {
	handle := c.WorkerDeploymentClient().GetHandle(b.Deployment)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		_, err := handle.SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: b.ID})
		if err == nil {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("make build %s the current one of deployment %s: %w", b.ID, b.Deployment, err)
		}
	}
}

// NewSweepWorker returns a worker for workflows: of [SweepQueue], or of what
// [Sealed] has in its place.
func NewSweepWorker(c client.Client, identity, queue string, b Build) worker.Worker {
	w := worker.New(c, queue, worker.Options{
		Identity:                 identity,
		DeploymentOptions:        b.options(),
		DeadlockDetectionTimeout: 10 * time.Second, // trainers may take all of the CPU for a while
		// A workflow whose worker has vanished is passed on after this time. One
		// that is passed on needlessly is replayed, which takes milliseconds.
		StickyScheduleToStartTimeout: 2 * time.Second,
	})
	w.RegisterWorkflow(SweepWorkflow)
	w.RegisterWorkflow(TrialWorkflow)
	w.RegisterWorkflow(SubmitWorkflow)
	return w
}

// NewRecordWorker returns a worker for the activities that write the record.
func NewRecordWorker(c client.Client, identity, queue string, a *RecordActivities) worker.Worker {
	w := worker.New(c, queue, worker.Options{
		Identity:                           identity,
		DisableWorkflowWorker:              true,
		MaxConcurrentActivityExecutionSize: 1000, // each running sweep holds one for Collect
		MaxConcurrentActivityTaskPollers:   4,
		WorkerStopTimeout:                  5 * time.Second,
	})
	w.RegisterActivity(a)
	return w
}

// NewTrainWorkers returns a worker for each task queue. Together they train as
// many trials as a.Devices have room for. When they stop, running trials have
// a.Finish to end by themselves, and then grace to write a checkpoint.
func NewTrainWorkers(c client.Client, queues []string, a *TrainActivities, grace time.Duration) ([]worker.Worker, error) {
	var all []worker.Worker
	for _, queue := range queues {
		tuner, err := (&slots{devices: a.Devices}).tuner()
		if err != nil {
			return nil, err
		}
		o := worker.Options{
			Identity:              a.Worker,
			DisableWorkflowWorker: true,
			Tuner:                 tuner,
			WorkerStopTimeout:     a.Finish + grace,
		}
		if len(queues) > 1 {
			o.MaxConcurrentActivityTaskPollers = 1 // see slots
		}
		w := worker.New(c, queue, o)
		w.RegisterActivity(a)
		all = append(all, w)
	}
	return all, nil
}
