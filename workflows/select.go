package workflows

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"sweep"
	"sweep/trainerplugin"
	"sweep/workflows/spool"
)

// errNoWinner says that a private selection is decided and has no winner. Whether
// it drew no trial, which a Poisson number allows, or all failed, it does not say.
var errNoWinner = errors.New("no trial of the private selection came to a result")

// selectBest runs a private selection: all trials of its draw, of which only the
// best leaves this function, and that in the spool. How many there are, which,
// and what they come to is under seal (see [spool.Vault]); nothing of it goes
// into a report, a log, a heartbeat or an error, so that the record, Temporal's
// histories and whoever watches see one attempt that lasts until it is decided.
//
// An attempt that dies leaves the draw, the trials that have ended and the
// checkpoints of the others; the next one goes on with them. A trial that fails
// for good counts as worse than any result: to draw another in its place would
// make the draw depend on what the data did to the first.
func (a *TrainActivities) selectBest(ctx context.Context, in TrainInput) (done TrainDone, err error) {
	report, err := in.Spool.Create(in.Ref, a.Worker)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, report.Close()) }()
	_, decided, err := in.Spool.Win(in.Ref.Trial)
	if err == nil && !decided {
		err = a.decide(ctx, in, report)
	}
	if err != nil {
		return done, errors.Join(err, a.leave(in))
	}
	if err := in.Spool.Destroy(in.Ref.Trial); err != nil { // an attempt may have died over it
		return done, err
	}
	win, _, err := in.Spool.Win(in.Ref.Trial)
	if err == nil && win == nil {
		err = errNoWinner
	}
	if err == nil {
		done = TrainDone{win.Outcome.Steps, win.Outcome.Accuracy}
	}
	return done, err
}

// leave removes what an attempt that was believed dead may have written after its
// selection was decided.
func (a *TrainActivities) leave(in TrainInput) error {
	_, decided, err := in.Spool.Win(in.Ref.Trial)
	if err == nil && (decided || in.Spool.IsRecorded(in.Ref.Trial)) {
		err = in.Spool.Destroy(in.Ref.Trial)
	}
	return err
}

// decide runs what is drawn and leaves the best of it.
func (a *TrainActivities) decide(ctx context.Context, in TrainInput, report *spool.Report) error {
	if err := a.try(ctx, in); err != nil {
		return err
	}
	vault, err := a.vault(in)
	if err != nil {
		return err
	}
	if err := report.Append(trainerplugin.Started{NoiseID: vault.Name()}); err != nil {
		return err
	}
	if err := a.runAll(ctx, in, vault); err != nil {
		return err
	}
	win, err := best(vault)
	if err != nil {
		return err
	}
	return in.Spool.Decide(in.Ref, win)
}

