package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"sweep"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
	"sweep/trainerplugin/xla"
)

// A checker is one run of the command.
type checker struct {
	settings
	plan   plan
	device *xla.Device
	report *report
	out    io.Writer
}

// errSkipped says why a check was left out, which is no failure.
type errSkipped string

func (e errSkipped) Error() string { return string(e) }

// check runs p and prints what it finds to w as it goes. It returns an error only
// where there is nothing to check.
func check(ctx context.Context, s settings, p plan, w io.Writer) (ok bool, err error) {
	d, err := xla.OpenDevice(ctx, s.plugin)
	if err != nil {
		return false, fmt.Errorf("there is no GPU to check: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if d.Platform == "cpu" && !s.anyDevice {
		return false, fmt.Errorf("there is no GPU to check: the plugin %s is for CPUs; -any-device checks it all the same", d.Plugin.Path)
	}
	c := &checker{settings: s, plan: p, device: d, out: w, report: &report{
		Schema: 1, Began: time.Now(), Device: d.Kind, Plugin: d.Plugin.Path, Version: xla.Version(d.Plugin), OK: true,
	}}
	c.run(ctx)
	c.report.Seconds = time.Since(c.report.Began).Seconds()
	c.report.print(w)
	return c.report.OK, c.report.write(s.out)
}

func (c *checker) run(ctx context.Context) {
	c.do(ctx, "plugin loads", func(context.Context) (string, error) {
		text := fmt.Sprintf("%s, %s", c.device.Kind, c.report.Version)
		if len(c.device.Problems) > 0 {
			text += "; beside it: " + strings.Join(c.device.Problems, "; ")
		}
		return text, nil
	})
	for _, g := range c.plan.gradients {
		c.do(ctx, fmt.Sprintf("gradients of %s in %s", g.model, g.precision), func(ctx context.Context) (string, error) { return c.gradients(ctx, g) })
	}
	c.do(ctx, "stop and resume", c.resume)
	c.do(ctx, "bf16 rate", c.multiply)
	for _, s := range c.plan.speed {
		name := fmt.Sprintf("speed of %s, K = %d", s.model, s.views)
		if s.taps {
			name += ", tap by tap"
		}
		c.do(ctx, name, func(ctx context.Context) (string, error) { return c.speed(ctx, s) })
	}
	c.do(ctx, "a trial learns", c.learn)
	c.do(ctx, "Opacus beside it", func(ctx context.Context) (string, error) { return c.peers(ctx, c.opacus()) })
	c.do(ctx, "JAX beside it", func(ctx context.Context) (string, error) { return c.peers(ctx, c.jax()) })
}

// do runs one check, says what came of it, and leaves the report as it stands, so
// that a check that is cut off leaves what there was.
func (c *checker) do(ctx context.Context, name string, f func(context.Context) (string, error)) {
	began := time.Now()
	r := result{Check: name, Verdict: "ok"}
	var err error
	if gone := began.Sub(c.report.Began); gone > c.limit || ctx.Err() != nil {
		err = errSkipped("out of time")
	} else {
		r.Finding, err = f(ctx)
	}
	if skipped, ok := errors.AsType[errSkipped](err); ok {
		r.Verdict, r.Finding = "skipped", string(skipped)
	} else if err != nil {
		r.Verdict, r.Finding, c.report.OK = "FAIL", err.Error(), false
	}
	r.Seconds = time.Since(began).Seconds()
	c.report.Checks = append(c.report.Checks, r)
	c.report.Seconds = time.Since(c.report.Began).Seconds()
	fmt.Fprintf(c.out, "%-7s %-34s %6.1f s  %s\n", r.Verdict, r.Check, r.Seconds, r.Finding)
	if err := c.report.write(c.settings.out); err != nil {
		c.report.OK = false
		fmt.Fprintf(c.out, "FAIL    write %s: %v\n", c.settings.out, err)
	}
}

// noise is images of random pixels and labels, n of them, in CIFAR's format: how
// fast a device computes does not depend on what.
func noise(in model.Input, n int) *dataset.Set {
	set := &dataset.Set{Name: "noise", Height: in.Height, Width: in.Width, Channels: in.Channels, Classes: make([]string, in.Classes)}
	for range in.Channels {
		set.Mean, set.Std = append(set.Mean, 0.5), append(set.Std, 0.25)
	}
	state := uint32(1)
	next := func() uint32 {
		state = state*1664525 + 1013904223 // Numerical Recipes' generator; its high bits are good enough
		return state >> 16
	}
	set.Train.Pixels = make([]uint8, n*set.PixelCount())
	for i := range set.Train.Pixels {
		set.Train.Pixels[i] = uint8(next())
	}
	for range n {
		set.Train.Labels = append(set.Train.Labels, uint16(next())%uint16(in.Classes))
	}
	return set
}

// executor prepares a model on noise of as many examples as a batch has, half of
// them again to measure on.
func (c *checker) executor(p sweep.Params, precision xla.Precision, microbatch int, taps bool) (*xla.Executor, *dataset.Partition, error) {
	in := inputOf(p.Model)
	set := noise(in, p.Batch+max(2, p.Batch/64))
	part, err := set.Split(p.Batch, set.Train.Len()-p.Batch)
	if err != nil {
		return nil, nil, err
	}
	x, err := xla.NewExecutor(c.device, xla.Settings{
		Params: p, Input: in, Precision: precision, Microbatch: microbatch, Taps: taps, Threads: 1, Train: part.Train.Pixels(), Held: part.Validation.Pixels(),
	})
	return x, part, err
}

// inputOf is what models of the papers classify.
func inputOf(name string) model.Input {
	if strings.HasPrefix(name, "wrn-") {
		return model.Input{Height: 32, Width: 32, Channels: 3, Classes: 10}
	}
	return model.Input{Height: 28, Width: 28, Channels: 1, Classes: 10}
}

func params(name string, batch, views int) sweep.Params {
	p := sweep.Params{
		Data: sweep.Data{Name: "noise", Train: batch, Validation: 1}, Model: name, Batch: batch, Clip: 1, Noise: 1, LearnRate: 0.1,
		Steps: 1, EMA: 0.999, NoiseFrom: sweep.Seeded, Seed: 7,
	}
	if views > 1 {
		p.AugMult, p.Augment = views, sweep.CropFlip
	}
	return p
}

// gradients compares a clipped sum with the CPU engine's on the same views.
func (c *checker) gradients(ctx context.Context, g gradientCase) (_ string, err error) {
	p := params(g.model, g.examples, g.views)
	x, part, err := c.executor(p, g.precision, max(1, g.examples/2), false)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	members := make([]int, g.examples)
	for i := range members {
		members[i] = i
	}
	const step = 3
	weights := x.Init(p.Seed)
	got, err := x.ClippedGradients(weights, members, step)
	if err != nil {
		return "", err
	}
	want := make([]float32, len(weights))
	_, err = x.ClippedSum(ctx, weights, dpsgd.Batch{Len: g.examples, Views: max(1, p.AugMult), View: func(i, k int, img []float32) int {
		return part.Train.View(img, p.Augment, dataset.Draw{Key: p.Seed, Step: step, Example: i, View: k})
	}}, p.Clip, want)
	if err != nil {
		return "", err
	}
	off := distance(got, want)
	text := fmt.Sprintf("differ by %.1e of their norm; the bound is %.0e", off, g.bound)
	if !(off <= g.bound) {
		return "", errors.New(text)
	}
	return text, nil
}

// distance is ‖a - b‖/‖b‖.
func distance(a, b []float32) float64 {
	var d, n float64
	for i := range b {
		e := float64(a[i]) - float64(b[i])
		d, n = d+e*e, n+float64(b[i])*float64(b[i])
	}
	return math.Sqrt(d / n)
}

// multiply measures what the device can do at most.
func (c *checker) multiply(context.Context) (string, error) {
	began := time.Now()
	rate, err := c.device.MultiplyRate(c.plan.multiply, c.plan.rounds, func() float64 { return time.Since(began).Seconds() })
	c.report.MultiplyTFLOPS = rate / 1e12
	return fmt.Sprintf("%.4g TFLOP/s at %d×%d", rate/1e12, c.plan.multiply, c.plan.multiply), err
}
