package workflows

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"sweep"
	"sweep/workflows/spool"
)

// Types of application errors between activities and workflows, besides the
// values of [sweep.Failure].
const (
	fencedType     = "fenced"
	noOutcomeType  = "no-outcome"
	budgetType     = "budget"     // the privacy budget has no room for the trial
	workerLostType = "WorkerLost" // what devserver.Reap reports for a dead worker's attempts
)

// record is the part of results.Store that running a sweep needs.
type record interface {
	Next(ctx context.Context, id sweep.SweepID, limit int, skip []sweep.TrialID) ([]sweep.Candidate, error)
	Begin(ctx context.Context, id sweep.SweepID, trial sweep.TrialID) (sweep.Claim, error)
	RunningAttempts(ctx context.Context, id sweep.SweepID) ([]sweep.AttemptRef, error)
	OpenAttempts(ctx context.Context, trial sweep.TrialID) ([]sweep.AttemptRef, error)
	Recorded(ctx context.Context, ref sweep.AttemptRef) (bool, error)
	Offset(ctx context.Context, ref sweep.AttemptRef) (int64, error)
	Collect(ctx context.Context, ref sweep.AttemptRef, r sweep.Reading) error
	Record(ctx context.Context, ref sweep.AttemptRef, o sweep.Outcome) error
	RecordWin(ctx context.Context, ref sweep.AttemptRef, w sweep.Win) error
	EndAttempt(ctx context.Context, ref sweep.AttemptRef, e sweep.Ending) error
	CheckpointStores(ctx context.Context, trial sweep.TrialID) ([]string, error)
	Final(ctx context.Context, trial sweep.TrialID) (bool, error)
	MarkSweep(ctx context.Context, id sweep.SweepID, state string) error
	ExplainSweep(ctx context.Context, id sweep.SweepID, cause, reason string) error
	Retry(ctx context.Context, id sweep.SweepID) (int, error)
	FinishSweep(ctx context.Context, id sweep.SweepID, interrupted bool) error
}

// ErrBadFile marks a submission that no retry can help.
var ErrBadFile = errors.New("sweep file is not accepted")

// RecordActivities write the record. They run in the one process that holds it.
type RecordActivities struct {
	Results record
	Spool   spool.Folder
	// EnterFile parses a sweep file and adds its trials. An error that a
	// changed file could mend wraps [ErrBadFile].
	EnterFile func(context.Context, Submission) (Entered, error)
	// Suggest has the sweep's strategy add about n trials to the record, if it
	// has one. It reports whether more may follow when others have ended.
	Suggest func(ctx context.Context, id sweep.SweepID, n int) (more bool, err error)
	// Runs reports whether a workflow is at work on a sweep; nil means that one
	// always is.
	Runs func(context.Context, sweep.SweepID) (bool, error)
	// Room makes this process train up to so many trials at once, if it trains
	// and may, and says how many it does; nil means that nobody knows.
	Room  func(trials int) (atOnce int)
	Every time.Duration // between two looks at running attempts' reports; 0 is a second
}

// SweepEnd is how a sweep's workflow ended.
type SweepEnd struct {
	Sweep              sweep.SweepID
	Cancelled, Stopped bool
}

// A Want is what a sweep's workflow asks the record for.
type Want struct {
	Sweep sweep.SweepID
	Limit int             // most trials to return
	Free  int             // trials that could run at once: a strategy is asked for no more
	Skip  []sweep.TrialID // that run, or have ended here
}

// A Batch is the answer to a [Want].
type Batch struct {
	Trials []sweep.Candidate
	More   bool // others may follow when a trial has ended
}

// Next returns trials of the sweep that are to be run, in the grid's order. If
// there are not enough for what is free, the sweep's strategy is asked for more.
func (a *RecordActivities) Next(ctx context.Context, w Want) (b Batch, err error) {
	if b.Trials, err = a.Results.Next(ctx, w.Sweep, w.Limit, w.Skip); err != nil {
		return b, permanent(err)
	}
	missing := w.Free - len(b.Trials)
	if a.Suggest == nil || missing <= 0 {
		b.More = a.Suggest != nil
		return b, nil
	}
	if b.More, err = a.Suggest(ctx, w.Sweep, missing); err != nil {
		return b, permanent(err)
	}
	b.Trials, err = a.Results.Next(ctx, w.Sweep, w.Limit, w.Skip)
	return b, permanent(err)
}

