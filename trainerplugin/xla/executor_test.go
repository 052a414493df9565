package xla

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
	"sweep/trainerplugin/xla/pjrt"
	"sweep/trainerplugin/xla/pjrt/pjrttest"
)

// realDevice is one of the plugin that SWEEP_PJRT_PLUGIN names; without one the
// test is skipped. docs/gpu.md says where one for CPUs is to be had.
func realDevice(t *testing.T) *Device {
	t.Helper()
	path := os.Getenv(pjrt.PluginVariable)
	if path == "" {
		t.Skipf("no real plugin: %s is not set", pjrt.PluginVariable)
	}
	d, err := OpenDevice(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(t, d) })
	return d
}

// standIn is a device of the stand-in plugin: it computes nothing and watches.
func standIn(t *testing.T, options map[string]any) *Device {
	t.Helper()
	if options == nil {
		options = map[string]any{"devices": int64(1)}
	}
	d, err := takeDevice(pjrttest.Open(t), nil, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(t, d) })
	return d
}

func closeAll(t *testing.T, all ...interface{ Close() error }) {
	t.Helper()
	for _, c := range all {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A sample is a small trial on glyphs and what it takes to train it.
type sample struct {
	job   trainerplugin.Job
	part  *dataset.Partition
	input model.Input
}

func newSample(t *testing.T, change func(*sweep.Params)) sample {
	t.Helper()
	p := sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 300, Validation: 100}, Model: "linear",
		Batch: 32, Clip: 1, LearnRate: 0.5, Steps: 4, EMA: 0.9, NoiseFrom: sweep.Seeded, Seed: 11,
	}
	if change != nil {
		change(&p)
	}
	set, err := dataset.Open(t.Context(), "", p.Data)
	if err != nil {
		t.Fatal(err)
	}
	part, err := set.Split(p.Data.Train, p.Data.Validation)
	if err != nil {
		t.Fatal(err)
	}
	return sample{
		trainerplugin.Job{Trial: p.ID(), Params: p, Dir: t.TempDir(), Threads: 1}, part,
		model.Input{Height: set.Height, Width: set.Width, Channels: set.Channels, Classes: len(set.Classes)},
	}
}

func (s sample) data() dpsgd.Data {
	p, held := s.job.Params, s.part.Validation
	return dpsgd.Data{
		Digest: s.part.Digest, Program: "test", Held: dpsgd.Examples{Len: held.Len(), At: held.At},
		Test: dpsgd.Examples{Len: s.part.Test.Len(), At: s.part.Test.At},
		View: func(step, i, k int, img []float32) int {
			return s.part.Train.View(img, p.Augment, dataset.Draw{Key: p.Seed, Step: step, Example: i, View: k})
		},
	}
}

func (s sample) settings() Settings {
	return Settings{Params: s.job.Params, Input: s.input, Precision: Full, Microbatch: 8, Train: s.part.Train.Pixels(), Held: s.part.Validation.Pixels()}
}

// executor makes an Executor that is closed with the test, before its device.
func (s sample) executor(t *testing.T, d *Device, change func(*Settings)) *Executor {
	t.Helper()
	settings := s.settings()
	if change != nil {
		change(&settings)
	}
	x, err := NewExecutor(d, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(t, x) })
	return x
}

