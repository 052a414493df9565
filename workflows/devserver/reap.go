package devserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// WorkerLost is the type of the ApplicationError that ends an attempt whose
// worker process died.
const WorkerLost = "WorkerLost"

const (
	reapPage     = 200 // workflows listed at a time
	reapParallel = 16  // workflows looked at at a time
)

// Reap ends, in the open workflows of namespace, the activity attempts whose
// worker isDead says is gone ([DeadHere], usually), and returns how many. An
// attempt fails with a retryable ApplicationError of type [WorkerLost], and its
// next attempt, if the retry policy grants one, starts at once instead of after
// the heartbeat timeout. An attempt that was asked to cancel counts as
// cancelled. An activity that ends by itself meanwhile is no error.
//
// Temporal does not say which attempt is failed. Where activities are retried by
// Temporal itself, one that has meanwhile begun its next attempt loses that, so
// what it does must be fenced by other means.
func Reap(ctx context.Context, c client.Client, namespace string, isDead func(identity string) bool) (int, error) {
	r := reaper{client: c, namespace: namespace, isDead: isDead}
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: namespace, PageSize: reapPage, Query: `ExecutionStatus = "Running"`,
	}
	for {
		page, err := c.WorkflowService().ListWorkflowExecutions(ctx, request)
		if err != nil {
			return int(r.reaped.Load()), fmt.Errorf("list open workflows of %s: %w", namespace, err)
		}
		if err := r.visitAll(ctx, page.Executions); err != nil {
			return int(r.reaped.Load()), err
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return int(r.reaped.Load()), nil
		}
	}
}

type reaper struct {
	client    client.Client
	namespace string
	isDead    func(string) bool
	reaped    atomic.Int64
}

func (r *reaper) visitAll(ctx context.Context, executions []*workflow.WorkflowExecutionInfo) error {
	errs := make([]error, len(executions))
	slots := make(chan struct{}, reapParallel)
	var visits sync.WaitGroup
	for i, e := range executions {
		slots <- struct{}{}
		visits.Go(func() {
			defer func() { <-slots }()
			errs[i] = r.visit(ctx, e)
		})
	}
	visits.Wait()
	return errors.Join(errs...)
}

func (r *reaper) visit(ctx context.Context, e *workflow.WorkflowExecutionInfo) error {
	d, err := r.client.WorkflowService().DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: r.namespace, Execution: e.Execution,
	})
	if gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("describe workflow %s: %w", e.Execution.WorkflowId, err)
	}
	var errs []error
	for _, a := range d.PendingActivities {
		end := verdict(a.State)
		if end == nil || !r.isDead(a.LastWorkerIdentity) {
			continue
		}
		err := r.client.CompleteActivityByID(ctx, r.namespace, e.Execution.WorkflowId, e.Execution.RunId, a.ActivityId, nil, end)
		switch {
		case gone(err):
		case err != nil:
			errs = append(errs, fmt.Errorf("end activity %s of workflow %s: %w", a.ActivityId, e.Execution.WorkflowId, err))
		default:
			r.reaped.Add(1)
		}
	}
	return errors.Join(errs...)
}

// verdict is how an attempt in the given state ends when its worker is dead;
// nil if no worker has it.
func verdict(state enums.PendingActivityState) error {
	switch state {
	case enums.PENDING_ACTIVITY_STATE_STARTED, enums.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
		return temporal.NewApplicationErrorWithOptions("worker process died", WorkerLost, temporal.ApplicationErrorOptions{
			NextRetryDelay: time.Millisecond, // the attempt did nothing wrong
		})
	case enums.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED:
		return temporal.NewCanceledError()
	default:
		return nil
	}
}

// gone tells that a workflow or activity ended in the meantime.
func gone(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}
