package dpsgd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sweep"
	"sweep/trainerplugin"
)

// Data are the examples of a trial. Its functions may be called from several
// goroutines at once.
type Data struct {
	Digest  string // "sha256:…" of examples, labels and split
	Program string // what computes: only the same program repeats the same bits

	// View writes view k of training example i, drawn for update step, into
	// img, as [Examples].At does, and returns the example's class. It depends
	// on (step, i, k) alone. Without augmentation it is the image itself.
	View func(step, i, k int, img []float32) (label int)

	Start  []float32 // initial weights, from [LoadInit]; nil draws them from Params.Seed
	Frozen []float32 // those of layers that are not trained, from [LoadInit]; nil where all are
	Held   Examples  // what accuracy is measured on: Params.EvaluatedOn
	Test   Examples  // the test part, for [trainerplugin.Job.EvaluateTest]; of no length where there is none
}

// Train runs j's trial on e and d as [trainerplugin.Trainer] promises; the
// outcome lacks only the trainer's name. Each update is
//
//	G   = (1/B)·(Σ_i c_i + σ·N(0, I))
//	w   ← w - η_t·G
//	ema ← μ_t·ema + (1-μ_t)·w,   μ_t = min(μ, (1+t)/(10+t))
//
// or what the optimizer of j.Params makes of G (see [sweep.Params]),
// over a Poisson batch of rate B/N (paper, section 1), with c_i from
// [Engine.ClippedSum], or [Clipper.SumClipped] where the trial asks for another
// kind of clipping, and t counted from 1. B is the nominal batch, never the
// realised one, and an empty batch is a step like any other. Adding or
// removing one example changes Σ c_i by at most 1 in L2 norm, up to float32
// rounding, so that a step is the Poisson-subsampled Gaussian mechanism with
// rate B/N and noise multiplier σ.
//
// With [sweep.Secure] noise and j.CheckpointEvery > 0, a checkpoint is written
// before the first step, so that a crash never costs the secret: a retry
// repeats the same noise and spends nothing twice.
func Train(ctx context.Context, j trainerplugin.Job, e Engine, d Data, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	o, err := train(ctx, j, e, d, report)
	if err != nil {
		return sweep.Outcome{}, fmt.Errorf("train %s: %w", j.Trial, err)
	}
	return o, nil
}

func train(ctx context.Context, j trainerplugin.Job, e Engine, d Data, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	if err := Check(j.Params); err != nil {
		return sweep.Outcome{}, err
	}
	if err := CheckClipping(e, j.Params); err != nil {
		return sweep.Outcome{}, err
	}
	if given := j.Params.Init != (sweep.Init{}); given != (d.Start != nil) {
		return sweep.Outcome{}, fmt.Errorf("init: the trial has one: %t, its data bring weights: %t", given, d.Start != nil)
	}
	if err := d.setFrozen(e); err != nil {
		return sweep.Outcome{}, err
	}
	if d.Held.Len < 1 {
		return sweep.Outcome{}, fmt.Errorf("%w: the %s split has no examples to measure accuracy on", trainerplugin.ErrRefused, j.Params.EvaluatedOn())
	}
	l := &loop{job: j, engine: e, data: d, report: report, pace: pace{start: time.Now()}}
	l.device, _ = e.(Stepper)
	if err := l.open(); err != nil {
		return sweep.Outcome{}, err
	}
	for l.step < j.Params.Steps {
		if ctx.Err() != nil {
			return sweep.Outcome{}, l.stop(ctx)
		}
		if err := l.advance(ctx); err != nil {
			return sweep.Outcome{}, err
		}
	}
	return l.finish(ctx)
}

// A loop is one attempt at a trial.
type loop struct {
	job    trainerplugin.Job
	engine Engine
	device Stepper // engine, if it is one that keeps the state
	data   Data
	report func(trainerplugin.Event) error

	*state
	stale    bool      // whether the device has made updates that state does not have
	sum      []float32 // the clipped sum of the step at hand
	store    *store
	pace     pace
	before   float64   // seconds spent by the attempts that led to the checkpoint it began with
	reported time.Time // of the last Progress
	saved    time.Time // of the last checkpoint, or of the start
}

