package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sweep"
)

// maxLost bounds how often a trial is tried again after its worker was lost,
// which is no fault of the trial.
const maxLost = 100

// maxUnfit bounds how often a trial is given to workers that lack what it needs,
// one after another, before its sweep is asked whether there are others. With the
// waits between them that takes half a minute.
const maxUnfit = 6

// TrialWorkflow runs one trial: it claims an attempt in the record, has a worker
// train, and has the outcome recorded, again and again until the trial has its
// final state. Each attempt is a row of the record. A trial that cannot be
// completed ends this workflow as failed, with the last attempt's reason.
func TrialWorkflow(ctx workflow.Context, in TrialInput) error {
	t := &trialRun{in: in, shown: sweep.Running}
	t.watch(ctx)
	for {
		claim, err := t.begin(ctx)
		if err != nil {
			return err
		}
		switch claim.State {
		case sweep.Completed:
			t.show(ctx, sweep.Completed)
			return nil
		case sweep.Failed:
			return temporal.NewNonRetryableApplicationError("trial has failed before", string(sweep.Failed), nil)
		case sweep.Stopped:
			return nil // its sweep does not ask for it any more
		}
		if claim.Denied != "" {
			return temporal.NewNonRetryableApplicationError(claim.Denied, budgetType, nil)
		}
		again, err := t.attempt(ctx, claim)
		if err != nil || !again {
			return err
		}
	}
}

// trialRun is one run of a trial's workflow.
type trialRun struct {
	in       TrialInput
	lost     int // attempts whose worker was lost
	unfit    int // attempts in a row whose worker lacked something
	accuracy float64
	shown    sweep.State // by the search attributes
}

// begin claims the trial's next attempt. It waits while another sweep is at the
// same trial, whose outcome will serve both, and while the privacy budget has
// room only if others do not need what they have reserved.
func (t *trialRun) begin(ctx workflow.Context) (sweep.Claim, error) {
	var r *RecordActivities
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		var claim sweep.Claim
		err := workflow.ExecuteActivity(recordContext(ctx, t.in.ResultsQueue), r.Begin, t.in.Sweep, t.in.Candidate.Trial).Get(ctx, &claim)
		if err != nil || claim.Busy == "" && claim.Wait == "" {
			return claim, err
		}
		why := "waiting for what others have reserved: " + claim.Wait
		if claim.Busy != "" {
			why = fmt.Sprintf("waiting for sweep %s, which is running this very trial; once nothing runs that sweep any more, this one takes the trial over", claim.Busy)
		}
		workflow.SetCurrentDetails(ctx, why)
		if err := workflow.Sleep(ctx, wait); err != nil {
			return claim, err
		}
	}
}

// attempt trains and records. It reports whether the trial is to be tried again.
func (t *trialRun) attempt(ctx workflow.Context, claim sweep.Claim) (again bool, err error) {
	ref := sweep.AttemptRef{Sweep: t.in.Sweep, Trial: t.in.Candidate.Trial, Number: claim.Attempt}
	t.show(ctx, sweep.Running)
	done, err := t.train(ctx, ref, claim)
	if err == nil {
		err = t.record(ctx, ref)
	}
	if err == nil {
		t.accuracy = done.Accuracy
		t.show(ctx, sweep.Completed)
		return false, nil
	}
	if failureType(err) == fencedType {
		return true, nil // somebody took the trial over: Begin will say who
	}
	return t.failed(ctx, ref, claim, err)
}

// failed records how an attempt ended and waits before the next one, if any.
func (t *trialRun) failed(ctx workflow.Context, ref sweep.AttemptRef, claim sweep.Claim, cause error) (again bool, err error) {
	kind := classify(cause)
	if kind == sweep.Cancelled && ctx.Err() == nil {
		kind = sweep.Lost // ended together with another sweep of the same process
	}
	end := sweep.Ending{Failure: kind, Reason: reason(cause), Next: sweep.Pending, Dead: failureType(cause) == workerLostType}
	wait := time.Second
	if kind != sweep.Unfit {
		t.unfit = 0
	}
	switch kind {
	case sweep.Cancelled:
		end.Next = sweep.Stopped
	case sweep.Refused, sweep.Diverged, sweep.NoWinner:
		end.Next = sweep.Failed
	case sweep.NoMemory: // its next attempt has half the microbatch, and there is one
		if claim.NoMemory > 0 {
			end.Next = sweep.Failed
		}
	case sweep.Lost:
		wait <<= min(t.lost, 3) // a disk that is full stays full for a while
		if t.lost++; t.lost > maxLost {
			end.Next = sweep.Failed
		}
	case sweep.Unfit:
		wait <<= t.unfit
		t.unfit++
	default:
		wait <<= min(claim.Failures, 6)
		if claim.Failures >= t.in.Settings.Retries {
			end.Next = sweep.Failed
		}
	}
	if err := t.end(ctx, ref, end); err != nil && failureType(err) != fencedType {
		return false, err
	}
	switch end.Next {
	case sweep.Stopped:
		return false, temporal.NewCanceledError()
	case sweep.Failed:
		return false, temporal.NewNonRetryableApplicationError(end.Reason, string(kind), nil)
	}
	if t.unfit == maxUnfit {
		return false, temporal.NewNonRetryableApplicationError(end.Reason, string(sweep.Unfit), nil)
	}
	return true, workflow.Sleep(ctx, wait)
}

