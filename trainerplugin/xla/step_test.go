package xla

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
)

// settings are what a step is told; their values are odd on purpose.
var settings = StepInput{
	Clip: 0.7, NoiseStd: 1.3, Batch: 4, LearnRate: 0.6, WeightDecay: 0.03, EMA: 0.8,
	Momentum: 0.9, Beta1: 0.85, Beta2: 0.97, AdamEps: 1e-3, Share1: 1 - 0.85, Share2: 1 - 0.97, Noise: noiseKey,
}

// A state is what a step brings forward.
type state struct {
	weights []float32
	average []float64
	moments [][]float32
}

// stepOnCPU is an update as dpsgd.Train documents it, of the CPU engine's clipped
// sum, with the device's noise.
func stepOnCPU(t *testing.T, x *trial, s StepInput, old state) state {
	t.Helper()
	sum := make([]float32, len(old.weights))
	if _, err := x.engine.SumClipped(t.Context(), old.weights, x.batch(), dpsgd.Clipping{Kind: x.Clipping, Norm: s.Clip}, sum); err != nil {
		t.Fatal(err)
	}
	z := reference(t, s.Noise, len(sum))
	next := state{slices.Clone(old.weights), slices.Clone(old.average), nil}
	for _, m := range old.moments {
		next.moments = append(next.moments, slices.Clone(m))
	}
	for j := range sum {
		g := (float64(sum[j]) + s.NoiseStd*z[j]) / s.Batch
		switch {
		case x.Optimizer == sweep.Adam:
			m, v := &next.moments[0][j], &next.moments[1][j]
			*m = float32(s.Beta1*float64(*m) + (1-s.Beta1)*g)
			*v = float32(s.Beta2*float64(*v) + (1-s.Beta2)*g*g)
			g = float64(*m) / s.Share1 / (math.Sqrt(float64(*v)/s.Share2) + s.AdamEps)
		case x.Momentum:
			m := &next.moments[0][j]
			*m = float32(s.Momentum*float64(*m) + g)
			g = float64(*m)
		}
		w := float64(next.weights[j])
		next.weights[j] = float32(w - s.LearnRate*(g+s.WeightDecay*w))
		next.average[j] = s.EMA*next.average[j] + (1-s.EMA)*float64(next.weights[j])
	}
	return next
}

// start is a state whose average and moments are not those of a first step.
func (x *trial) start() state {
	s := state{weights: x.weights}
	for i, w := range x.weights {
		s.average = append(s.average, float64(w)+1e-3*float64(i%7))
	}
	for i := range x.moments() {
		m := make([]float32, len(x.weights))
		for j := range m {
			m[j] = 0.01 * float32(1+i+j%5)
		}
		s.moments = append(s.moments, m)
	}
	return s
}

func (s state) arguments() values {
	v := values{Weights: s.weights, Average: s.average}
	for i, m := range s.moments {
		v[[]string{Moment0, Moment1}[i]] = m
	}
	return v
}

// Two steps, the second from what the first returned.
func TestStep(t *testing.T) {
	tanh := model.Input{Height: 13, Width: 15, Channels: 1, Classes: 3}
	for name, c := range map[string]Config{
		"sgd, empty batch":       {Model: "linear", Input: small, Views: 1},
		"momentum, automatic":    {Model: "linear", Input: small, Views: 2, Augment: sweep.Flip, Momentum: true, Clipping: sweep.Automatic},
		"adam, per layer":        {Model: "tanh-cnn", Input: tanh, Views: 2, Augment: sweep.CropFlip, Optimizer: sweep.Adam, Clipping: sweep.PerLayer},
		"sgd, one view, flat":    {Model: "tanh-cnn", Input: tanh, Views: 1, Augment: sweep.Crop, Microbatch: 3},
		"sgd, batch of all":      {Model: "linear", Input: small, Views: 1, Images: 4, Microbatch: 4},
		"sgd, one at a time":     {Model: "linear", Input: small, Views: 3, Augment: sweep.Crop, Microbatch: 1},
		"sgd, layers are frozen": {Model: "tanh-cnn", Input: tanh, Views: 1, Freeze: []model.Option{model.Freeze("conv1", "dense1")}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrial(t, c)
			if strings.Contains(name, "empty") {
				x.members = nil
			}
			if strings.Contains(name, "all") {
				x.members = []int{0, 1, 2, 3}
			}
			p := must(t)(LowerStep(x.Config))
			eachMachine(t, func(t *testing.T, m machine) { compareSteps(t, m, p, x) })
		})
	}
}

