package op

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
)

// What TensorFlow's guide to padding gives: output ⌈n/s⌉, total padding
// max((out-1)·s + k - n, 0), the smaller half before.
func TestSamePadding(t *testing.T) {
	tests := []struct {
		n    int
		w    Window
		want span
	}{
		{28, Window{8, 2, Same}, span{28, 14, 3, 3}},
		{32, Window{3, 1, Same}, span{32, 32, 1, 1}},
		{32, Window{3, 2, Same}, span{32, 16, 0, 1}}, // 0 before and 1 after: paper.md, section 2
		{16, Window{1, 2, Same}, span{16, 8, 0, 0}},
		{7, Window{3, 2, Same}, span{7, 4, 1, 1}},
		{13, Window{4, 2, Valid}, span{13, 5, 0, 0}},
		{5, Window{2, 3, Valid}, span{5, 2, 0, 0}},
	}
	for _, tt := range tests {
		if got, err := tt.w.along(tt.n); err != nil || got != tt.want {
			t.Errorf("%+v along %d: %+v, %v; want %+v", tt.w, tt.n, got, err, tt.want)
		}
	}
}

// layouts are all kinds, of sizes that fill blocks and that do not.
func layouts() map[string]*Param {
	filter := func(f *filters) []Tensor {
		return []Tensor{{"w", []int{f.height, f.width, f.in, f.out}, nil}}
	}
	plain := &filters{height: 3, width: 2, in: 20, out: 35, lanes: 16, turn: true}
	first := &filters{height: 5, width: 5, in: 3, out: 16, lanes: 3}
	std := &filters{height: 3, width: 3, in: 17, out: 18, lanes: 16, turn: true}
	return map[string]*Param{
		"filters":      {Tensors: filter(plain), layout: plain, shape: []int{3, 2, 20, 35}},
		"first":        {Tensors: filter(first), layout: first, shape: []int{5, 5, 3, 16}},
		"channelwise":  {Tensors: []Tensor{{"b", []int{21}, nil}}, layout: channelwise(21), shape: []int{21}},
		"standardised": {Tensors: append(filter(std), Tensor{"gain", []int{18}, nil}), layout: &standardised{filters: std}, shape: []int{3, 3, 17, 18}},
	}
}

// unpack is the transpose of the Jacobian of pack, so for a packed g and a
// small step d: ⟨g, pack(w+d) - pack(w)⟩ = ⟨unpack(g), d⟩. And normSq is the
// square of unpack's norm.
func TestLayouts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, p := range layouts() {
		n := p.Size()
		w, d := make([]float32, n), make([]float32, n)
		for i := range w {
			w[i], d[i] = float32(r.NormFloat64()), float32(1e-3*r.NormFloat64())
		}
		v := p.NewValue()
		packed := func(scale float32) []float32 {
			moved := make([]float32, n)
			for i := range moved {
				moved[i] = w[i] + scale*d[i]
			}
			p.Pack(v, moved)
			return append([]float32(nil), v.mem...)
		}
		up, down := packed(1), packed(-1)
		mid := packed(0)
		g := make([]float32, p.Packed())
		for i := range g {
			if mid[i] != 0 { // the lanes that are never used stay zero
				g[i] = float32(r.NormFloat64())
			}
		}
		flat := make([]float32, n)
		p.Unpack(v, g, flat)

		var left, right, square, size float64
		for i := range g {
			left += float64(g[i]) * (float64(up[i]) - float64(down[i])) / 2
		}
		for i := range flat {
			right += float64(flat[i]) * float64(d[i])
			square += float64(flat[i]) * float64(flat[i])
			size += float64(d[i]) * float64(d[i])
		}
		// Differences of float32 numbers of size 1, summed.
		if tolerance := 1e-4 * math.Sqrt(square*size); math.Abs(left-right) > tolerance {
			t.Errorf("%s: a step changes the packed weights by %v along g, unpack says %v ± %v", name, left, right, tolerance)
		}
		if got := p.NormSq(v, g); math.Abs(got-square) > 2e-6*square {
			t.Errorf("%s: squared norm %v, unpack's is %v", name, got, square)
		}
	}
}

