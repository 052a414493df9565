package builtin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
)

// A setup is a job that can run.
type setup struct {
	engine   dpsgd.Engine
	gpu      *gpu // the engine, if it is one
	threads  int  // as many as the job has, or as its microbatch lets work
	data     dpsgd.Data
	estimate trainerplugin.Estimate
	close    func() error
}

// setUp reads j's data and measures its model, or says why j cannot run.
func (t *Trainer) setUp(ctx context.Context, j trainerplugin.Job) (setup, error) {
	p := j.Params
	if err := dpsgd.Check(p); err != nil {
		return setup{}, err
	}
	o, err := parseOptions(p)
	if err != nil {
		return setup{}, err
	}
	onGPU, err := o.onDevice(j)
	if err != nil {
		return setup{}, err
	}
	if j.Threads < 1 {
		return setup{}, refuse("threads: %d; at least 1 is needed", j.Threads)
	}
	if err := model.Check(p.Model); err != nil { // before data are read at length
		return setup{}, refuse("model: %w", err)
	}
	part, err := t.open(ctx, dataDir(j.DataDir), p.Data)
	if err != nil {
		return setup{}, err
	}
	set := part.Train.Set()
	input := model.Input{Height: set.Height, Width: set.Width, Channels: set.Channels, Classes: len(set.Classes)}
	s := setup{data: adapt(part, p)}
	d, err := model.Describe(p.Model, input, max(1, p.AugMult), j.Threads, Layers(p)...)
	if s.threads = j.Threads; err == nil && j.Microbatch > 0 && !onGPU {
		// Each thread works on examples of its own, and their number changes no bit.
		s.threads = max(1, min(j.Threads, j.Microbatch/d.Microbatch))
		d, err = model.Describe(p.Model, input, max(1, p.AugMult), s.threads, Layers(p)...)
	}
	if err != nil {
		return setup{}, refuse("model: %w", err)
	}
	s.estimate = trainerplugin.Estimate{
		MemoryBytes:   peakBytes(d.MemoryBytes + dpsgd.MemoryBytes(p, d.Parameters, s.threads) + dataBytes(set)),
		Parameters:    d.Parameters,
		ExampleFLOP:   d.ExampleFLOP,
		Microbatch:    d.Microbatch * s.threads,
		DataDigest:    part.Digest,
		TrainExamples: set.Train.Len(),
	}
	if has := memoryLimit("/"); has > 0 && s.estimate.MemoryBytes > has {
		return setup{}, refuse("memory: the trial needs about %d MB and there are %d MB; take a smaller model, fewer threads than %d, or a larger machine",
			s.estimate.MemoryBytes>>20, has>>20, s.threads)
	}
	s.close = func() error { return nil }
	if onGPU {
		if s.gpu, err = openGPU(ctx, j, o, part, input); err != nil {
			return setup{}, err
		}
		s.engine, s.close = s.gpu, s.gpu.Close
		if s.estimate, err = s.gpu.estimate(s.estimate); err != nil {
			return setup{}, errors.Join(refuse("model: %w", err), s.close())
		}
	} else if s.engine, err = model.New(p.Model, input, s.threads, Layers(p)...); err != nil {
		return setup{}, refuse("model: %w", err)
	}
	if err := s.load(j, p); err != nil {
		return setup{}, errors.Join(err, s.close())
	}
	return s, nil
}

// load reads the weights that the trial begins with.
func (s *setup) load(j trainerplugin.Job, p sweep.Params) error {
	err := dpsgd.CheckClipping(s.engine, p)
	if err == nil {
		s.data.Start, s.data.Frozen, err = dpsgd.StartOf(dataDir(j.DataDir), p, s.engine)
	}
	return err
}

// Layers is how a model is told which of its layers p trains.
func Layers(p sweep.Params) []model.Option {
	if p.Layers == "" {
		return nil
	}
	return []model.Option{model.TrainOnly(strings.Split(p.Layers, "+")...)}
}

// dataDir is dir, or [dataset.DefaultDir] if it is none.
func dataDir(dir string) string {
	if dir == "" {
		return dataset.DefaultDir()
	}
	return dir
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", trainerplugin.ErrRefused, fmt.Errorf(format, args...))
}

// adapt gives the loop what it wants of a data set.
func adapt(part *dataset.Partition, p sweep.Params) dpsgd.Data {
	held := part.Part(p.EvaluatedOn())
	return dpsgd.Data{
		Digest: part.Digest,
		View: func(step, i, k int, img []float32) int {
			return part.Train.View(img, p.Augment, dataset.Draw{Key: p.Seed, Step: step, Example: i, View: k})
		},
		Held: dpsgd.Examples{Len: held.Len(), At: held.At},
		Test: dpsgd.Examples{Len: part.Test.Len(), At: part.Test.At},
	}
}

// opened is a data set that was read and divided.
type opened struct {
	dir  string
	data sweep.Data
	part *dataset.Partition
}

// open reads and divides a data set, unless it was the last to be asked for.
func (t *Trainer) open(ctx context.Context, dir string, data sweep.Data) (*dataset.Partition, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.part != nil && t.last.dir == dir && t.last.data == data {
		return t.last.part, nil
	}
	set, err := dataset.Open(ctx, dir, data)
	if err != nil {
		return nil, refuseData(ctx, err)
	}
	if t.mock {
		set = set.Mock()
	}
	part, err := set.Split(data.Train, data.Validation)
	if err != nil {
		return nil, refuse("data: %w", err)
	}
	t.last = opened{dir, data, part}
	return part, nil
}

// refuseData refuses for good, unless the reason is one that may pass: that ctx
// ended, or that the operating system did not let a file be read.
func refuseData(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		return err
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(err, dataset.ErrMissing) {
		return err
	}
	return refuse("data: %w", err)
}

// dataBytes is what a data set takes: pixels, labels, and at most one index of
// every example.
func dataBytes(s *dataset.Set) int64 {
	return int64(len(s.Train.Pixels)+len(s.Test.Pixels)) + 6*int64(s.Train.Len()+s.Test.Len())
}
