package builtin

import (
	"context"
	"errors"
	"fmt"

	"sweep/trainerplugin"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/model"
	"sweep/trainerplugin/xla"
	"sweep/trainerplugin/xla/pjrt"
)

// A gpu is a device and the executor that trains one trial on it.
type gpu struct {
	*xla.Executor
	device *xla.Device
}

// openGPU takes the first GPU that this process may see, which its launcher has
// chosen by CUDA_VISIBLE_DEVICES, and prepares j for it.
func openGPU(ctx context.Context, j trainerplugin.Job, o options, part *dataset.Partition, input model.Input) (*gpu, error) {
	d, err := xla.OpenDevice(ctx, "")
	if err != nil {
		return nil, refuseDevice(err)
	}
	precision := o.precision
	if precision == "" {
		precision = xla.Tensor32
	}
	var test dataset.Pixels
	if j.EvaluateTest {
		test = part.Test.Pixels()
	}
	x, err := xla.NewExecutor(d, xla.Settings{
		Params: j.Params, Input: input, Layers: Layers(j.Params), Precision: precision, Microbatch: o.microbatch, Most: j.Microbatch,
		Memory: xla.UserMemory(), Threads: j.Threads,
		Train: part.Train.Pixels(), Held: part.Part(j.Params.EvaluatedOn()).Pixels(), Test: test,
	})
	if err != nil {
		return nil, errors.Join(refuse("model: %w", err), d.Close())
	}
	return &gpu{x, d}, nil
}

// refuseDevice refuses for good what another try would not change. A device that
// is busy, or has too little memory left, may be free by then.
func refuseDevice(err error) error {
	if e, ok := errors.AsType[*pjrt.Error](err); ok && (e.Code == pjrt.ResourceExhausted || e.Code == pjrt.Unavailable) {
		return fmt.Errorf("device: %w", err)
	}
	return refuse("device: %w; option.device: cpu trains on the CPU", err)
}

// memoryError marks an error by which a device says that it has too little memory.
func memoryError(err error) error {
	if e, ok := errors.AsType[*pjrt.Error](err); ok && e.Code == pjrt.ResourceExhausted && !errors.Is(err, trainerplugin.ErrRefused) {
		return fmt.Errorf("%w: %w", trainerplugin.ErrOutOfMemory, err)
	}
	return err
}

// Close frees what is on the device, and gives it back.
func (g *gpu) Close() error { return errors.Join(g.Executor.Close(), g.device.Close()) }

// estimate is what the trial takes on the device.
func (g *gpu) estimate(e trainerplugin.Estimate) (trainerplugin.Estimate, error) {
	var err error
	e.Microbatch, e.MemoryBytes, err = g.Needs()
	return e, err
}

// note says after the first update what the device does, once.
func (g *gpu) note(report func(trainerplugin.Event) error) func(trainerplugin.Event) error {
	said := false
	return func(e trainerplugin.Event) error {
		if err := report(e); err != nil {
			return err
		}
		progress, ok := e.(trainerplugin.Progress)
		if !ok || said {
			return nil
		}
		said = true
		return report(trainerplugin.Note{Step: progress.Step, Text: "trains on " + g.About()})
	}
}