// The gradient with respect to a parameter itself is the sum over the examples
// of the gradients with respect to its replicas. Training never asks for it.
func TestReplicasSumUp(t *testing.T) {
	b := NewBuilder(3, 1)
	x, labels, weights := b.Images(4, 5, 2), b.PerImage("labels"), b.PerImage("weights")
	loss := b.CrossEntropy(b.Dense("dense", x, 4, GlorotUniform), labels)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	grads, err := G.Backpropagate(G.Nodes{loss}, G.Nodes{weights}, append(b.leaves[:1:1], b.replicas[0]))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, 2))
	var values []*Value
	for _, p := range b.Params {
		v := p.NewValue()
		w := make([]float32, p.Size())
		p.Tensors[0].Init(r, w)
		p.Pack(v, w)
		values = append(values, v)
	}
	if err := b.Bind(values); err != nil {
		t.Fatal(err)
	}
	for _, n := range (G.Nodes{x, labels, weights}) {
		v := ValueOf(n)
		v.Alloc()
		for i := range v.mem {
			v.mem[i] = float32(r.IntN(4))
		}
	}
	b.Group.Active = 3
	vm := G.NewTapeMachine(b.Graph)
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	whole, each := ValueOf(grads[0]), ValueOf(grads[1])
	for i, got := range whole.mem {
		want := each.of(0)[i] + each.of(1)[i] + each.of(2)[i]
		if math.Abs(float64(got-want)) > 1e-6 {
			t.Fatalf("gradient %d of the weights: %v, the examples' sum up to %v", i, got, want)
		}
	}
}

func TestLayersThatDoNotFit(t *testing.T) {
	tests := []struct {
		want  string
		build func(b *Builder, x *G.Node)
	}{
		{"big: window of 9 does not fit in 6 pixels", func(b *Builder, x *G.Node) {
			b.Conv("big", x, 4, Window{9, 1, Valid}, Zeros)
		}},
		{"none: window of size 0", func(b *Builder, x *G.Node) { b.Conv("none", x, 4, Window{0, 1, Same}, Zeros) }},
		{"early: images must go through", func(b *Builder, x *G.Node) { b.Tanh("early", x) }},
		{"norm: 20 channels are no whole number of 16 groups", func(b *Builder, x *G.Node) {
			b.ReluGroupNorm("norm", b.Conv("conv", x, 20, Window{3, 1, Same}, Zeros), 16)
		}},
		{"join: shapes", func(b *Builder, x *G.Node) {
			b.Add("join", b.Conv("a", x, 20, Window{3, 1, Same}, Zeros), b.Conv("b", x, 21, Window{3, 1, Same}, Zeros))
		}},
		{"pool: window of 7 does not fit", func(b *Builder, x *G.Node) {
			b.AveragePool("pool", b.Conv("conv", x, 4, Window{3, 1, Same}, Zeros), Window{7, 2, Valid})
		}},
		{"skip: shapes", func(b *Builder, x *G.Node) {
			b.SkipInit("skip", b.Conv("a", x, 20, Window{3, 1, Same}, Zeros), b.Conv("b", x, 21, Window{3, 1, Same}, Zeros), 1, Ones)
		}},
		{"split: 32 channels to 32 are no whole number of blocks of 16 in each of 4 groups", func(b *Builder, x *G.Node) {
			b.ConvGrouped("split", b.Conv("a", x, 32, Window{3, 1, Same}, Zeros), 32, 4, Window{3, 1, Same}, Zeros)
		}},
		{"out: 0 features", func(b *Builder, x *G.Node) { b.Dense("out", x, 0, Zeros) }},
	}
	for _, tt := range tests {
		b := NewBuilder(1, 1)
		tt.build(b, b.Images(6, 6, 3))
		if err := b.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q in it", err, tt.want)
		}
	}
	b := NewBuilder(1, 1)
	if b.Images(2, 2, 17); b.Err() == nil || !strings.Contains(b.Err().Error(), "17 channels") {
		t.Errorf("images of 17 channels: %v", b.Err())
	}
}

// A kernel that panics becomes an error that names the layer, in a program and
// in Gorgonia's machine, which runs it on a goroutine of its own.
func TestPanicNamesTheLayer(t *testing.T) {
	b := NewBuilder(1, 1)
	x := b.Images(3, 3, 1)
	h := b.Dense("dense7", x, 4, GlorotUniform)
	b.Group.Active = 1
	ValueOf(x).Alloc() // the parameters are left without memory
	prog, locations, err := G.CompileFunction(b.Graph, G.Nodes{x}, G.Nodes{h})
	if err != nil {
		t.Fatal(err)
	}
	program, err := NewProgram(b.Group, G.Nodes{h})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{program.Run(), G.NewTapeMachine(b.Graph, G.WithPrecompiled(prog, locations)).RunAll()} {
		if err == nil || !strings.Contains(err.Error(), "dense7: dense") {
			t.Errorf("error %v does not name the layer", err)
		}
	}
}
