package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
	"sweep/trainerplugin/xla"
)

// A trial is one that this machine trains for the check.
type trial struct {
	job   trainerplugin.Job
	part  *dataset.Partition
	input model.Input
}

func newTrial(set *dataset.Set, p sweep.Params, dir string) (trial, error) {
	part, err := set.Split(p.Data.Train, p.Data.Validation)
	return trial{
		trainerplugin.Job{Trial: p.ID(), Params: p, Dir: dir, Threads: 2}, part,
		model.Input{Height: set.Height, Width: set.Width, Channels: set.Channels, Classes: len(set.Classes)},
	}, err
}

// train trains on e until step stop, or to the end if it is 0.
func (t trial) train(ctx context.Context, e dpsgd.Engine, stop int) (sweep.Outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p, held := t.job.Params, t.part.Validation
	return dpsgd.Train(ctx, t.job, e, dpsgd.Data{
		Digest: t.part.Digest, Program: "gpu-check", Held: dpsgd.Examples{Len: held.Len(), At: held.At},
		View: func(step, i, k int, img []float32) int {
			return t.part.Train.View(img, p.Augment, dataset.Draw{Key: p.Seed, Step: step, Example: i, View: k})
		},
	}, func(e trainerplugin.Event) error {
		if p, ok := e.(trainerplugin.Progress); ok && p.Step == stop {
			cancel(errStopped)
		}
		return nil
	})
}

var errStopped = errors.New("stopped on purpose")

// executor puts the trial on the device.
func (c *checker) trialExecutor(t trial, precision xla.Precision) (*xla.Executor, error) {
	return xla.NewExecutor(c.device, xla.Settings{
		Params: t.job.Params, Input: t.input, Precision: precision, Threads: 2, Train: t.part.Train.Pixels(), Held: t.part.Validation.Pixels(),
	})
}

// resume stops a trial on the device and goes on on the CPU, and the other way
// round; both must end where the CPU alone does. There is no noise: it would be
// fresh for each.
func (c *checker) resume(ctx context.Context) (_ string, err error) {
	p := sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 400, Validation: 200}, Model: "tanh-cnn", Batch: 64, Clip: 1, LearnRate: 0.5,
		Steps: 6, EMA: 0.9, Momentum: 0.9, NoiseFrom: sweep.Seeded, Seed: 5,
	}
	set, err := dataset.Open(ctx, "", p.Data)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "gpu-check-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	t, err := newTrial(set, p, dir)
	if err != nil {
		return "", err
	}
	cpu, err := model.New(p.Model, t.input, 2)
	if err != nil {
		return "", err
	}
	x, err := c.trialExecutor(t, xla.Full)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	var losses []float64
	for i, engines := range [][2]dpsgd.Engine{{cpu, cpu}, {x, cpu}, {cpu, x}} {
		t.job.Dir = fmt.Sprintf("%s/%d", dir, i)
		if _, err := t.train(ctx, engines[0], 3); !errors.Is(err, errStopped) {
			return "", err
		}
		o, err := t.train(ctx, engines[1], 0)
		if err != nil {
			return "", err
		}
		losses = append(losses, o.Loss)
	}
	text := fmt.Sprintf("loss %.5f on the CPU, %.5f device then CPU, %.5f CPU then device", losses[0], losses[1], losses[2])
	if math.Abs(losses[1]-losses[0]) > 1e-3*losses[0] || math.Abs(losses[2]-losses[0]) > 1e-3*losses[0] {
		return "", errors.New(text)
	}
	return text, nil
}

// learn trains privately for a short while, on CIFAR-10 where it is at hand.
func (c *checker) learn(ctx context.Context) (_ string, err error) {
	l := c.plan.learn
	dir := c.data
	if dir == "" {
		dir = dataset.DefaultDir()
	}
	p := params(l.model, l.batch, l.views)
	p.Steps, p.LearnRate, p.Noise, p.EMA = l.steps, l.rate, l.noise, 0.9
	p.Data = sweep.Data{Name: "cifar10", Train: 45000, Validation: l.held}
	set, err := dataset.Open(ctx, dir, p.Data)
	if errors.Is(err, dataset.ErrMissing) {
		p.Data = sweep.Data{Name: "glyphs", Train: 10 * l.batch, Validation: l.held}
		set, err = dataset.Open(ctx, "", p.Data)
	}
	if err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp("", "gpu-check-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	t, err := newTrial(set, p, folder)
	if err != nil {
		return "", err
	}
	x, err := c.trialExecutor(t, l.precision)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	o, err := t.train(ctx, x, 0)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s on %s: accuracy %.3f after %d steps of batch %d at σ = %g; the bound is %.2f", p.Model, p.Data.Name, o.Accuracy, o.Steps, p.Batch, p.Noise, l.least)
	if o.Accuracy < l.least {
		return "", errors.New(text)
	}
	return text, nil
}
