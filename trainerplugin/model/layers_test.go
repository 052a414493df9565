package model

import (
	"testing"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// Each layer once, between a convolution and a dense layer, against the
// float64 reference.
func TestLayerGradients(t *testing.T) {
	same := func(size, stride int) op.Window { return op.Window{Size: size, Stride: stride, Padding: op.Same} }
	valid := func(size, stride int) op.Window { return op.Window{Size: size, Stride: stride} }
	tests := []struct {
		name  string
		layer func(b *op.Builder, x *G.Node) *G.Node
		want  func(t *tape64, x *array) *array
	}{
		{"relu", func(b *op.Builder, x *G.Node) *G.Node { return b.ScaledReLU("f", x, op.ReLUGain) },
			func(t *tape64, x *array) *array { return t.scaledRelu(x, 1.7139588594436646) }},
		{"selu", func(b *op.Builder, x *G.Node) *G.Node { return b.SELU("f", x) }, (*tape64).selu},
		{"gelu", func(b *op.Builder, x *G.Node) *G.Node { return b.ExactGELU("f", x, op.GELUGain) },
			func(t *tape64, x *array) *array { return t.gelu(x, 1.7015043497085571) }},
		{"geluTanh", func(b *op.Builder, x *G.Node) *G.Node { return b.ScaledGELU("f", x, op.GELUGain) },
			func(t *tape64, x *array) *array { return t.geluTanh(x, 1.7015043497085571) }},
		{"max 3/2 same", func(b *op.Builder, x *G.Node) *G.Node { return b.MaxPool("p", x, same(3, 2)) },
			func(t *tape64, x *array) *array { return t.maxPool(x, 3, 2, true) }},
		{"max 5/1 same", func(b *op.Builder, x *G.Node) *G.Node { return b.MaxPool("p", x, same(5, 1)) },
			func(t *tape64, x *array) *array { return t.maxPool(x, 5, 1, true) }},
		{"max 3/2 valid", func(b *op.Builder, x *G.Node) *G.Node { return b.MaxPool("p", x, valid(3, 2)) },
			func(t *tape64, x *array) *array { return t.maxPool(x, 3, 2, false) }},
		{"average 2/2 same", func(b *op.Builder, x *G.Node) *G.Node { return b.AveragePool("p", x, same(2, 2)) },
			func(t *tape64, x *array) *array { return t.averagePool(x, 2, 2, true) }},
		{"average 4/3 same", func(b *op.Builder, x *G.Node) *G.Node { return b.AveragePool("p", x, same(4, 3)) },
			func(t *tape64, x *array) *array { return t.averagePool(x, 4, 3, true) }},
		{"average 3/1 valid", func(b *op.Builder, x *G.Node) *G.Node { return b.AveragePool("p", x, valid(3, 1)) },
			func(t *tape64, x *array) *array { return t.averagePool(x, 3, 1, false) }},
		{"squeeze-excite", func(b *op.Builder, x *G.Node) *G.Node { return b.SqueezeExcite("se", x, 5, 2, op.FanInNormal) },
			func(t *tape64, x *array) *array { return t.squeezeExcite(x, 5, 2) }},
		{"skip-init", func(b *op.Builder, x *G.Node) *G.Node {
			h := b.ConvStandardised("conv1", x, 33, same(3, 1), op.FanInNormal)
			return b.SkipInit("join", x, h, 0.2, op.Ones)
		}, func(t *tape64, x *array) *array {
			return t.skipInit(x, t.standardised(x, filter{3, 33, 1, true}), 0.2)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := architecture{name: "layer", build: func(b *op.Builder, x *G.Node, classes int) *G.Node {
				x = b.Conv("conv0", x, 33, same(3, 1), op.FanInNormal)
				return b.Dense("dense", tt.layer(b, x), classes, op.FanInNormal)
			}}
			n := func(t *tape64, x *array, classes int) *array {
				return t.dense(tt.want(t, t.plain(x, filter{3, 33, 1, true})), classes)
			}
			checkArchitecture(t, a, n, Input{7, 6, 3, 4})
		})
	}
}

// Groups of channels, on one block each and several, at either stride.
func TestGroupedConvolutionGradients(t *testing.T) {
	for _, tt := range []struct{ in, out, groups, stride int }{
		{32, 32, 2, 1}, {96, 48, 3, 2}, {64, 64, 2, 2}, {48, 144, 3, 1}, {96, 96, 2, 1},
	} {
		same := op.Window{Size: 3, Stride: 1, Padding: op.Same}
		second := op.Window{Size: 3, Stride: tt.stride, Padding: op.Same}
		a := architecture{name: "grouped", build: func(b *op.Builder, x *G.Node, classes int) *G.Node {
			x = b.Tanh("tanh", b.Conv("conv0", x, tt.in, same, op.FanInNormal))
			x = b.ConvStandardisedGrouped("conv1", x, tt.out, tt.groups, second, op.FanInNormal)
			return b.Dense("dense", x, classes, op.FanInNormal)
		}}
		n := func(t *tape64, x *array, classes int) *array {
			x = t.tanh(t.plain(x, filter{3, tt.in, 1, true}))
			return t.dense(t.standardisedGrouped(x, filter{3, tt.out, tt.stride, true}, tt.groups), classes)
		}
		checkArchitecture(t, a, n, Input{5, 4, 2, 3})
	}
}

// Convolutions that Winograd's serve, on an image in one strip and in two of
// unequal height, with blocks of channels that are not full and an odd number.
func TestWinogradGradients(t *testing.T) {
	for _, tt := range []struct{ height, width, in, out int }{
		{8, 6, 32, 32}, {16, 16, 40, 96}, {16, 16, 96, 33},
	} {
		same := op.Window{Size: 3, Stride: 1, Padding: op.Same}
		a := architecture{name: "winograd", build: func(b *op.Builder, x *G.Node, classes int) *G.Node {
			x = b.Tanh("tanh", b.Conv("conv0", x, tt.in, same, op.FanInNormal))
			x = b.ConvStandardised("conv1", x, tt.out, same, op.FanInNormal)
			return b.Dense("dense", b.GlobalAverage("average", b.Tanh("tanh1", x)), classes, op.FanInNormal)
		}}
		n := func(t *tape64, x *array, classes int) *array {
			x = t.tanh(t.plain(x, filter{3, tt.in, 1, true}))
			return t.dense(t.average(t.tanh(t.standardised(x, filter{3, tt.out, 1, true}))), classes)
		}
		checkArchitecture(t, a, n, Input{tt.height, tt.width, 2, 3})
	}
}

// checkArchitecture compares gradients with one view and with several, at once
// and one after the other.
func checkArchitecture(t *testing.T, a architecture, n network, in Input) {
	t.Helper()
	for _, views := range []int{1, 3} {
		e, err := newEngine(a, in, 1)
		if err != nil {
			t.Fatal(err)
		}
		w, b := perturbed(e, 7), one(noisyBatch(5, views, in.Classes), 3)
		checkGradient(t, e, n, w, b)
		e.images = 1
		checkGradient(t, e, n, w, b)
	}
}
