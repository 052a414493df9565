package workflows

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sweep"
)

// historyLimit is where a sweep's workflow drains and continues as new. The
// server ends a workflow at 51,200 events; a trial costs its sweep about nine.
const historyLimit = 1500

// SweepWorkflow runs all trials of a sweep that are not finished, a bounded
// number at a time, as child workflows. What is left to run is asked of the
// record, so trials that are added meanwhile run too, and a workflow that
// starts over does what an earlier one left.
//
// Cancelling it lets every trainer write a checkpoint and leaves the trials
// stopped. It fails only if the record cannot be reached for good.
func SweepWorkflow(ctx workflow.Context, in SweepInput) error {
	s := &sweepRun{in: in, ended: workflow.NewBufferedChannel(ctx, MaxParallel), changed: workflow.NewBufferedChannel(ctx, 1)}
	input := func() (SweepInput, error) { return s.in, nil }
	if err := errors.Join(workflow.SetQueryHandler(ctx, QueryProgress, s.progress), workflow.SetQueryHandler(ctx, QueryInput, input), s.answer(ctx)); err != nil {
		return err
	}
	stopCollecting := s.collect(ctx)
	defer stopCollecting()
	cancelled, err := s.run(ctx)
	if err != nil {
		return err
	}
	if !s.draining || cancelled {
		if err := s.finish(ctx, cancelled); err != nil || cancelled || s.in.Stopping {
			return err
		}
		// A changed file may have come while the last words were written.
		if err := settled(ctx); err != nil {
			return err
		}
		if !workflow.GetSignalChannel(ctx, SignalExtended).ReceiveAsync(nil) && !s.again {
			return nil
		}
	}
	if err := settled(ctx); err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, SweepWorkflow, s.in)
}

// settled waits until every update is answered: an answer that has begun is owed.
func settled(ctx workflow.Context) error {
	return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

// sweepRun is one run of a sweep's workflow.
type sweepRun struct {
	in       SweepInput
	queue    []sweep.Candidate // fetched and not started
	running  []sweep.Candidate
	ended    workflow.Channel // of endedTrial
	changed  workflow.Channel // an update wants to be looked at
	again    bool             // an update has made trials pending since the record was last asked
	marked   Mark             // what the record has been told
	drained  bool             // the record had nothing more when last asked
	more     bool             // but might have when a trial has ended
	draining bool             // history is long: start nothing, then continue as new

	unfit map[sweep.TrialID]bool // found no worker that has what they need, since a trial last found one
}

type endedTrial struct {
	sweep.Candidate
	final     bool // the record has its final state; otherwise this workflow must not start it again
	completed bool
	failure   sweep.Failure // "" if it was completed, or ended by a request
	reason    string
}

// run starts trials and waits for them until none is left, and reports whether
// the sweep was cancelled.
func (s *sweepRun) run(ctx workflow.Context) (cancelled bool, err error) {
	sel := workflow.NewSelector(ctx)
	s.listen(ctx, sel)
	sel.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { cancelled = true })
	if s.in.RetryFailed {
		s.in.RetryFailed = false
		if _, err := s.retryFailed(ctx); err != nil && ctx.Err() == nil {
			return false, err
		}
	}
	for {
		s.draining = s.draining || workflow.GetInfo(ctx).GetCurrentHistoryLength() > historyLimit
		if !cancelled {
			if err := errors.Join(s.protect(ctx), s.mark(ctx), s.fill(ctx)); err != nil && ctx.Err() == nil {
				return false, err
			}
			cancelled = ctx.Err() != nil
		}
		workflow.SetCurrentDetails(ctx, s.details())
		idle := len(s.running) == 0
		if idle && (cancelled || s.draining || s.in.Stopping || (s.drained && len(s.queue) == 0 && !s.in.Paused)) {
			for !cancelled && sel.HasPending() {
				sel.Select(ctx) // what was asked for meanwhile goes into the next run
			}
			return cancelled, nil
		}
		if cancelled {
			s.forget(receive(ctx, s.ended)) // Done stays ready: only ended trials count now
			continue
		}
		sel.Select(ctx)
	}
}