func compareSteps(t *testing.T, m machine, p *Program, x *trial) {
	old := x.start()
	for n := range 2 {
		s := settings
		s.Noise[0] += byte(n)
		in := x.input(s)
		maps.Copy(in, old.arguments())
		got := call(t, m, p, in)
		want := stepOnCPU(t, x, s, old)
		next := state{weights: got.f32(Weights), average: got.f64(Average)}
		for i := range x.moments() {
			next.moments = append(next.moments, got.f32([]string{Moment0, Moment1}[i]))
		}
		// What the step changed, not what there was, is what must agree.
		if d := distance(minus(next.weights, old.weights), minus(want.weights, old.weights)); !(d <= 3e-5) {
			t.Errorf("step %d: weights move otherwise by %.2g of their way", n, d)
		}
		for i := range want.moments {
			if d := distance(minus(next.moments[i], old.moments[i]), minus(want.moments[i], old.moments[i])); !(d <= 3e-5) {
				t.Errorf("step %d: moment %d moves otherwise by %.2g of its way", n, i, d)
			}
		}
		for j, a := range next.average {
			w := s.EMA*old.average[j] + (1-s.EMA)*float64(next.weights[j])
			if math.Abs(a-w) > 1e-15*(1+math.Abs(w)) {
				t.Fatalf("step %d: average of weight %d is %v, want %v", n, j, a, w)
			}
		}
		if r := ParseReport(got.f64(Report)); r.Diverged || r.FiniteLosses != len(x.members) {
			t.Errorf("step %d: report %+v", n, r)
		}
		old = next
	}
}

func minus(a, b []float32) []float32 {
	out := make([]float32, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}

// A gradient that is not finite counts as zero, whatever else is in its
// microbatch; the step is otherwise that of the batch without it.
func TestNonFinite(t *testing.T) {
	for _, views := range []int{1, 2} {
		c := Config{Model: "tanh-cnn", Input: model.Input{Height: 13, Width: 15, Channels: 1, Classes: 3}, Views: views, Images: 3, Microbatch: 3, Pixels: F32, Precision: Full}
		x := newTrial(t, c)
		x.Config.Pixels = F32
		p := must(t)(LowerGradients(x.Config))
		in := x.input(StepInput{Clip: 1})
		pixels := make([]float32, c.Images*x.set.PixelCount())
		for i := range pixels {
			pixels[i] = float32(i%17)/8 - 1
		}
		pixels[x.set.PixelCount()+5] = float32(math.NaN())
		in[Images], in[Indices] = pixels, []int32{0, 1, 2}
		in[Words] = StepInput{Count: 3}.Words()
		eachMachine(t, func(t *testing.T, m machine) {
			all := call(t, m, p, in)
			without := maps.Clone(in)
			without[Indices], without[Words] = []int32{0, 2, 0}, StepInput{Count: 2}.Words()
			two := call(t, m, p, without)
			if r := ParseReport(all.f64(Report)); r.NonFinite != 1 || r.FiniteLosses != 2 || r.NormSum == 0 || all.f32(Norms)[1] != 0 {
				t.Errorf("K=%d: report %+v, norms %v", views, r, all.f32(Norms))
			}
			if d := distance(all.f32(Sum), two.f32(Sum)); !(d < 1e-6) {
				t.Errorf("K=%d: sums with and without the example differ by %.2g", views, d)
			}
		})
	}
}

// Weights that are no longer finite are reported.
func TestDiverged(t *testing.T) {
	x := newTrial(t, Config{Model: "linear", Input: small, Views: 1})
	p := must(t)(LowerStep(x.Config))
	s := settings
	s.LearnRate = 1e300
	in := x.input(s)
	maps.Copy(in, x.start().arguments())
	if r := ParseReport(call(t, interpreter{}, p, in).f64(Report)); !r.Diverged {
		t.Errorf("report %+v", r)
	}
}

func TestEvaluate(t *testing.T) {
	for _, c := range []Config{
		{Model: "tanh-cnn", Input: model.Input{Height: 13, Width: 15, Channels: 1, Classes: 3}, Images: 7, Microbatch: 3},
		{Model: "linear", Input: small, Images: 4, Microbatch: 2},
	} {
		x := newTrial(t, c)
		p := must(t)(LowerEvaluate(x.Config))
		want, err := x.engine.Evaluate(t.Context(), x.weights, x.examples())
		if err != nil {
			t.Fatal(err)
		}
		eachMachine(t, func(t *testing.T, m machine) {
			got := call(t, m, p, x.input(StepInput{}))
			if n := got[Correct].([]int32)[0]; int(n) != want.Correct {
				t.Errorf("%d right, %d on the CPU", n, want.Correct)
			}
			if l := got.f64(LossSum)[0]; math.Abs(l-want.LossSum) > 1e-5*want.LossSum {
				t.Errorf("losses sum up to %v, %v on the CPU", l, want.LossSum)
			}
		})
		broken := x.input(StepInput{})
		broken[Weights] = slices.Repeat([]float32{float32(math.NaN())}, len(x.weights))
		if got := call(t, interpreter{}, p, broken); got[Correct].([]int32)[0] != 0 {
			t.Error("answers of a broken model are right")
		}
	}
}
