package xla

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/model"
	"sweep/trainerplugin/op"
)

// An architecture is a graph of a test's own, from images to logits.
type architecture func(b *op.Builder, x *G.Node) *G.Node

// graph builds a for examples × views images of in's size.
func (a architecture) graph(t *testing.T, in model.Input, examples, views int) *model.Graph {
	t.Helper()
	g := &model.Graph{Builder: op.NewBuilder(examples, views)}
	g.Images, g.Labels, g.Weights = g.Builder.Images(in.Height, in.Width, in.Channels), g.PerImage("labels"), g.PerImage("weights")
	g.Logits = a(g.Builder, g.Images)
	g.Loss = g.CrossEntropy(g.Logits, g.Labels)
	var err error
	if g.Grads, err = g.Differentiate(g.Loss, g.Weights); err != nil {
		t.Fatal(err)
	}
	return g
}

// onCPU runs g on Gorgonia's tape machine, on images all of whose views are the
// same, and returns the gradient of each example with respect to flat weights.
func onCPU(t *testing.T, g *model.Graph, weights, pixels []float32, labels []int32) [][]float32 {
	t.Helper()
	var packed []*op.Value
	rest := weights
	for _, p := range g.Params {
		v := p.NewValue()
		p.Pack(v, rest[:p.Size()])
		packed, rest = append(packed, v), rest[p.Size():]
	}
	if err := g.Bind(packed); err != nil {
		t.Fatal(err)
	}
	images, views := op.ValueOf(g.Images), g.Group.Views
	for _, n := range (G.Nodes{g.Images, g.Labels, g.Weights}) {
		op.ValueOf(n).Alloc()
	}
	row := len(pixels) / len(labels) / images.Height()
	for i := range len(labels) * views {
		for y := range images.Height() {
			copy(images.Pixels(i, y), pixels[(i/views*images.Height()+y)*row:][:row])
		}
		op.ValueOf(g.Labels).Row(i, 1)[0] = float32(labels[i/views])
		op.ValueOf(g.Weights).Row(i, 1)[0] = 1 / float32(views)
	}
	g.Group.Active = len(labels)
	prog, locations, err := G.CompileFunction(g.Graph, G.Nodes{g.Images}, append(G.Nodes{g.Loss}, g.Grads...))
	if err != nil {
		t.Fatal(err)
	}
	vm := G.NewTapeMachine(g.Graph, G.WithPrecompiled(prog, locations))
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	out := make([][]float32, len(labels))
	for e := range out {
		for i, p := range g.Params {
			flat := make([]float32, p.Size())
			all := op.ValueOf(g.Grads[i]).Data().([]float32)
			p.Unpack(packed[i], all[e*p.Packed():][:p.Packed()], flat)
			out[e] = append(out[e], flat...)
		}
	}
	return out
}

func same(size, stride int) op.Window  { return op.Window{Size: size, Stride: stride, Padding: op.Same} }
func valid(size, stride int) op.Window { return op.Window{Size: size, Stride: stride} }

// layers are all operations of the CPU engine, each after a convolution that is
// not standardised and before a dense layer.
var layers = map[string]architecture{
	"conv 5/2 same": func(b *op.Builder, x *G.Node) *G.Node { return b.Conv("c", x, 5, same(5, 2), op.FanInNormal) },
	"conv 2/3 valid": func(b *op.Builder, x *G.Node) *G.Node {
		return b.Conv("c", x, 18, valid(2, 3), op.FanInNormal)
	},
	"conv 1/2 same": func(b *op.Builder, x *G.Node) *G.Node { return b.Conv("c", x, 7, same(1, 2), op.FanInNormal) },
	"standardised 3/1": func(b *op.Builder, x *G.Node) *G.Node {
		return b.ConvStandardised("c", x, 9, same(3, 1), op.FanInNormal)
	},
	"standardised 3/2": func(b *op.Builder, x *G.Node) *G.Node {
		return b.ConvStandardised("c", x, 9, same(3, 2), op.FanInNormal)
	},
	"variance floor": func(b *op.Builder, x *G.Node) *G.Node {
		return b.ConvStandardised("c", x, 9, valid(2, 1), op.Normal(1e-4))
	},
	"grouped 3/2": func(b *op.Builder, x *G.Node) *G.Node {
		return b.ConvGrouped("c", x, 64, 2, same(3, 2), op.FanInNormal)
	},
	"grouped standardised": func(b *op.Builder, x *G.Node) *G.Node {
		return b.ConvStandardisedGrouped("c", x, 32, 2, same(3, 1), op.FanInNormal)
	},
	"group norm": func(b *op.Builder, x *G.Node) *G.Node { return b.ReluGroupNorm("n", x, 4) },
	"relu":       func(b *op.Builder, x *G.Node) *G.Node { return b.ScaledReLU("f", x, op.ReLUGain) },
	"tanh":       func(b *op.Builder, x *G.Node) *G.Node { return b.Tanh("f", x) },
	"selu":       func(b *op.Builder, x *G.Node) *G.Node { return b.SELU("f", x) },
	"gelu":       func(b *op.Builder, x *G.Node) *G.Node { return b.ExactGELU("f", x, op.GELUGain) },
	"geluTanh":   func(b *op.Builder, x *G.Node) *G.Node { return b.ScaledGELU("f", x, op.GELUGain) },
	"max 3/2 same": func(b *op.Builder, x *G.Node) *G.Node {
		return b.MaxPool("p", x, same(3, 2))
	},
	"max of zeros": func(b *op.Builder, x *G.Node) *G.Node { // ties go to the first
		return b.MaxPool("p", b.ScaledReLU("f", x, 1), valid(3, 1))
	},
	"average 4/3 same":  func(b *op.Builder, x *G.Node) *G.Node { return b.AveragePool("p", x, same(4, 3)) },
	"average 3/2 valid": func(b *op.Builder, x *G.Node) *G.Node { return b.AveragePool("p", x, valid(3, 2)) },
	"global average":    func(b *op.Builder, x *G.Node) *G.Node { return b.GlobalAverage("a", x) },
	"squeeze-excite": func(b *op.Builder, x *G.Node) *G.Node {
		return b.SqueezeExcite("se", x, 5, 2, op.FanInNormal)
	},
	"add": func(b *op.Builder, x *G.Node) *G.Node { return b.Add("j", b.Tanh("f", x), x) },
	"skip-init": func(b *op.Builder, x *G.Node) *G.Node {
		return b.SkipInit("j", x, b.ConvStandardised("c", x, 32, same(3, 1), op.FanInNormal), 0.2, op.Ones)
	},
	"dense": func(b *op.Builder, x *G.Node) *G.Node {
		return b.Tanh("f", b.Dense("d", x, 11, op.FanInNormal))
	},
}

