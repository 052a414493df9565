package workflows

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// Start starts the sweep's workflow on the first of the queues, or finds the one
// that runs already on any of them and tells it that the record may have more
// for it. One that was cancelled and could not yet write its last words has only
// these to say: Start waits for its end first. The queues are [SweepQueue] or, of
// a process with payload keys, what [Sealed] makes of it.
func Start(ctx context.Context, c client.Client, namespace string, queues []string, in SweepInput) error {
	before, err := describe(ctx, c, in.Sweep)
	if err != nil {
		return err
	}
	switch {
	case before.open && !slices.Contains(queues, before.queue):
		if err := replaceOther(ctx, c, namespace, in.Sweep, before.queue); err != nil {
			return err
		}
	case before.open && before.ending:
		// How it ends is in the record: the new workflow is there for what is left.
		if err := Wait(ctx, c, in.Sweep); err != nil && !hasEnded(err) {
			return fmt.Errorf("wait for the cancelled run of sweep %s: %w", in.Sweep, err)
		}
	}
	options := client.StartWorkflowOptions{
		ID:                       string(in.Sweep),
		TaskQueue:                queues[0],
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

// Wait returns when the sweep's workflow has ended, whichever way. A question that
// outlived its time limit, as all do on a machine that was suspended, is asked
// again.
func Wait(ctx context.Context, c client.Client, id sweep.SweepID) error {
	for {
		err := c.GetWorkflow(ctx, string(id), "").Get(ctx, nil)
		_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
		if ctx.Err() != nil || !late && !errors.Is(err, context.DeadlineExceeded) {
			return running(id, err)
		}
	}
}

// Input is what another workflow has to know to go on with the sweep as the one
// that runs does.
func Input(ctx context.Context, c client.Client, id string) (in SweepInput, err error) {
	answer, err := c.QueryWorkflow(ctx, id, "", QueryInput)
	if err == nil {
		err = answer.Get(&in)
	}
	if err != nil {
		return in, fmt.Errorf("ask sweep %s how it runs: %w", id, err)
	}
	return in, nil
}

// Running reports whether a workflow is at work on the sweep.
func Running(ctx context.Context, c client.Client, id sweep.SweepID) (bool, error) {
	s, err := describe(ctx, c, id)
	return s.open, err
}

// A standing is how a sweep's workflow stands.
type standing struct {
	open   bool // there is one, and it has not ended
	ending bool // it was told to
	queue  string
}

func describe(ctx context.Context, c client.Client, id sweep.SweepID) (s standing, err error) {
	d, err := c.DescribeWorkflowExecution(ctx, string(id), "")
	if err = running(id, err); errors.Is(err, ErrNotRunning) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("describe sweep %s: %w", id, err)
	}
	info := d.WorkflowExecutionInfo
	return standing{info.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, d.WorkflowExtendedInfo.GetCancelRequested(), info.TaskQueue}, nil
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
		if mayNotAsk(err) {
			return false, nil
		}
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

// mayNotAsk reports whether the server keeps its operator's requests from this
// process, as one that serves many may.
func mayNotAsk(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, missing := errors.AsType[*serviceerror.Unimplemented](err)
	return denied || missing
}

// Workers counts the processes that have lately asked the task queue for trials.
func Workers(ctx context.Context, c client.Client, namespace, queue string) (int, error) {
	return pollers(ctx, c, namespace, queue, enums.TASK_QUEUE_TYPE_ACTIVITY)
}

func pollers(ctx context.Context, c client.Client, namespace, queue string, kind enums.TaskQueueType) (int, error) {
	d, err := c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: namespace, TaskQueue: &taskqueue.TaskQueue{Name: queue}, TaskQueueType: kind,
	})
	if err != nil {
		return 0, fmt.Errorf("describe task queue %s: %w", queue, err)
	}
	return len(d.Pollers), nil
}