// cpu is the engine that an Executor must agree with.
func (s sample) cpu(t *testing.T) *model.Engine {
	t.Helper()
	e, err := model.New(s.job.Params.Model, s.input, 2)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// train trains until step stop, or to the end if it is 0.
func (s sample) train(t *testing.T, e dpsgd.Engine, stop int) (sweep.Outcome, []trainerplugin.Event, error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var events []trainerplugin.Event
	o, err := dpsgd.Train(ctx, s.job, e, s.data(), func(e trainerplugin.Event) error {
		events = append(events, e)
		if p, ok := e.(trainerplugin.Progress); ok && p.Step == stop {
			cancel(errStop)
		}
		return nil
	})
	return o, events, err
}

var errStop = errors.New("host asked to stop")

// XLA's own compiler and the CPU engine train alike: batches, views, losses,
// norms, evaluations and weights. Noise is of two generators, so there is none.
func TestRealExecutorTrainsLikeTheCPU(t *testing.T) {
	d := realDevice(t)
	for name, change := range map[string]func(*sweep.Params){
		"linear": func(p *sweep.Params) { p.WeightDecay = 0.01 },
		"views": func(p *sweep.Params) {
			p.Model, p.AugMult, p.Augment, p.Momentum, p.Batch, p.Steps = "tanh-cnn", 3, sweep.CropFlip, 0.9, 12, 3
		},
		"adam": func(p *sweep.Params) {
			p.Optimizer, p.Beta1, p.Beta2, p.AdamEps, p.LearnRate, p.Clipping = sweep.Adam, 0.9, 0.999, 1e-3, 0.01, sweep.PerLayer
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSample(t, change)
			want, wants, err := s.train(t, s.cpu(t), 0)
			if err != nil {
				t.Fatal(err)
			}
			s.job.Dir = t.TempDir()
			x := s.executor(t, d, nil)
			got, gots, err := s.train(t, x, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(x.About())
			if math.Abs(got.Loss-want.Loss) > 2e-4*want.Loss || math.Abs(got.Accuracy-want.Accuracy) > 0.011 {
				t.Errorf("outcome %+v\nwant    %+v", got, want)
			}
			if len(gots) != len(wants) {
				t.Fatalf("%d events, want %d", len(gots), len(wants))
			}
			for i := range wants {
				a, okA := gots[i].(trainerplugin.Progress)
				b, okB := wants[i].(trainerplugin.Progress)
				near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-3*math.Abs(y) }
				if okA != okB || a.BatchSize != b.BatchSize || !near(a.Loss, b.Loss) || !near(a.GradNormMean, b.GradNormMean) ||
					!near(a.GradNormMax, b.GradNormMax) || a.ClippedShare != b.ClippedShare || a.LearnRate != b.LearnRate {
					t.Errorf("event %d is %+v\nwant %+v", i, gots[i], wants[i])
				}
			}
		})
	}
}