// Begin claims the trial's next attempt. What an earlier one reported before it
// was lost is taken over first: once the trial is claimed, it is too late, and
// steps that were noised would not be charged.
func (a *RecordActivities) Begin(ctx context.Context, id sweep.SweepID, trial sweep.TrialID) (sweep.Claim, error) {
	refs, err := a.Results.OpenAttempts(ctx, trial)
	if err != nil {
		return sweep.Claim{}, permanent(err)
	}
	for _, ref := range refs {
		if err := a.salvage(ctx, ref); err != nil && !errors.Is(err, sweep.ErrFenced) {
			return sweep.Claim{}, permanent(err)
		}
	}
	claim, err := a.Results.Begin(ctx, id, trial)
	if err == nil && claim.Busy != "" {
		if freed, freeErr := a.free(ctx, claim.Busy, refs); freeErr != nil || freed {
			claim, err = sweep.Claim{}, freeErr
			if freed {
				claim, err = a.Results.Begin(ctx, id, trial)
			}
		}
	}
	return claim, permanent(err)
}

// ownerTimeout is how long the report of an attempt must stand still until it is
// taken from a sweep that nothing runs. Its trainer may be compiling.
const ownerTimeout = time.Minute

// free ends the attempt of another sweep that no workflow is at work on any more,
// so that nobody waits for it for ever, and reports whether it did. An attempt
// that has reported within [ownerTimeout] is left alone: its worker may be on
// its way out.
func (a *RecordActivities) free(ctx context.Context, owner sweep.SweepID, refs []sweep.AttemptRef) (bool, error) {
	at := slices.IndexFunc(refs, func(r sweep.AttemptRef) bool { return r.Sweep == owner })
	if a.Runs == nil || at < 0 {
		return false, nil
	}
	if runs, err := a.Runs(ctx, owner); err != nil || runs {
		return false, err
	}
	silence, err := a.Spool.Silence(refs[at])
	if err != nil || silence < ownerTimeout {
		return false, err
	}
	err = a.Results.EndAttempt(ctx, refs[at], sweep.Ending{Failure: sweep.Lost, Reason: "its sweep is run by nothing any more", Next: sweep.Pending})
	if errors.Is(err, sweep.ErrFenced) || errors.Is(err, sweep.ErrConflict) {
		err = nil // it has ended in the meantime
	}
	return err == nil, err
}

// Retry makes the sweep's failed trials pending again, and says how many there were.
func (a *RecordActivities) Retry(ctx context.Context, id sweep.SweepID) (int, error) {
	n, err := a.Results.Retry(ctx, id)
	return n, permanent(err)
}

// MakeRoom has this process train up to so many trials at once, and says how many
// it does.
func (a *RecordActivities) MakeRoom(_ context.Context, trials int) (int, error) {
	if a.Room == nil {
		return 0, nil
	}
	return a.Room(trials), nil
}

// Record takes over what is left of the attempt's report and its outcome, then
// clears the trial's folder, noise key and all.
func (a *RecordActivities) Record(ctx context.Context, ref sweep.AttemptRef) error {
	win, decided, err := a.Spool.Win(ref.Trial)
	if err != nil {
		return err
	}
	if decided && win != nil {
		return a.recordWin(ctx, ref, *win)
	}
	outcome, err := a.Spool.Outcome(ref)
	if errors.Is(err, spool.ErrNoOutcome) {
		if done, err := a.Results.Recorded(ctx, ref); err != nil || done {
			return errors.Join(err, a.forget(ctx, ref.Trial)) // an earlier call got as far as clearing up
		}
	}
	if err != nil {
		return permanent(err)
	}
	if err := a.takeOver(ctx, ref); err != nil {
		return permanent(err)
	}
	if err := a.Results.Record(ctx, ref, outcome); err != nil {
		return permanent(err)
	}
	if err := errors.Join(a.Spool.MarkRecorded(ref.Trial), a.forget(ctx, ref.Trial)); err != nil {
		return err
	}
	return a.Spool.Recorded(ref)
}

// recordWin is Record of a private selection.
func (a *RecordActivities) recordWin(ctx context.Context, ref sweep.AttemptRef, win sweep.Win) error {
	if err := a.takeOver(ctx, ref); err != nil {
		return permanent(err)
	}
	if err := a.Results.RecordWin(ctx, ref, win); err != nil {
		return permanent(err)
	}
	if err := errors.Join(a.Spool.MarkRecorded(ref.Trial), a.forget(ctx, ref.Trial)); err != nil {
		return err
	}
	return a.Spool.Released(ref, win.Params.ID())
}

// forget removes the trial's checkpoints, and with them its noise key, from
// every store that has some.
func (a *RecordActivities) forget(ctx context.Context, trial sweep.TrialID) error {
	stores, err := a.Results.CheckpointStores(ctx, trial)
	if err != nil {
		return err
	}
	for _, address := range append(stores, "") { // one that was never announced is in the trials' folder
		store, opened := openStore(ctx, address, a.Spool)
		if opened == nil {
			opened = errors.Join(store.Forget(ctx, trial), store.Close())
		}
		err = errors.Join(err, opened)
	}
	return errors.Join(err, a.Spool.Forget(trial))
}