// try asks the trainer whether the trial that stands for the selection could run.
// That one is no secret, so what is wrong with the set-up can be told in full.
func (a *TrainActivities) try(ctx context.Context, in TrainInput) (err error) {
	place := &seat{devices: a.Devices, need: in.Settings.GPUs}
	defer a.Devices.invite()()
	defer place.end()
	if err := place.early(ctx); err != nil {
		return err
	}
	j := a.job(in, place.names)
	if j.Dir, err = os.MkdirTemp(in.Spool.Trial(in.Ref.Trial), "attempt-try-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(j.Dir)) }()
	log, err := in.Spool.CreateLog(in.Ref)
	if err != nil {
		return err
	}
	defer log.Close()
	t, err := a.Launch(ctx, in.Settings.Trainer, j, log)
	if err != nil {
		return err
	}
	_, err = t.Check(ctx, j)
	return errors.Join(err, t.Close())
}

// vault opens the selection's draw, which is made when nobody has heard of one.
func (a *TrainActivities) vault(in TrainInput) (*spool.Vault, error) {
	if in.Stream == "" {
		return in.Spool.CreateVault(in.Ref.Trial, func() ([]spool.Drawn, error) { return a.Draw(*in.Selection) })
	}
	v, err := in.Spool.OpenVault(in.Ref.Trial)
	if err == nil && v.Name() != in.Stream {
		err = fmt.Errorf("%w: another draw is in its place", spool.ErrNoDraw)
	}
	if errors.Is(err, spool.ErrNoDraw) {
		err = fmt.Errorf("%w: its trials were drawn, and the draw is lost with the folder that held it (%w); to draw again would be a second selection, which is a sweep of its own name", trainerplugin.ErrRefused, err)
	}
	return v, err
}

// runAll has every drawn trial end, some of them side by side.
func (a *TrainActivities) runAll(ctx context.Context, in TrainInput, vault *spool.Vault) error {
	a.Devices.stepAside()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan spool.Drawn)
	var all sync.WaitGroup
	var mu sync.Mutex
	var first error
	for range max(1, in.Settings.AtOnce) {
		all.Go(func() {
			for d := range next {
				if err := a.runDrawn(ctx, in, vault, d); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
					cancel(context.Cause(ctx))
					return
				}
			}
		})
	}
	for _, d := range vault.Drawn() {
		select {
		case next <- d:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	if first == nil && ctx.Err() != nil {
		first = context.Cause(ctx)
	}
	return first
}

// runDrawn runs one drawn trial until it has ended, and seals how. An error says
// that it has not, through no doing of the trial's.
func (a *TrainActivities) runDrawn(ctx context.Context, in TrainInput, vault *spool.Vault, d spool.Drawn) error {
	id := d.Params.ID()
	halve := false
	for failures := 0; ; failures++ {
		if _, ended, err := vault.Ended(id); err != nil || ended {
			return err
		}
		err := a.drawnAttempt(ctx, in, vault, d, halve)
		if err == nil {
			continue
		}
		if other := elsewhere(ctx, err); other != nil {
			return other
		}
		noMemory := errors.Is(err, trainerplugin.ErrOutOfMemory)
		hopeless := errors.Is(err, trainerplugin.ErrRefused) || errors.Is(err, trainerplugin.ErrDiverged) || noMemory && halve
		if noMemory && !halve { // tried once more with half the microbatch, whatever retries there are
			halve, failures = true, failures-1
			continue
		}
		if hopeless || failures >= in.Settings.Retries {
			if !hopeless { // or is it the machine?
				if err := a.try(ctx, in); err != nil {
					return err
				}
			}
			return vault.Close(id, spool.End{})
		}
		select {
		case <-time.After(time.Second << min(failures, 6)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// elsewhere is what has ended an attempt that is no fault of its trial, nil if it
// is one. It takes nothing over from the words of err, which are the trainer's.
func elsewhere(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, other := range append([]error{sweep.ErrFenced, ErrKilled, errCutOff, ErrUnfit}, diskTroubles...) {
		if errors.Is(err, other) {
			return fmt.Errorf("a trial of the private selection: %w", other)
		}
	}
	return nil
}

// drawnAttempt makes one attempt at a drawn trial. Of what the trainer reports
// only checkpoints are kept, to go on from.
func (a *TrainActivities) drawnAttempt(ctx context.Context, in TrainInput, vault *spool.Vault, d spool.Drawn, halve bool) (err error) {
	defer a.Devices.invite()()
	if limit := in.Settings.TrialTimeout; limit > 0 {
		timed, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
		defer cancel()
		outer := ctx
		ctx = timed
		defer func() {
			if err != nil && outer.Err() == nil && context.Cause(timed) == errTooLong {
				err = errTooLong
			}
		}()
	}
	one := in
	one.Selection, one.drawn, one.Stream, one.Halve = nil, true, "", halve
	one.Params, one.Spool, one.Settings.Checkpoints, one.Settings.EvaluateEvery = d.Params, vault.Folder(), "", 0
	one.Ref = sweep.AttemptRef{Sweep: in.Ref.Sweep, Trial: d.Params.ID()}
	one.Ref.Number = one.Spool.NextAttempt(one.Ref)
	if one.From, err = one.Spool.Whole(one.Ref); err != nil {
		return err
	}
	var test []sweep.Metric
	return a.attempt(ctx, one, func(e trainerplugin.Event) (bool, error) {
		if in.Spool.Superseded(in.Ref) {
			return false, sweep.ErrFenced
		}
		switch e := e.(type) {
		case trainerplugin.Started, trainerplugin.Checkpoint:
			return true, nil
		case trainerplugin.Evaluation:
			if !e.Decides(d.Params) {
				test = spool.EvaluationMetrics(e)
			}
		}
		return false, nil
	}, func(o sweep.Outcome) error {
		if !(o.Accuracy >= 0 && o.Accuracy <= 1) || math.IsNaN(o.Loss) || math.IsInf(o.Loss, 0) {
			return fmt.Errorf("%w: an outcome that cannot be", trainerplugin.ErrDiverged)
		}
		return vault.Close(one.Ref.Trial, spool.End{Outcome: &o, Test: test})
	})
}

// errTooLong is why a drawn trial is stopped that takes longer than it may.
var errTooLong = temporal.NewApplicationError("the trial took longer than it may", string(sweep.TimedOut))

// best is the trial of the highest accuracy, the first drawn of equal ones; nil
// if none has come to a result. Of its outcome, times and counts that no noise
// protects are left out: next to how long the selection took, they would tell
// how many trials it had.
func best(vault *spool.Vault) (*sweep.Win, error) {
	var win *sweep.Win
	for _, d := range vault.Drawn() {
		e, ended, err := vault.Ended(d.Params.ID())
		if err != nil {
			return nil, err
		}
		if !ended {
			return nil, fmt.Errorf("a trial of the private selection has not ended: %w", os.ErrInvalid)
		}
		if e.Outcome == nil || win != nil && e.Outcome.Accuracy <= win.Outcome.Accuracy {
			continue
		}
		win = &sweep.Win{Params: d.Params, Label: d.Label, Outcome: *e.Outcome, Test: e.Test}
		win.Outcome.Seconds, win.Outcome.NonFinite = 0, 0
	}
	return win, nil
}