// Each operation in both directions, against the CPU's.
func TestOperations(t *testing.T) {
	in := model.Input{Height: 7, Width: 6, Channels: 3, Classes: 4}
	for name, layer := range layers {
		a := func(b *op.Builder, x *G.Node) *G.Node {
			x = b.Conv("conv0", x, 32, same(3, 2), op.FanInNormal)
			return b.Dense("dense", layer(b, x), in.Classes, op.FanInNormal)
		}
		for _, c := range []Config{{Views: 1}, {Views: 2}, {Views: 1, Patches: true}, {Views: 2, Patches: true}} {
			t.Run(fmt.Sprintf("%s/K=%d,patches=%t", name, c.Views, c.Patches), func(t *testing.T) {
				c.Input, c.Images, c.Microbatch, c.Pixels, c.Precision = in, 2, 2, F32, Full
				compareArchitecture(t, interpreter{}, a, c, 3e-5)
			})
		}
	}
}

// compareArchitecture clips to a norm so large that nothing is clipped: a sum
// over one example is then its gradient divided by it.
func compareArchitecture(t *testing.T, m machine, a architecture, c Config, tolerance float64) {
	t.Helper()
	const clip = 1 << 20
	g := a.graph(t, c.Input, c.Microbatch, c.Views)
	in, want := randomArguments(t, g, c)
	p := gradientsOf(c, g)
	for example := range c.Images {
		in[Indices] = []int32{int32(example), 0}
		in[Words], in[Scalars] = StepInput{Count: 1}.Words(), StepInput{Clip: clip}.Scalars()
		got := call(t, m, p, in)
		sum := got.f32(Sum)
		var square float64
		for i := range sum {
			sum[i] *= clip
			square += float64(want[example][i]) * float64(want[example][i])
		}
		if d := distance(sum, want[example]); !(d <= tolerance) {
			t.Errorf("gradients of example %d differ by %.2g of their length", example, d)
		}
		if norm := float64(got.f32(Norms)[0]); math.Abs(norm-math.Sqrt(square)) > tolerance*norm {
			t.Errorf("norm of example %d is %v on the device and %v on the CPU", example, norm, math.Sqrt(square))
		}
	}
}

// randomArguments are float32 images, labels and weights, and the CPU's
// gradients of each image.
func randomArguments(t *testing.T, g *model.Graph, c Config) (values, [][]float32) {
	t.Helper()
	r := rand.New(rand.NewPCG(4, 5))
	pixels := make([]float32, c.Images*c.Input.Height*c.Input.Width*c.Input.Channels)
	for i := range pixels {
		pixels[i] = float32(r.NormFloat64())
	}
	labels := make([]int32, c.Images)
	for i := range labels {
		labels[i] = int32(r.IntN(c.Input.Classes))
	}
	var weights []float32
	for _, p := range g.Params {
		for _, tensor := range p.Tensors {
			w := make([]float32, tensor.Size())
			tensor.Init(r, w)
			for i := range w {
				if len(w) <= 64 { // biases, offsets and gains too
					w[i] += float32(0.1 * r.NormFloat64())
				}
			}
			weights = append(weights, w...)
		}
	}
	return values{Images: pixels, Labels: labels, Weights: weights}, onCPU(t, g, weights, pixels, labels)
}
