// Package builtin is the trainer that comes with sweep: the data sets, models
// and training loop of this repository put together, on the CPU, or on a GPU where
// a trial is given one and there is a PJRT plugin to use it.
package builtin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/kernel"
	"sweep/trainerplugin/model"
)

const (
	Name = "sweep-builtin"

	// Version changes whenever equal seeded trials no longer end with equal
	// bits. The kernels in use stand behind it, for the same reason: "1+avx2".
	Version = "1"
)

// A Trainer is the built-in trainer. It keeps the data set that it read last,
// and may be used from several goroutines at once. The zero Trainer is ready.
type Trainer struct {
	mu   sync.Mutex
	last opened
	mock bool // the examples are drawn at random
}

// Rehearsal is a trainer that draws images and labels at random in place of each
// data set's own, with its sizes: to measure time and memory. What it trains is of
// no use, and spends no privacy.
func Rehearsal() *Trainer { return &Trainer{mock: true} }

var _ trainerplugin.Trainer = (*Trainer)(nil)

// Describe names the models and data sets. "folder:NAME" stands for any folder
// or archive of images by class in the data directory.
func (*Trainer) Describe(ctx context.Context) (trainerplugin.Description, error) {
	d := describe()
	d.Devices = kinds(ctx)
	return d, nil
}

func describe() trainerplugin.Description {
	return trainerplugin.Description{
		Name:       Name,
		Version:    Version + "+" + kernel.Path(),
		Models:     model.Names(),
		Datasets:   append(dataset.Names(), "folder:NAME"),
		Parameters: parameters,
		Extras:     trainerplugin.Extras,
	}
}

// Check reads j's data set and builds its model. It refuses what no retry could
// run: parameters out of range, unknown names, data that are missing, damaged
// or too few, and trials that need more memory than this machine, or the
// process's control group, has in all. Memory that others use at the moment
// does not count: they may have ended by the time it matters. For a trial on a
// GPU it takes the device for a moment, and lowers the model, but compiles nothing.
func (t *Trainer) Check(ctx context.Context, j trainerplugin.Job) (trainerplugin.Estimate, error) {
	s, err := t.setUp(ctx, j)
	if err != nil {
		return trainerplugin.Estimate{}, fmt.Errorf("check %s: %w", j.Trial, err)
	}
	return s.estimate, s.close()
}

// Train trains, after the same checks as [Trainer.Check].
func (t *Trainer) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (o sweep.Outcome, err error) {
	s, err := t.setUp(ctx, j)
	if err != nil {
		return sweep.Outcome{}, fmt.Errorf("train %s: %w", j.Trial, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	program := describe().Program()
	s.data.Program = program
	if s.gpu != nil {
		s.data.Program += " on " + s.gpu.device.Platform
		report = s.gpu.note(report)
	}
	j.Threads = s.threads
	o, err = dpsgd.Train(ctx, j, s.engine, s.data, noteIdle(j.Devices, s.gpu != nil, report))
	if err != nil {
		return sweep.Outcome{}, memoryError(err)
	}
	o.Trainer = program
	return o, nil
}

// noteIdle says after the first event which of the GPUs that were given lie idle:
// a trial uses one, or none on the CPU.
func noteIdle(devices []string, onGPU bool, report func(trainerplugin.Event) error) func(trainerplugin.Event) error {
	idle, why := devices, "computes on the CPU"
	if onGPU {
		idle, why = devices[1:], "trains a trial on one GPU"
	}
	if len(idle) == 0 {
		return report
	}
	return func(e trainerplugin.Event) error {
		if err := report(e); err != nil {
			return err
		}
		s, first := e.(trainerplugin.Started)
		if !first {
			return nil
		}
		return report(trainerplugin.Note{Step: s.Step, Text: fmt.Sprintf("GPU %s is not used: %s %s", strings.Join(idle, ", "), Name, why)})
	}
}
