package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
)

// speed times whole steps of one case: views, gradients, clipping, noise, update.
func (c *checker) speed(ctx context.Context, s speedCase) (_ string, err error) {
	line := speed{Program: program, Taps: s.taps, Model: s.model, Views: s.views, Precision: string(s.precision), Batch: s.batch}
	defer func() {
		if err != nil {
			line.Problem = "failed"
		}
		c.report.Speed = append(c.report.Speed, line)
	}()
	p := params(s.model, s.batch, s.views)
	x, _, err := c.executor(p, s.precision, s.microbatch, s.taps)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	weights := x.Init(p.Seed)
	average := make([]float64, len(weights))
	began := time.Now()
	if err := x.Load(dpsgd.State{Weights: weights, Average: average}); err != nil {
		return "", err
	}
	line.Compile, line.Microbatch = time.Since(began).Seconds(), x.Microbatch()
	u := &dpsgd.Update{Members: make([]int, s.batch), NoiseStd: 1, Batch: float64(s.batch), LearnRate: 0.1, EMA: 0.9}
	for i := range u.Members {
		u.Members[i] = i
	}
	var times []float64
	for u.Step = 1; u.Step <= 1+c.plan.timed; u.Step++ {
		began := time.Now()
		if _, err := x.Step(ctx, u); err != nil {
			return "", err
		}
		if u.Step > 1 {
			times = append(times, time.Since(began).Seconds())
		}
	}
	slices.Sort(times)
	line.Images = float64(s.batch*s.views) / times[len(times)/2]
	if d, err := model.Describe(s.model, inputOf(s.model), s.views, 1); err == nil && c.report.MultiplyTFLOPS > 0 {
		line.Share = line.Images * float64(d.ExampleFLOP) / (c.report.MultiplyTFLOPS * 1e12)
	}
	if m, err := c.device.Memory(); err == nil {
		line.Peak = m.Peak // since the beginning: the largest case so far
	}
	return fmt.Sprintf("%.0f images/s, %s", line.Images, x.About()), nil
}
