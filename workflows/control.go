package workflows

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"sweep"
)

// ErrNotRunning says that no workflow is at work on a sweep.
var ErrNotRunning = errors.New("the sweep is not running")

// Start starts the sweep's workflow, or finds the one that runs already and
// tells it that the record may have more for it. One that was cancelled and
// could not yet write its last words has only these to say: Start waits for
// its end first.
func Start(ctx context.Context, c client.Client, in SweepInput) error {
	if ends, err := ending(ctx, c, in.Sweep); err != nil {
		return err
	} else if ends {
		// How it ends is in the record: the new workflow is there for what is left.
		if err := Wait(ctx, c, in.Sweep); err != nil && !hasEnded(err) {
			return fmt.Errorf("wait for the cancelled run of sweep %s: %w", in.Sweep, err)
		}
	}
	options := client.StartWorkflowOptions{
		ID:                       string(in.Sweep),
		TaskQueue:                SweepQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:            "sweep " + string(in.Sweep),
		Priority:                 priority(in.Priority, in.Sweep),
	}
	if in.Attributes {
		options.TypedSearchAttributes = SweepAttributes(in.Sweep)
	}
	if _, err := c.ExecuteWorkflow(ctx, options, SweepWorkflow, in); err != nil {
		return fmt.Errorf("start sweep %s: %w", in.Sweep, err)
	}
	return Signal(ctx, c, in.Sweep, SignalExtended)
}

// Signal sends one of the sweep's signals. The error wraps [ErrNotRunning] if
// nobody is there to receive it.
func Signal(ctx context.Context, c client.Client, id sweep.SweepID, signal string) error {
	return running(id, c.SignalWorkflow(ctx, string(id), "", signal, nil))
}

// Cancel has every running trial write a checkpoint and end, then the sweep.
func Cancel(ctx context.Context, c client.Client, id sweep.SweepID) error {
	// The server takes a request to cancel what has ended, and does nothing.
	if open, err := Running(ctx, c, id); err != nil || !open {
		return errors.Join(err, fmt.Errorf("sweep %s: %w", id, ErrNotRunning))
	}
	return running(id, c.CancelWorkflow(ctx, string(id), ""))
}

// Wait returns when the sweep's workflow has ended, whichever way.
func Wait(ctx context.Context, c client.Client, id sweep.SweepID) error {
	return running(id, c.GetWorkflow(ctx, string(id), "").Get(ctx, nil))
}

// Running reports whether a workflow is at work on the sweep.
func Running(ctx context.Context, c client.Client, id sweep.SweepID) (bool, error) {
	d, err := c.DescribeWorkflowExecution(ctx, string(id), "")
	if err = running(id, err); errors.Is(err, ErrNotRunning) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return d.WorkflowExecutionInfo.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// ending reports whether the sweep's workflow runs and was told to end.
func ending(ctx context.Context, c client.Client, id sweep.SweepID) (bool, error) {
	d, err := c.DescribeWorkflowExecution(ctx, string(id), "")
	if err = running(id, err); errors.Is(err, ErrNotRunning) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("describe sweep %s: %w", id, err)
	}
	return d.WorkflowExecutionInfo.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING && d.WorkflowExtendedInfo.GetCancelRequested(), nil
}

// hasEnded reports whether err is how a workflow ended, and not why nobody could
// be asked.
func hasEnded(err error) bool {
	_, ended := errors.AsType[*temporal.WorkflowExecutionError](err)
	return ended || errors.Is(err, ErrNotRunning)
}

func running(id sweep.SweepID, err error) error {
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return fmt.Errorf("sweep %s: %w", id, ErrNotRunning)
	}
	return err
}

// KnowsAttributes reports whether the server has all of [SearchAttributes]. A
// workflow that sets one that is missing would be retried for ever.
//
// Where workflows are found through SQL the namespace tells, by aliases of
// columns such as Keyword01. There ListSearchAttributes, which other servers are
// asked with, leaves a connection of the server to itself open at each call (1.32.1).
func KnowsAttributes(ctx context.Context, c client.Client, namespace string) (bool, error) {
	n, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil {
		return false, fmt.Errorf("describe namespace %s: %w", namespace, err)
	}
	known := map[string]enums.IndexedValueType{}
	for column, name := range n.GetConfig().GetCustomSearchAttributeAliases() {
		if kind, err := enums.IndexedValueTypeFromString(strings.TrimRight(column, "0123456789")); err == nil {
			known[name] = kind
		}
	}
	if len(known) == 0 {
		listed, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
		if err != nil {
			return false, fmt.Errorf("list search attributes: %w", err)
		}
		known = listed.CustomAttributes
	}
	for name, kind := range SearchAttributes() {
		if known[name] != kind {
			return false, nil
		}
	}
	return true, nil
}

// Workers counts the processes that have lately asked the task queue for trials.
func Workers(ctx context.Context, c client.Client, namespace, queue string) (int, error) {
	d, err := c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: namespace, TaskQueue: &taskqueue.TaskQueue{Name: queue}, TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY,
	})
	if err != nil {
		return 0, fmt.Errorf("describe task queue %s: %w", queue, err)
	}
	return len(d.Pollers), nil
}