// A checkpoint of either executor is taken up by the other.
func TestRealExecutorResumes(t *testing.T) {
	d := realDevice(t)
	change := func(p *sweep.Params) { p.Momentum = 0.9 }
	whole := newSample(t, change)
	want, _, err := whole.train(t, whole.cpu(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, deviceFirst := range []bool{true, false} {
		s := newSample(t, change)
		engines := []dpsgd.Engine{s.cpu(t), s.executor(t, d, nil)}
		if deviceFirst {
			slices.Reverse(engines)
		}
		if _, _, err := s.train(t, engines[0], 2); !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		got, events, err := s.train(t, engines[1], 0)
		if err != nil {
			t.Fatal(err)
		}
		if started := events[0].(trainerplugin.Started); started.Step != 2 || math.Abs(got.Loss-want.Loss) > 1e-4 {
			t.Errorf("device first %t: went on at %d, loss %v, want %v", deviceFirst, started.Step, got.Loss, want.Loss)
		}
	}
}

// With noise a device's weights spread as they must: by η·σ/B for each step.
func TestRealExecutorAddsNoise(t *testing.T) {
	d := realDevice(t)
	var weights [][]float32
	for _, noise := range []float64{0, 2} {
		s := newSample(t, func(p *sweep.Params) { p.Noise, p.Steps = noise, 1 })
		x := s.executor(t, d, nil)
		if _, _, err := s.train(t, x, 0); err != nil {
			t.Fatal(err)
		}
		w := make([]float32, len(x.Init(0)))
		if err := x.Save(dpsgd.State{Weights: w, Average: make([]float64, len(w))}); err != nil {
			t.Fatal(err)
		}
		weights = append(weights, w)
	}
	var squares float64
	for i, w := range weights[1] {
		z := float64(w-weights[0][i]) / (0.5 * 2 / 32)
		squares += z * z
	}
	// The mean of 7,850 squares has a standard deviation of √(2/7850) = 0.016.
	if mean := squares / float64(len(weights[0])); math.Abs(mean-1) > 0.1 {
		t.Errorf("mean square of the noise is %v, want 1", mean)
	}
}

// The whole of an attempt makes only calls that a plugin allows, frees what it
// makes, and puts images on the device once.
func TestExecutorCallsThePlugin(t *testing.T) {
	d := standIn(t, nil)
	s := newSample(t, func(p *sweep.Params) { p.Optimizer, p.Beta1, p.Beta2, p.AdamEps = sweep.Adam, 0.9, 0.999, 1e-3 })
	s.job.EvaluateEvery, s.job.EvaluateTest = 2, true
	x := s.executor(t, d, func(settings *Settings) { settings.Test = s.part.Test.Pixels() })
	start := x.Init(s.job.Params.Seed)
	o, events, err := s.train(t, x, 0)
	if err != nil {
		t.Fatal(err)
	}
	if o.Accuracy != 0 || o.Steps != 4 || len(events) != 8 || events[7].(trainerplugin.Evaluation).Examples != s.part.Test.Len() { // it classifies nothing
		t.Errorf("%+v with %d events", o, len(events))
	}
	w, average := make([]float32, len(start)), make([]float64, len(start))
	if err := x.Save(dpsgd.State{Weights: w, Average: average, Moments: [][]float32{make([]float32, len(w)), make([]float32, len(w))}}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w, start) {
		t.Error("the weights that came back are not those that were loaded")
	}
	n := pjrttest.Counts(t, d.Plugin)
	// A trial run, four steps, and three evaluations of two sets of weights.
	if n["executions"] != 1+4+6 || n["violations"] != 0 {
		t.Errorf("counts %v", n)
	}
	// Images, labels and table of three parts; weights, average and two moments.
	if n["live_buffers"] != 13 {
		t.Errorf("%d buffers are alive", n["live_buffers"])
	}
	if a := x.About(); !strings.HasPrefix(a, "Stand-in 9000 in f32, microbatch 8 of 1 views, compiled in ") {
		t.Error(a)
	}
}

// The microbatch is halved until a step fits, whatever it is that does not, and
// what was found is where the next executor begins.
func TestMicrobatchIsFound(t *testing.T) {
	for name, options := range map[string]map[string]any{
		"compiling":   {"fail_compiles": int64(2)},
		"executing":   {"oom_at": int64(1), "oom_times": int64(2)},
		"late":        {"late_oom_at": int64(1), "oom_at": int64(2), "oom_times": int64(1)},
		"the program": {"limit": int64(1 << 30), "temporary": int64(2 << 30)},
	} {
		t.Run(name, func(t *testing.T) {
			options["devices"] = int64(1)
			d := standIn(t, options)
			s := newSample(t, nil)
			memory := &Memory{filepath.Join(t.TempDir(), "sweep", "microbatches.json")}
			x := s.executor(t, d, func(s *Settings) { s.Microbatch, s.Memory = 0, memory })
			_, _, err := s.train(t, x, 0)
			if name == "the program" {
				if !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), "not even one example at a time fits") || !strings.Contains(err.Error(), "takes 2048 MB and the device gives 1024 MB") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || x.Microbatch() != 8 { // 32, halved twice
				t.Fatalf("microbatch %d, error %v", x.Microbatch(), err)
			}
			if info, err := os.Stat(memory.File); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("memory: %v, error %v", info, err)
			}
			next := newSample(t, nil)
			y := next.executor(t, d, func(s *Settings) { s.Microbatch, s.Memory = 0, memory })
			before := pjrttest.Counts(t, d.Plugin)["executions"]
			if _, _, err := next.train(t, y, 0); err != nil || y.Microbatch() != 8 {
				t.Fatalf("then microbatch %d, error %v", y.Microbatch(), err)
			}
			if n := pjrttest.Counts(t, d.Plugin)["executions"] - before; n != 1+4+2 {
				t.Errorf("%d executions, want a trial run, four steps and two evaluations", n)
			}
		})
	}
}

