// Package builtin is the trainer that comes with sweep: the data sets, models
// and training loop of this repository put together, on the CPU.
package builtin

import (
	"context"
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
}

var _ trainerplugin.Trainer = (*Trainer)(nil)

// Describe names the models and data sets. "folder:NAME" stands for any folder
// or archive of images by class in the data directory.
func (*Trainer) Describe(context.Context) (trainerplugin.Description, error) {
	return describe(), nil
}

func describe() trainerplugin.Description {
	return trainerplugin.Description{
		Name:     Name,
		Version:  Version + "+" + kernel.Path(),
		Devices:  []string{"cpu"},
		Models:   model.Names(),
		Datasets: append(dataset.Names(), "folder:NAME"),
		Extras:   trainerplugin.Extras,
	}
}

// Check reads j's data set and builds its model. It refuses what no retry could
// run: parameters out of range, unknown names, data that are missing, damaged
// or too few, and trials that need more memory than this machine, or the
// process's control group, has in all. Memory that others use at the moment
// does not count: they may have ended by the time it matters.
func (t *Trainer) Check(ctx context.Context, j trainerplugin.Job) (trainerplugin.Estimate, error) {
	s, err := t.setUp(ctx, j)
	if err != nil {
		return trainerplugin.Estimate{}, fmt.Errorf("check %s: %w", j.Trial, err)
	}
	return s.estimate, nil
}

// Train trains, after the same checks as [Trainer.Check].
func (t *Trainer) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	s, err := t.setUp(ctx, j)
	if err != nil {
		return sweep.Outcome{}, fmt.Errorf("train %s: %w", j.Trial, err)
	}
	s.data.Program = describe().Program()
	o, err := dpsgd.Train(ctx, j, s.engine, s.data, noteDevices(j.Devices, report))
	if err != nil {
		return sweep.Outcome{}, err
	}
	o.Trainer = s.data.Program
	return o, nil
}

// noteDevices says after the first event that GPUs lie idle, if any were given.
func noteDevices(devices []string, report func(trainerplugin.Event) error) func(trainerplugin.Event) error {
	if len(devices) == 0 {
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
		return report(trainerplugin.Note{Step: s.Step, Text: fmt.Sprintf(
			"GPU %s is not used: %s computes on the CPU", strings.Join(devices, ", "), Name)})
	}
}