// Tidy clears away what a killed process has left of trials that have their
// final state: otherwise nobody would come by again. It is called before the
// record is served.
func (a *RecordActivities) Tidy(ctx context.Context) error {
	left, err := a.Spool.Leftovers()
	if err != nil {
		return err
	}
	var all error
	for _, trial := range left {
		final, err := a.Results.Final(ctx, trial)
		if err != nil {
			return err
		}
		undecided, err := a.Spool.Undecided(trial)
		if err != nil {
			return err
		}
		if !final || undecided {
			continue
		}
		if err := a.forget(ctx, trial); err != nil {
			all = errors.Join(all, err) // and the trial's folder stays, so that this is tried again
			continue
		}
		if err := a.Spool.Tidy(trial); err != nil {
			return err
		}
	}
	return all
}

// salvage takes over what an attempt has left that its worker told nobody of: its
// report and, if it got so far while the server was away, its outcome. One that
// the record refuses is nothing to keep.
func (a *RecordActivities) salvage(ctx context.Context, ref sweep.AttemptRef) error {
	if err := a.takeOver(ctx, ref); err != nil {
		return err
	}
	if _, err := a.Spool.Outcome(ref); errors.Is(err, spool.ErrNoOutcome) {
		return nil
	}
	err := a.Record(ctx, ref)
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && app.NonRetryable() {
		return nil
	}
	return err
}

// End records that the attempt ended without an outcome. One that was lost, and
// has left an outcome, has completed the trial.
func (a *RecordActivities) End(ctx context.Context, ref sweep.AttemptRef, e sweep.Ending) error {
	take := a.takeOver
	if e.Failure == sweep.Lost {
		take = a.salvage
	}
	if err := take(ctx, ref); err != nil && !errors.Is(err, sweep.ErrFenced) {
		return permanent(err)
	}
	if done, err := a.Results.Recorded(ctx, ref); err != nil || done {
		return permanent(err)
	}
	var err error
	if e.LogTail, err = a.Spool.LogTail(ref); err != nil {
		return err
	}
	if err := a.Results.EndAttempt(ctx, ref, e); err != nil || e.Next != sweep.Failed {
		return permanent(err)
	}
	return a.forget(ctx, ref.Trial)
}

// A Mark is what a sweep is doing: "running", "paused" or "stopping", and why if
// nobody asked for it.
type Mark struct{ State, Cause, Reason string }

// Mark notes in the record what the sweep is doing.
func (a *RecordActivities) Mark(ctx context.Context, id sweep.SweepID, m Mark) error {
	err := a.Results.MarkSweep(ctx, id, m.State)
	if err == nil && m.Cause != "" {
		err = a.Results.ExplainSweep(ctx, id, m.Cause, m.Reason)
	}
	return permanent(err)
}

// Finish leaves the sweep's final state in the record.
func (a *RecordActivities) Finish(ctx context.Context, end SweepEnd) error {
	return permanent(a.Results.FinishSweep(ctx, end.Sweep, end.Cancelled || end.Stopped))
}

// Collect takes running attempts' reports over into the record until its
// context ends. It is an activity as long as the sweep.
func (a *RecordActivities) Collect(ctx context.Context, id sweep.SweepID) error {
	every := a.Every
	if every == 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := a.collectOnce(ctx, id); err != nil && ctx.Err() == nil {
			return permanent(err)
		}
		activity.RecordHeartbeat(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-activity.GetWorkerStopChannel(ctx):
			return errors.New("the results worker is shutting down") // retried by the next one
		}
	}
}

func (a *RecordActivities) collectOnce(ctx context.Context, id sweep.SweepID) error {
	refs, err := a.Results.RunningAttempts(ctx, id)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if err := a.takeOver(ctx, ref); err != nil && !errors.Is(err, sweep.ErrFenced) {
			return err
		}
	}
	return nil
}

// takeOver copies what the attempt has reported since last time into the record.
func (a *RecordActivities) takeOver(ctx context.Context, ref sweep.AttemptRef) error {
	from, err := a.Results.Offset(ctx, ref)
	if err != nil {
		return err
	}
	for {
		r, err := a.Spool.Read(ref, from)
		if err != nil || r.Offset == from {
			return err
		}
		if err := a.Results.Collect(ctx, ref, r); err != nil {
			return err
		}
		from = r.Offset
	}
}

// permanent marks errors that no retry can help, so that Temporal stops trying.
func permanent(err error) error {
	kind := ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sweep.ErrFenced):
		kind = fencedType
	case errors.Is(err, spool.ErrNoOutcome):
		kind = noOutcomeType
	case errors.Is(err, ErrBadFile):
		kind = "file"
	case errors.Is(err, sweep.ErrNotFound), errors.Is(err, sweep.ErrConflict):
		kind = "record"
	default:
		return err
	}
	return temporal.NewNonRetryableApplicationError(err.Error(), kind, err)
}