// A microbatch that was asked for is kept or refused, with one that may fit.
func TestMicrobatchIsRefused(t *testing.T) {
	d := standIn(t, map[string]any{"devices": int64(1), "oom_at": int64(1), "oom_times": int64(1)})
	s := newSample(t, nil)
	_, _, err := s.train(t, s.executor(t, d, nil), 0)
	if !errors.Is(err, trainerplugin.ErrOutOfMemory) || !strings.Contains(err.Error(), "a microbatch of 8 does not fit into the device's memory; try 4") {
		t.Errorf("error %v", err)
	}
}

// Out of memory in the midst of a trial is no refusal, since it fitted before:
// the state is lost, and said to be.
func TestMemoryIsTakenAway(t *testing.T) {
	d := standIn(t, map[string]any{"devices": int64(1), "oom_at": int64(4), "oom_times": int64(1)})
	s := newSample(t, nil)
	x := s.executor(t, d, nil)
	_, _, err := s.train(t, x, 0)
	if err == nil || errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), "step 3: run step: PJRT_LoadedExecutable_Execute: RESOURCE_EXHAUSTED") ||
		!strings.Contains(err.Error(), "does another program use the device? A smaller one, such as 4, ") {
		t.Errorf("error %v", err)
	}
	if _, err := x.Step(t.Context(), &dpsgd.Update{Step: 4}); err == nil || !strings.Contains(err.Error(), "a step before failed") {
		t.Errorf("the step after: error %v", err)
	}
	if err := x.Save(dpsgd.State{}); err == nil || !strings.Contains(err.Error(), "the device has no state") {
		t.Errorf("save: error %v", err)
	}
}

func TestExecutorRefuses(t *testing.T) {
	d := standIn(t, nil)
	s := newSample(t, nil)
	for want, change := range map[string]func(*Settings){
		"unknown model":                    func(s *Settings) { s.Params.Model = "linea" },
		`precision "f16"`:                  func(s *Settings) { s.Precision = "f16" },
		"needs examples to train on":       func(s *Settings) { s.Train = dataset.Pixels{} },
		`there is no layer "conv" to free`: func(s *Settings) { s.Layers = []model.Option{model.TrainOnly("conv")} },
	} {
		settings := s.settings()
		change(&settings)
		if _, err := NewExecutor(d, settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	x := s.executor(t, d, nil)
	other := s.part.Train
	if _, err := x.Evaluate(t.Context(), x.Init(1), dpsgd.Examples{Len: 100, At: other.At}); err == nil || !strings.Contains(err.Error(), "example 0 is not the one that the device has") {
		t.Errorf("other examples: error %v", err)
	}
	if _, err := x.Evaluate(t.Context(), x.Init(1), dpsgd.Examples{Len: 99, At: other.At}); err == nil || !strings.Contains(err.Error(), "99 examples; the device has 100") {
		t.Errorf("fewer examples: error %v", err)
	}
}

func TestMemoryForgetsWhatIsDamaged(t *testing.T) {
	m := &Memory{filepath.Join(t.TempDir(), "m.json")}
	for _, text := range []string{"", "{", `{"k": "four"}`, `{"k": -4}`} {
		if err := os.WriteFile(m.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := m.recall("k"); got != 0 {
			t.Errorf("%q: recalls %d", text, got)
		}
		m.remember("k", 16)
		if got := m.recall("k"); got != 16 {
			t.Errorf("after %q: recalls %d", text, got)
		}
	}
	var none *Memory
	none.remember("k", 1)
	if none.recall("k") != 0 {
		t.Error("no memory remembers")
	}
}
