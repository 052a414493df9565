package model

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"sweep/trainerplugin/dpsgd"
)

// split divides weights of the whole model into those of e and its frozen ones.
func split(t *testing.T, whole, e *Engine, w []float32) (trained, frozen []float32) {
	t.Helper()
	isFrozen := map[string]bool{}
	for _, tensor := range e.Frozen() {
		isFrozen[tensor.Name] = true
	}
	for _, tensor := range whole.Tensors() {
		n := tensor.Size()
		if isFrozen[tensor.Name] {
			frozen = append(frozen, w[:n]...)
		} else {
			trained = append(trained, w[:n]...)
		}
		w = w[n:]
	}
	if len(frozen) == 0 || len(trained) == 0 {
		t.Fatalf("%d weights are trained and %d frozen", len(trained), len(frozen))
	}
	return trained, frozen
}

var freezings = []struct {
	name    string
	options []Option
}{
	{"last layer", []Option{TrainOnly("classifier")}},
	{"first layers", []Option{Freeze("stem", "group1")}},
	{"a group", []Option{Freeze("group2")}},
	{"one block's convolutions", []Option{TrainOnly("group2/block1/conv1", "group2/block1/conv2")}},
	{"both ways", []Option{TrainOnly("group2", "classifier"), Freeze("group2/block1/skip")}},
}

// What is trained has the gradient that it has in the whole model, from the
// float64 reference, and its norm is of that part alone.
func TestFrozenGradients(t *testing.T) {
	in := Input{7, 8, 3, 4}
	whole := open(t, "wrn-10-1", in, 1)
	w := perturbed(whole, 7)
	for _, tt := range freezings {
		e, err := New("wrn-10-1", in, 2, tt.options...)
		if err != nil {
			t.Fatal(err)
		}
		trained, frozen := split(t, whole, e, w)
		if err := e.SetFrozen(frozen); err != nil {
			t.Fatal(err)
		}
		for _, views := range []int{1, 3} {
			b := one(noisyBatch(5, views, in.Classes), 3)
			_, grad := reference(wideNetwork(10, 1), in, w, b)
			grad32 := make([]float32, len(grad))
			for i, g := range grad {
				grad32[i] = float32(g)
			}
			want, _ := split(t, whole, e, grad32)
			const clip = 1 << 20
			got, stats := clippedSum(t, e, trained, b, clip)
			off := 0.0
			for i, g := range got {
				off += math.Pow(clip*float64(g)-float64(want[i]), 2)
			}
			if size := norm(want); math.Sqrt(off) > 5e-6*size || math.Abs(stats.Norms[0]-size) > 5e-6*size {
				t.Errorf("%s, K = %d: off by %v of %v, norm %v", tt.name, views, math.Sqrt(off), size, stats.Norms[0])
			}
		}
	}
}

// Freezing changes neither fresh weights nor what the model says.
func TestFrozenForward(t *testing.T) {
	in := Input{7, 8, 3, 4}
	whole := open(t, "wrn-10-1", in, 1)
	x := dpsgd.Examples{Len: 20, At: func(i int, img []float32) int { noise(i, 0, img); return i % in.Classes }}
	want, err := whole.Evaluate(t.Context(), whole.Init(3), x)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range freezings {
		e, err := New("wrn-10-1", in, 1, tt.options...)
		if err != nil {
			t.Fatal(err)
		}
		trained, frozen := split(t, whole, e, whole.Init(3))
		if !slices.Equal(e.Init(3), trained) || !slices.Equal(e.InitFrozen(3), frozen) {
			t.Errorf("%s: fresh weights are not the whole model's", tt.name)
		}
		if err := e.SetFrozen(frozen); err != nil {
			t.Fatal(err)
		}
		if got, err := e.Evaluate(t.Context(), trained, x); err != nil || got != want {
			t.Errorf("%s: %+v, %v; the whole model has %+v", tt.name, got, err, want)
		}
	}
}

// Frozen layers cost no gradient: training the classifier alone takes one
// forward pass and the product that is its own gradient, and no memory for
// anything else's.
func TestFrozenCosts(t *testing.T) {
	in := Input{32, 32, 3, 10}
	whole, err := Describe("wrn-16-4", in, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	last, err := Describe("wrn-16-4", in, 1, 1, TrainOnly("classifier"))
	if err != nil {
		t.Fatal(err)
	}
	const classifier = 256 * 10 // of its weights, and as many multiply-adds
	if want := 2 * (whole.Multiplies + classifier); last.Parameters != classifier+10 || last.ExampleFLOP != want {
		t.Errorf("%d weights at %d FLOP; want %d at %d", last.Parameters, last.ExampleFLOP, classifier+10, want)
	}
	// The whole model's gradient, its sum and its total are 11 MB each.
	if saved := whole.MemoryBytes - last.MemoryBytes; saved < 3*4*whole.Parameters {
		t.Errorf("freezing saves %d bytes of %d", saved, whole.MemoryBytes)
	}
}

// The paper gives 2.36 GFLOP for WRN-16-4, forward and backward.
func TestExampleFLOP(t *testing.T) {
	d, err := Describe("wrn-16-4", Input{32, 32, 3, 10}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := float64(d.ExampleFLOP) / 1e9; math.Abs(got-2.36) > 0.01 {
		t.Errorf("%v GFLOP, want 2.36", got)
	}
}

func TestBadFreezing(t *testing.T) {
	for want, options := range map[string][]Option{
		`build tanh-cnn for images of 28×28×1: there is no layer "conv" to freeze or train; the layers are conv1, conv2, dense1, classifier`: {Freeze("conv")},
		`there is no layer "conv1/w"`:   {TrainOnly("classifier", "conv1/w")},
		`there is no layer "fc"`:        {TrainOnly("fc")},
		"no parameter is left to train": {Freeze("conv1", "conv2", "dense1", "classifier")},
		"no layer is named":             {TrainOnly()},
	} {
		if _, err := New("tanh-cnn", mnist, 1, options...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	e, err := New("tanh-cnn", mnist, 1, TrainOnly("classifier"))
	if err != nil {
		t.Fatal(err)
	}
	w := e.Init(1)
	if _, err := e.ClippedSum(t.Context(), w, noisyBatch(1, 1, 10), 1, make([]float32, len(w))); err == nil || !strings.Contains(err.Error(), "frozen weights of tanh-cnn have not been set") {
		t.Errorf("without frozen weights: %v", err)
	}
	frozen := e.InitFrozen(1)
	if err := e.SetFrozen(frozen[1:]); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("tanh-cnn has %d", len(frozen))) {
		t.Errorf("too few frozen weights: %v", err)
	}
	frozen[3] = float32(math.NaN())
	if err := e.SetFrozen(frozen); err == nil || !strings.Contains(err.Error(), "frozen weight 3 of tanh-cnn is NaN") {
		t.Errorf("frozen weights that are none: %v", err)
	}
}
