package workflows

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"sweep"
)

// ErrOtherKey says that a sweep runs with another payload key than this
// process's, or without one.
var ErrOtherKey = errors.New("it runs with another payload key, or with none, and a process serves it so")

// replaceOther ends the workflows of a sweep that ran on another queue, which is
// one of another payload key, if nobody serves that any more. The record has
// all that they knew, and fences their attempts.
func replaceOther(ctx context.Context, c client.Client, namespace string, id sweep.SweepID, queue string) error {
	n, err := pollers(ctx, c, namespace, queue, enums.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("sweep %s: %w", id, ErrOtherKey)
	}
	const why = "goes on with another payload key"
	if err := running(id, c.TerminateWorkflow(ctx, string(id), "", why)); err != nil && !errors.Is(err, ErrNotRunning) {
		return fmt.Errorf("end the run of sweep %s with another payload key: %w", id, err)
	}
	for request := (&workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, Query: `WorkflowType = "TrialWorkflow" AND ExecutionStatus = "Running"`}); ; {
		page, err := c.ListWorkflow(ctx, request)
		if err != nil {
			return fmt.Errorf("list trials of sweep %s: %w", id, err)
		}
		for _, e := range page.Executions {
			if !strings.HasPrefix(e.Execution.WorkflowId, string(id)+"/") || e.TaskQueue != queue {
				continue
			}
			if err := running(id, c.TerminateWorkflow(ctx, e.Execution.WorkflowId, e.Execution.RunId, why)); err != nil && !errors.Is(err, ErrNotRunning) {
				return fmt.Errorf("end trial %s with another payload key: %w", e.Execution.WorkflowId, err)
			}
		}
		if request.NextPageToken = page.NextPageToken; len(page.NextPageToken) == 0 {
			return nil
		}
	}
}