// open takes up the trial's last checkpoint, or starts afresh, and says so.
func (l *loop) open() error {
	p, tensors := l.job.Params, l.engine.Tensors()
	p.Init.File = "" // where the file was changes nothing
	id := identity{l.job.Trial, sweep.Digest("params", p), l.data.Digest, tensors, momentNames(p)}
	var err error
	if l.store, err = openStore(l.job.Dir, id, p.Steps); err != nil {
		return err
	}
	found, file, notes, err := l.store.load()
	if err != nil {
		return err
	}
	if l.state = found; found == nil {
		start := slices.Clone(l.data.Start)
		if start == nil {
			start = l.engine.Init(p.Seed)
		}
		l.state = newState(p, start)
	}
	if err := checkLayout(tensors, len(l.weights)); err != nil {
		return err
	}
	if found != nil && (found.program != l.data.Program || l.device != nil) {
		notes = append(notes, l.changeProgram())
	}
	l.program = l.data.Program
	if l.device == nil {
		l.sum = make([]float32, len(l.weights))
	} else if err := l.device.Load(State{l.weights, l.ema, l.moments}); err != nil {
		return err
	}
	l.before, l.saved = l.seconds, time.Now()
	if err := l.report(trainerplugin.Started{Step: l.step, NoiseID: l.secret.noiseID(), Checkpoint: file}); err != nil {
		return err
	}
	for _, n := range notes {
		n.Step = l.step
		if err := l.report(n); err != nil {
			return err
		}
	}
	if found == nil && p.NoiseFrom == sweep.Secure && l.job.CheckpointEvery > 0 {
		return l.checkpoint()
	}
	return nil
}

// changeProgram takes up a checkpoint that another version, other kernels or a
// [Stepper] wrote. What that program did after it cannot be repeated to the bit:
// the same noise on other sums would tell their difference, so the steps from
// here on get a new secret, and are charged as what they are.
func (l *loop) changeProgram() trainerplugin.Note {
	text := fmt.Sprintf("its checkpoint was written by %q and goes on by %q", l.program, l.data.Program)
	if l.program == l.data.Program {
		text = "it goes on on a device, which may round otherwise than before"
	}
	if l.job.Params.NoiseFrom == sweep.Secure {
		l.secret = newSecret(l.job.Params)
		text += ", with fresh noise that is charged"
	}
	return trainerplugin.Note{Text: text}
}

// advance makes one update and whatever is due after it.
func (l *loop) advance(ctx context.Context) error {
	// A step that has begun is finished: its noise is drawn only once.
	m, err := l.update(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	p := l.job.Params
	if now := time.Now(); l.reported.IsZero() || now.Sub(l.reported) >= l.job.ReportEvery || l.step == p.Steps {
		l.reported = now
		l.pace.fill(&m, p.Steps-l.step)
		if err := l.report(m); err != nil {
			return err
		}
	}
	if n := l.job.EvaluateEvery; n > 0 && l.step%n == 0 && l.step < p.Steps {
		if _, err := l.evaluate(ctx); err != nil && !cutShort(ctx, err) {
			return err
		}
	}
	if n := l.job.CheckpointEvery; n > 0 && time.Since(l.saved) >= n && l.step < p.Steps && ctx.Err() == nil {
		return l.checkpoint()
	}
	return nil
}

// finish measures the trained weights.
func (l *loop) finish(ctx context.Context) (sweep.Outcome, error) {
	ev, err := l.evaluate(ctx)
	if err == nil {
		err = l.evaluateTest(ctx)
	}
	if cutShort(ctx, err) {
		return sweep.Outcome{}, l.stop(ctx)
	}
	if err != nil {
		return sweep.Outcome{}, err
	}
	if l.job.KeepWeights {
		if err := l.keepWeights(); err != nil {
			return sweep.Outcome{}, err
		}
	}
	return sweep.Outcome{
		Accuracy:      ev.Accuracy,
		LastAccuracy:  ev.LastAccuracy,
		Loss:          ev.Loss,
		Split:         ev.Split,
		Examples:      ev.Examples,
		Steps:         l.step,
		NonFinite:     l.nonFinite,
		DataDigest:    l.data.Digest,
		WeightsDigest: weightsDigest(l.averaged()),
		Seconds:       l.pace.seconds(),
	}, nil
}

// cutShort says whether err is no more than the end of ctx.
func cutShort(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
}

// stop leaves a checkpoint to go on from, and returns why ctx ended.
func (l *loop) stop(ctx context.Context) error {
	c, err := l.save()
	if err != nil {
		return fmt.Errorf("stopped after step %d: %w; %w", l.step, context.Cause(ctx), err)
	}
	if err := l.report(c); err != nil {
		return err
	}
	return fmt.Errorf("stopped after step %d: %w", l.step, context.Cause(ctx))
}

// checkpoint saves the state and reports it. Training goes on without: a full
// disk costs the way back, not the trial.
func (l *loop) checkpoint() error {
	c, err := l.save()
	if err != nil {
		return l.report(trainerplugin.Note{Step: l.step, Text: fmt.Sprintf("training goes on without a checkpoint: %v", err)})
	}
	return l.report(c)
}

func (l *loop) save() (trainerplugin.Checkpoint, error) {
	if err := l.fetch(); err != nil {
		return trainerplugin.Checkpoint{}, err
	}
	l.seconds = l.before + l.pace.seconds()
	l.saved = time.Now()
	return l.store.save(l.state)
}
