package trainertest

import (
	"context"
	"fmt"
	"time"

	"sweep"
	"sweep/trainerplugin"
)

// A run is one Train of a [Fake].
type run struct {
	job    trainerplugin.Job
	report func(trainerplugin.Event) error
	pace   time.Duration

	begun        time.Time
	first        int // step that this attempt went on from
	reported     time.Time
	checkpointed time.Time
	state        state
	final        trainerplugin.Evaluation
}

// begin goes on from the newest whole checkpoint, or starts afresh.
func (r *run) begin() error {
	s, file, passed := newest(r.job.Dir, r.job.Params.ID())
	if file == "" {
		var err error
		if s, err = newState(r.job.Params); err != nil {
			return err
		}
	}
	r.state, r.first, r.checkpointed = s, s.Step, r.begun
	id := "fake-" + digest("noise id", s.Key)[:16]
	if err := r.report(trainerplugin.Started{Step: s.Step, NoiseID: id, Checkpoint: file}); err != nil {
		return err
	}
	for _, why := range passed {
		if err := r.report(trainerplugin.Note{Step: s.Step, Text: "passed over checkpoint " + why}); err != nil {
			return err
		}
	}
	if s.Step == r.job.Params.Steps { // it had been stopped after its last step
		return r.evaluate()
	}
	return nil
}

// step makes one update and what falls due with it.
func (r *run) step(ctx context.Context) error {
	if ctx.Err() != nil {
		return r.stopped(ctx)
	}
	r.sleep(ctx)
	r.state.Step++
	r.state.Weights = digest("step", r.state.Weights, r.state.Key)
	now := time.Now()
	if now.Sub(r.reported) >= r.job.ReportEvery {
		r.reported = now
		if err := r.report(r.progress(now)); err != nil {
			return err
		}
	}
	every, last := r.job.EvaluateEvery, r.state.Step == r.job.Params.Steps
	if last || every > 0 && r.state.Step%every == 0 {
		if err := r.evaluate(); err != nil {
			return err
		}
	}
	if due := r.job.CheckpointEvery; due > 0 && now.Sub(r.checkpointed) >= due && !last {
		r.checkpointed = now
		return r.checkpoint()
	}
	return nil
}

// sleep takes the time of a step; a trial told to stop hurries.
func (r *run) sleep(ctx context.Context) {
	if r.pace <= 0 {
		return
	}
	timer := time.NewTimer(r.pace)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// stopped leaves a checkpoint and says why the trial ends here.
func (r *run) stopped(ctx context.Context) error {
	if err := r.checkpoint(); err != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return fmt.Errorf("stopped after step %d: %w", r.state.Step, context.Cause(ctx))
}

func (r *run) checkpoint() error {
	c, err := r.state.save(r.job.Dir)
	if err != nil {
		return err
	}
	return r.report(c)
}

func (r *run) progress(now time.Time) trainerplugin.Progress {
	p := r.job.Params
	elapsed := now.Sub(r.begun).Seconds()
	done := r.state.Step - r.first
	return trainerplugin.Progress{
		Step:            r.state.Step,
		BatchSize:       min(p.Data.Train, max(0, p.Batch+int(jitter(r.state.Weights)*float64(p.Batch)/4))),
		Loss:            lossAt(p, r.state.Step),
		GradNormMean:    p.Clip * 1.5,
		GradNormMax:     p.Clip * 4,
		ClippedShare:    0.5,
		SignalToNoise:   signalToNoise(p),
		LearnRate:       p.LearnRate,
		ExamplesPerSec:  float64(done*p.Batch*max(1, p.AugMult)) / max(elapsed, 1e-6),
		SecondsElapsed:  elapsed,
		SecondsToFinish: elapsed / float64(done) * float64(p.Steps-r.state.Step),
	}
}

func (r *run) evaluate() error {
	p := r.job.Params
	examples := fakeTest
	if p.Data.Validation > 0 {
		examples = p.Data.Validation
	}
	r.final = r.measure(p.EvaluatedOn(), examples, r.state.Weights)
	if err := r.report(r.final); err != nil {
		return err
	}
	if r.job.EvaluateTest && p.EvaluatedOn() != sweep.Test && r.state.Step == p.Steps {
		return r.report(r.measure(sweep.Test, fakeTest, digest("test", r.state.Weights)))
	}
	return nil
}

// measure finds what the surface says, and the luck that a number of examples has.
func (r *run) measure(on sweep.Split, examples int, luck string) trainerplugin.Evaluation {
	p := r.job.Params
	return trainerplugin.Evaluation{
		Step:         r.state.Step,
		Split:        on,
		Examples:     examples,
		Accuracy:     measured(accuracyAt(p, r.state.Step), luck, examples),
		LastAccuracy: measured(accuracyAt(p, r.state.Step)-0.01, digest("last", luck), examples),
		Loss:         lossAt(p, r.state.Step),
	}
}

func (r *run) outcome() sweep.Outcome {
	desc, _ := Fake{}.Describe(context.Background())
	return sweep.Outcome{
		Accuracy:      r.final.Accuracy,
		LastAccuracy:  r.final.LastAccuracy,
		Loss:          r.final.Loss,
		Split:         r.final.Split,
		Examples:      r.final.Examples,
		Steps:         r.state.Step,
		DataDigest:    dataDigest(r.job.Params.Data),
		WeightsDigest: "sha256:" + r.state.Weights,
		Trainer:       desc.Program(),
		Seconds:       time.Since(r.begun).Seconds(),
	}
}