func receive(ctx workflow.Context, ch workflow.Channel) endedTrial {
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	var e endedTrial
	ch.Receive(disconnected, &e)
	return e
}

// listen has sel handle signals and ended trials.
func (s *sweepRun) listen(ctx workflow.Context, sel workflow.Selector) {
	on := func(name string, do func()) {
		sel.AddReceive(workflow.GetSignalChannel(ctx, name), func(ch workflow.ReceiveChannel, _ bool) {
			ch.Receive(ctx, nil)
			do()
		})
	}
	on(SignalPause, func() { s.in.Paused = true })
	on(SignalResume, s.resumed)
	on(SignalStop, func() { s.in.Stopping = true })
	on(SignalExtended, func() { s.drained, s.queue = false, nil }) // what was fetched may be asked for no more
	sel.AddReceive(s.changed, func(ch workflow.ReceiveChannel, _ bool) { ch.Receive(ctx, nil) })
	sel.AddReceive(s.ended, func(ch workflow.ReceiveChannel, _ bool) {
		var e endedTrial
		ch.Receive(ctx, &e)
		s.forget(e)
	})
}

// forget takes an ended trial off the list of running ones.
func (s *sweepRun) forget(e endedTrial) {
	s.running = slices.DeleteFunc(s.running, func(c sweep.Candidate) bool { return c.Trial == e.Trial })
	if e.failure != sweep.Unfit {
		s.in.Ended++
	}
	s.drained = s.drained && !s.more
	s.in.Streak.follow(e)
	s.lacks(e)
	if !e.final && e.failure != sweep.Unfit {
		s.in.Skip = append(s.in.Skip, e.Trial)
	}
	if e.failure == budgetType { // the others, in the order of the grid, would be refused like it
		s.in.Stopping, s.in.Cause, s.in.Reason = true, sweep.CauseBudget, e.reason
	}
}

// mark tells the record what the sweep is doing, when that has changed.
func (s *sweepRun) mark(ctx workflow.Context) error {
	state := "running"
	switch {
	case s.in.Stopping:
		state = "stopping"
	case s.in.Paused:
		state = "paused"
	}
	mark := Mark{State: state, Cause: s.in.Cause, Reason: s.in.Reason}
	if mark == s.marked {
		return nil
	}
	s.marked = mark
	var r *RecordActivities
	return workflow.ExecuteActivity(recordContext(ctx, s.in.ResultsQueue), r.Mark, s.in.Sweep, mark).Get(ctx, nil)
}

// fill starts trials until the window is full or nothing is left.
func (s *sweepRun) fill(ctx workflow.Context) error {
	for len(s.running) < s.in.Parallel+s.in.Ahead && !s.in.Paused && !s.in.Stopping && !s.draining {
		if len(s.queue) == 0 {
			if s.drained {
				return nil
			}
			if err := s.fetch(ctx); err != nil {
				return err
			}
			continue
		}
		next := s.queue[0]
		s.queue = s.queue[1:]
		s.running = append(s.running, next)
		workflow.Go(ctx, func(ctx workflow.Context) { s.ended.Send(ctx, s.trial(ctx, next)) })
	}
	return nil
}

// fetch asks the record for trials that neither run nor ended here.
func (s *sweepRun) fetch(ctx workflow.Context) error {
	skip := slices.Clone(s.in.Skip)
	for _, c := range s.running {
		skip = append(skip, c.Trial)
	}
	var r *RecordActivities
	var b Batch
	want := Want{Sweep: s.in.Sweep, Limit: max(2*s.in.Parallel, 50), Free: s.in.Parallel + s.in.Ahead - len(s.running), Skip: skip}
	err := workflow.ExecuteActivity(recordContext(ctx, s.in.ResultsQueue), r.Next, want).Get(ctx, &b)
	s.queue, s.more, s.drained, s.again = b.Trials, b.More, len(b.Trials) == 0, false
	return err
}