// train has a worker with free devices run the attempt. Retries are this
// workflow's, so that each is a row of the record.
func (t *trialRun) train(ctx workflow.Context, ref sweep.AttemptRef, c sweep.Claim) (TrainDone, error) {
	limit := t.in.Settings.TrialTimeout
	if limit == 0 || c.Selection != nil { // which holds each of its trials to the limit
		limit = 10 * 365 * 24 * time.Hour // the server wants a limit
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           t.in.TrainQueue,
		StartToCloseTimeout: limit,
		HeartbeatTimeout:    t.in.Settings.lostAfter(),
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:             t.in.Candidate.Label,
		Priority:            priority(t.in.Priority, t.in.Sweep),
	})
	var w *TrainActivities
	var done TrainDone
	err := workflow.ExecuteActivity(ctx, w.Train, TrainInput{
		Ref: ref, Params: c.Params, From: c.Checkpoints, Stream: c.Stream, Spool: t.in.Spool, Settings: t.in.Settings,
		Halve:     c.NoMemory > 0,
		Selection: c.Selection,
	}).Get(ctx, &done)
	return done, err
}

// record has the outcome recorded even if the trial is cancelled meanwhile: it
// is trained, and must not be trained again.
func (t *trialRun) record(ctx workflow.Context, ref sweep.AttemptRef) error {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	var r *RecordActivities
	return workflow.ExecuteActivity(recordContext(ctx, t.in.ResultsQueue), r.Record, ref).Get(ctx, nil)
}

func (t *trialRun) end(ctx workflow.Context, ref sweep.AttemptRef, e sweep.Ending) error {
	ctx, stop := workflow.NewDisconnectedContext(ctx)
	defer stop()
	t.show(ctx, e.Next)
	var r *RecordActivities
	return workflow.ExecuteActivity(recordContext(ctx, t.in.ResultsQueue), r.End, ref, e).Get(ctx, nil)
}

// watch shows evaluations on the trial's page as its attempt sends them.
func (t *trialRun) watch(ctx workflow.Context) {
	signals := workflow.GetSignalChannel(ctx, SignalEvaluated)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var b Beat
			signals.Receive(ctx, &b)
			t.accuracy = b.Accuracy
			workflow.SetCurrentDetails(ctx, fmt.Sprintf("step %d of %d, accuracy %.2f %%", b.Step, b.Steps, 100*b.Accuracy))
			t.show(ctx, sweep.Running)
		}
	})
}

// show updates the search attributes, where the server knows them and they are
// not as they are to be.
func (t *trialRun) show(ctx workflow.Context, state sweep.State) {
	if !t.in.Attributes || t.shown == state && t.accuracy == 0 {
		return
	}
	t.shown = state
	updates := []temporal.SearchAttributeUpdate{attrState.ValueSet(string(state))}
	if t.accuracy > 0 {
		updates = append(updates, attrAccuracy.ValueSet(t.accuracy))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not updated", "trial", t.in.Candidate.Trial, "error", err)
	}
}

// trialAttributes are those a trial's workflow starts with.
func trialAttributes(in TrialInput) temporal.SearchAttributes {
	if !in.Attributes {
		return temporal.SearchAttributes{}
	}
	c := in.Candidate
	set := []temporal.SearchAttributeUpdate{
		attrSweep.ValueSet(string(in.Sweep)), attrTrial.ValueSet(string(c.Trial)), attrState.ValueSet(string(sweep.Running)),
		attrModel.ValueSet(c.Model), attrData.ValueSet(c.Data),
	}
	if c.Epsilon > 0 {
		set = append(set, attrEpsilon.ValueSet(c.Epsilon))
	}
	return temporal.NewSearchAttributes(set...)
}

// SweepAttributes are those a sweep's workflow starts with.
func SweepAttributes(id sweep.SweepID) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(attrSweep.ValueSet(string(id)), attrState.ValueSet(string(sweep.Running)))
}

// classify says which kind of failure err is.
func classify(err error) sweep.Failure {
	if temporal.IsCanceledError(err) {
		return sweep.Cancelled
	}
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		if timeout.TimeoutType().String() == "StartToClose" {
			return sweep.TimedOut
		}
		return sweep.Lost // no heartbeat: the worker is gone, or cut off
	}
	switch t := failureType(err); t {
	case workerLostType, noOutcomeType:
		return sweep.Lost
	case "":
		return sweep.Crashed
	default:
		return sweep.Failure(t)
	}
}

// failureType is the type of the application error in err, "" if there is none.
func failureType(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Type()
	}
	return ""
}

// reason is err for people: the innermost message without Temporal's wrapping.
func reason(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return fmt.Sprintf("no word from the worker in time (%s)", timeout.TimeoutType())
	}
	return err.Error()
}
