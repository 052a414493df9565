package trainerplugin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sweep"
)

// ErrSilent marks a trainer that was silent for longer than [Limits.Silence].
// Such an error wraps [ErrProtocol] too.
var ErrSilent = errors.New("trainer is silent")

// Limits bound what a guarded trainer may do. A zero field is its default.
type Limits struct {
	Silence         time.Duration // longest time without an event or an answer; 10 minutes
	EventsPerSecond float64       // sustained; ten seconds' worth may come at once; 10,000
	Events          int           // of one Train; 1,000 and 5 for each step
}

const (
	defaultSilence = 10 * time.Minute // building and compiling a large model reports nothing
	defaultRate    = 10_000
	burstSeconds   = 10
)

// Guard returns a Trainer that believes t nothing: it checks every promise of
// the contract against the job and against what t said before, and ends with an
// error that wraps [ErrProtocol] and says what was seen. Nothing that breaks a
// promise is passed on to report.
//
// It returns at once when a promise is broken, even if t does not: t's context
// is then cancelled with that error as its cause, and its further reports are
// refused. Whoever owns t's process should close it.
func Guard(t Trainer, l Limits) Trainer {
	if l.Silence == 0 {
		l.Silence = defaultSilence
	}
	if l.EventsPerSecond == 0 {
		l.EventsPerSecond = defaultRate
	}
	return &guard{inner: t, limits: l}
}

type guard struct {
	inner  Trainer
	limits Limits
}

func (g *guard) Describe(ctx context.Context) (Description, error) {
	d, err := answer(ctx, g.limits.Silence, "Describe", g.inner.Describe)
	if err != nil {
		return Description{}, err
	}
	return d, checkDescription(d)
}

func (g *guard) Check(ctx context.Context, j Job) (Estimate, error) {
	if len(extrasOf(j)) > 0 {
		desc, err := g.Describe(ctx)
		if err == nil {
			err = desc.honours(j)
		}
		if err != nil {
			return Estimate{}, err
		}
	}
	e, err := answer(ctx, g.limits.Silence, "Check", func(ctx context.Context) (Estimate, error) {
		return g.inner.Check(ctx, j)
	})
	if err != nil {
		return Estimate{}, err
	}
	return e, checkEstimate(e)
}

// answer calls f, and stops waiting for it when the limit is over.
func answer[T any](ctx context.Context, limit time.Duration, name string, f func(context.Context) (T, error)) (T, error) {
	type reply struct {
		value T
		err   error
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	got := make(chan reply, 1)
	go func() {
		v, err := f(ctx)
		got <- reply{v, err}
	}()
	quiet := newQuiet(limit)
	defer quiet.stop()
	for {
		select {
		case r := <-got:
			return r.value, r.err
		case <-quiet.tick():
			if quiet.over() {
				var none T
				err := fmt.Errorf("%w: %w: no answer to %s for %v", ErrProtocol, ErrSilent, name, limit)
				cancel(err)
				return none, err
			}
		}
	}
}

func (g *guard) Train(ctx context.Context, j Job, report func(Event) error) (sweep.Outcome, error) {
	desc, err := g.Describe(ctx)
	if err != nil {
		return sweep.Outcome{}, err
	}
	if err := desc.honours(j); err != nil {
		return sweep.Outcome{}, err
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watch{
		audit:  newAudit(j, desc, g.limits),
		quiet:  newQuiet(g.limits.Silence),
		report: report,
		broken: make(chan struct{}),
	}
	defer w.quiet.stop()
	got := make(chan trained, 1)
	go func() {
		o, err := g.inner.Train(inner, j, w.take)
		got <- trained{o, err}
	}()
	o, err := w.wait(ctx, got)
	if errors.Is(err, ErrProtocol) {
		cancel(err)
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
	return o, err
}

type trained struct {
	outcome sweep.Outcome
	err     error
}

// A watch stands between a trainer and the reports of one Train.
type watch struct {
	quiet  *quiet
	report func(Event) error
	broken chan struct{} // closed when a promise is broken

	mu    sync.Mutex // held while an event is reported, so that no tick counts: a slow host is not a silent trainer
	audit *audit
	err   error // why no further report is taken
}

// take audits an event and passes it on.
func (w *watch) take(e Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	e, err := w.audit.event(e)
	if err != nil {
		w.err = err
		close(w.broken)
		return err
	}
	if err := w.report(e); err != nil {
		w.err = err
		return err
	}
	w.quiet.reset()
	return nil
}

// wait returns what Train should: when the trainer has ended, broke a promise
// or was silent for too long.
func (w *watch) wait(ctx context.Context, got <-chan trained) (sweep.Outcome, error) {
	for {
		select {
		case r := <-got:
			return w.finish(ctx, r)
		case <-w.broken:
			w.mu.Lock()
			defer w.mu.Unlock()
			return sweep.Outcome{}, w.err
		case <-w.quiet.tick():
			if err := w.silent(); err != nil {
				return sweep.Outcome{}, err
			}
		}
	}
}

// silent counts a tick of silence, and says when it was the last.
func (w *watch) silent() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.quiet.over() {
		return nil
	}
	w.err = fmt.Errorf("%w: %w: nothing for %v since %s", ErrProtocol, ErrSilent, w.quiet.limit, w.audit.lastSeen())
	return w.err
}

// finish judges the end of a Train.
func (w *watch) finish(ctx context.Context, r trained) (sweep.Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(w.err, ErrProtocol): // it may hide its own breach
		return sweep.Outcome{}, w.err
	case r.err != nil:
		return sweep.Outcome{}, w.failure(ctx, r.err)
	case w.err != nil:
		return sweep.Outcome{}, w.audit.breach("it went on to an outcome after its report was refused: %v", w.err)
	}
	if err := w.audit.outcome(r.outcome); err != nil {
		return sweep.Outcome{}, err
	}
	return r.outcome, nil
}

// failure judges an error that a Train ended with.
func (w *watch) failure(ctx context.Context, err error) error {
	cancelled := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if cancelled && ctx.Err() == nil && w.err == nil {
		// Not wrapped: nobody should take this for a cancellation of ours.
		return w.audit.breach("it says that it was cancelled, and nobody did: %v", err)
	}
	if lost := w.audit.unproven(); lost != nil {
		return fmt.Errorf("%w; %w", err, lost)
	}
	return err
}