// trial runs one trial's workflow to its end. If the workflow of an earlier run
// still holds the name, it waits for that one to go.
func (s *sweepRun) trial(ctx workflow.Context, c sweep.Candidate) endedTrial {
	in := TrialInput{
		Sweep: s.in.Sweep, Candidate: c, ResultsQueue: s.in.ResultsQueue, TrainQueue: s.in.TrainQueue,
		Priority: s.in.Priority, Attributes: s.in.Attributes, Private: s.in.Private, Spool: s.in.Spool, Settings: s.in.Settings,
	}
	for {
		ctx := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID:            in.WorkflowID(),
			StaticSummary:         c.Label,
			ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
			WaitForCancellation:   true,
			TypedSearchAttributes: trialAttributes(in),
			Priority:              priority(in.Priority, in.Sweep),
		})
		err := workflow.ExecuteChildWorkflow(ctx, TrialWorkflow, in).Get(ctx, nil)
		if temporal.IsWorkflowExecutionAlreadyStartedError(err) && workflow.Sleep(ctx, 5*time.Second) == nil {
			continue
		}
		e := endedTrial{Candidate: c, completed: err == nil}
		if err != nil && !temporal.IsCanceledError(err) {
			e.failure, e.reason = sweep.Failure(failureType(err)), reason(err)
		}
		e.final = err == nil || e.failure != "" && e.failure != budgetType && e.failure != sweep.Unfit
		return e
	}
}

// collect starts the activity that takes running trials' reports over into the
// record, and returns what ends it.
func (s *sweepRun) collect(ctx workflow.Context) (stop func()) {
	ctx, stop = workflow.WithCancel(ctx)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           s.in.ResultsQueue,
		StartToCloseTimeout: 10 * 365 * 24 * time.Hour, // as long as the sweep runs
		HeartbeatTimeout:    30 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 30 * time.Second},
		Summary:             "take reports over into the record",
	})
	var r *RecordActivities
	workflow.ExecuteActivity(ctx, r.Collect, s.in.Sweep)
	return stop
}

// finish leaves the sweep's final state in the record, also after a cancellation.
func (s *sweepRun) finish(ctx workflow.Context, cancelled bool) error {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	var r *RecordActivities
	end := SweepEnd{Sweep: s.in.Sweep, Cancelled: cancelled, Stopped: s.in.Stopping}
	return workflow.ExecuteActivity(recordContext(ctx, s.in.ResultsQueue), r.Finish, end).Get(ctx, nil)
}

func (s *sweepRun) progress() (Progress, error) {
	return Progress{
		Running: s.running, Ended: s.in.Ended, Paused: s.in.Paused, Stopping: s.in.Stopping, Reason: s.in.Reason, Parallel: s.in.Parallel,
	}, nil
}

// details is what the Temporal UI shows at the head of the sweep's page.
func (s *sweepRun) details() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(len(s.running)) + " running, " + strconv.Itoa(s.in.Ended) + " ended")
	switch {
	case s.in.Stopping:
		b.WriteString(", stopping")
	case s.in.Paused:
		b.WriteString(", paused")
	}
	if s.in.Reason != "" {
		b.WriteString("\n\n" + s.in.Reason)
	}
	b.WriteString("\n\n| running trial | |\n|---|---|\n")
	for _, c := range s.running[:min(len(s.running), 50)] {
		b.WriteString("| " + string(c.Trial) + " | " + c.Label + " |\n")
	}
	return b.String()
}

// priority keeps sweeps from starving each other where the server is fair.
func priority(key int, id sweep.SweepID) temporal.Priority {
	return temporal.Priority{PriorityKey: key, FairnessKey: fairnessKey(id)}
}

// fairnessKey is id within the 64 bytes that the server allows, cut where it
// differs least between sweeps of a name: its digest stands at the end.
func fairnessKey(id sweep.SweepID) string { return string(id[max(0, len(id)-64):]) }

// recordContext is for activities that touch the record. They are short, and
// wait as long as it takes for a record that is locked, full or not there yet.
func recordContext(ctx workflow.Context, queue string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: time.Minute,
		WaitForCancellation: true, // what has been written must be known
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, MaximumInterval: 30 * time.Second},
	})
}
