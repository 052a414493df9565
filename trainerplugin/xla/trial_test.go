package xla

import (
	"math"
	"math/rand/v2"
	"testing"

	"sweep"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
)

// A trial is what a test runs on both executors: a program's Config, images and
// weights, all drawn from fixed seeds.
type trial struct {
	Config
	set     *dataset.Set
	engine  *model.Engine
	weights []float32
	members []int // of the batch
	step    int
	key     uint64
}

func newTrial(t *testing.T, c Config) *trial {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	if c.Images == 0 {
		c.Images = 7
	}
	if c.Microbatch == 0 {
		c.Microbatch = 2
	}
	if c.Precision == "" {
		c.Precision = Full
	}
	c.Pixels = U8
	in := c.Input
	set := &dataset.Set{Name: "noise", Height: in.Height, Width: in.Width, Channels: in.Channels, Classes: make([]string, in.Classes)}
	for range in.Channels {
		set.Mean, set.Std = append(set.Mean, 0.3+r.Float64()/3), append(set.Std, 0.2+r.Float64()/5)
	}
	for range c.Images {
		for range set.PixelCount() {
			set.Train.Pixels = append(set.Train.Pixels, uint8(r.Uint32()))
		}
		set.Train.Labels = append(set.Train.Labels, uint16(r.IntN(in.Classes)))
	}
	e, err := model.New(c.Model, in, 1, c.Freeze...)
	if err != nil {
		t.Fatal(err)
	}
	if frozen := e.InitFrozen(3); len(frozen) > 0 {
		if err := e.SetFrozen(frozen); err != nil {
			t.Fatal(err)
		}
	}
	w := e.Init(3)
	for i := range w { // biases, offsets and gains too
		w[i] += float32(0.1 * r.NormFloat64())
	}
	return &trial{Config: c, set: set, engine: e, weights: w, members: []int{0, 2, 3, 5, 6}[:min(5, c.Images)], step: 9, key: 0x0123456789ABCD}
}

func (x *trial) image(i int) []uint8 {
	n := x.set.PixelCount()
	return x.set.Train.Pixels[i*n:][:n]
}

// batch is the CPU's, as package builtin makes it.
func (x *trial) batch() dpsgd.Batch {
	return dpsgd.Batch{Len: len(x.members), Views: x.Views, View: func(i, k int, img []float32) int {
		m := x.members[i]
		x.set.DrawView(img, x.image(m), x.Augment, dataset.Draw{Key: x.key, Step: x.step, Example: m, View: k})
		return int(x.set.Train.Labels[m])
	}}
}

// examples are the images without augmentation.
func (x *trial) examples() dpsgd.Examples {
	return dpsgd.Examples{Len: x.Images, At: func(i int, img []float32) int {
		x.set.DrawView(img, x.image(i), "", dataset.Draw{})
		return int(x.set.Train.Labels[i])
	}}
}

// input are the arguments of all programs.
func (x *trial) input(s StepInput) values {
	s.Count, s.Step, s.ViewKey = len(x.members), x.step, x.key
	indices, labels := make([]int32, x.Capacity()), make([]int32, x.Images)
	for i, m := range x.members {
		indices[i] = int32(m)
	}
	for i, l := range x.set.Train.Labels {
		labels[i] = int32(l)
	}
	var table []float32
	for c := range x.set.Mean {
		for v := range 256 {
			table = append(table, float32((float64(v)/255-x.set.Mean[c])/x.set.Std[c]))
		}
	}
	return values{
		Images: x.set.Train.Pixels, Labels: labels, Table: table, Indices: indices,
		Words: s.Words(), Scalars: s.Scalars(), Weights: x.weights, Frozen: x.engine.InitFrozen(3),
	}
}

// must fails the test unless lowering succeeded.
func must(t *testing.T) func(*Program, error) *Program {
	return func(p *Program, err error) *Program {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

// distance is ‖a - b‖/‖b‖.
func distance(a, b []float32) float64 {
	var d, n float64
	for i, x := range b {
		d += (float64(a[i]) - float64(x)) * (float64(a[i]) - float64(x))
		n += float64(x) * float64(x)
	}
	if d == 0 {
		return 0
	}
	return math.Sqrt(d / n)
}

// compareGradients runs the first half of a step on m and on the CPU engine.
func compareGradients(t *testing.T, m machine, x *trial, clip, tolerance float64) {
	t.Helper()
	p := must(t)(LowerGradients(x.Config))
	got := call(t, m, p, x.input(StepInput{Clip: clip}))
	sum := make([]float32, len(x.weights))
	stats, err := x.engine.SumClipped(t.Context(), x.weights, x.batch(), dpsgd.Clipping{Kind: x.Clipping, Norm: clip}, sum)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.Capacity() {
		var norm, loss float64
		if i < len(x.members) {
			norm, loss = stats.Norms[i], stats.Losses[i]
		}
		if g := float64(got.f32(Norms)[i]); math.Abs(g-norm) > tolerance*norm {
			t.Errorf("norm of example %d is %v on the device and %v on the CPU", i, g, norm)
		}
		if g := float64(got.f32(Losses)[i]); math.Abs(g-loss) > tolerance*loss {
			t.Errorf("loss of example %d is %v on the device and %v on the CPU", i, g, loss)
		}
	}
	if d := distance(got.f32(Sum), sum); !(d <= tolerance) {
		t.Errorf("clipped sums differ by %.2g of their length", d)
	}
	s := ParseReport(got.f64(Report))
	var squares float64
	for _, v := range sum {
		squares += float64(v) * float64(v)
	}
	if s.NonFinite != stats.NonFinite || s.FiniteLosses != len(x.members) || math.Abs(s.SumSquares-squares) > 3*tolerance*squares {
		t.Errorf("report %+v; %d not finite, %d examples, sum of squares %v", s, stats.NonFinite, len(x.members), squares)
	}
	flags := got[Clipped].([]bool)
	for i, want := range stats.Clipped {
		if flags[i] != want {
			t.Errorf("example %d is clipped: %t on the device and %t on the CPU", i, flags[i], want)
		}
	}
}

var small = model.Input{Height: 8, Width: 8, Channels: 3, Classes: 10}

func TestGradients(t *testing.T) {
	for name, c := range map[string]Config{
		"linear":        {Model: "linear", Input: model.Input{Height: 3, Width: 5, Channels: 1, Classes: 4}, Views: 1},
		"linear, K=3":   {Model: "linear", Input: small, Views: 3, Augment: sweep.Crop},
		"wrn-10-1":      {Model: "wrn-10-1", Input: small, Views: 1, Augment: sweep.Flip},
		"wrn-10-1, K=2": {Model: "wrn-10-1", Input: small, Views: 2, Augment: sweep.CropFlip},
		"tanh-cnn, K=2": {Model: "tanh-cnn", Input: model.Input{Height: 14, Width: 13, Channels: 1, Classes: 3}, Views: 2, Augment: sweep.CropFlip},
		"tanh-cnn":      {Model: "tanh-cnn", Input: model.Input{Height: 13, Width: 17, Channels: 2, Classes: 7}, Views: 1},
	} {
		t.Run(name, func(t *testing.T) {
			compareGradients(t, interpreter{}, newTrial(t, c), 0.5, 2e-5)
		})
	}
}
