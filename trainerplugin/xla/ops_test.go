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
		for views := 1; views <= 2; views++ {
			t.Run(fmt.Sprintf("%s/K=%d", name, views), func(t *testing.T) {
				c := Config{Input: in, Images: 1, Microbatch: 2, Pixels: F32, Precision: Full, Views: views}
				compareArchitecture(t, interpreter{}, a, c, 3e-5)
			})
		}
	}
}

// everything is a network of all operations, one after the other.
func everything(b *op.Builder, x *G.Node) *G.Node {
	x = b.Conv("conv0", x, 32, same(3, 1), op.FanInNormal)
	x = b.Tanh("tanh", b.ReluGroupNorm("norm", x, 4))
	x = b.Add("add", x, b.SELU("selu", b.ConvStandardised("conv1", x, 32, same(3, 1), op.FanInNormal)))
	x = b.MaxPool("max", x, same(3, 2))
	h := b.ConvStandardisedGrouped("conv2", b.ScaledGELU("gelu", x, op.GELUGain), 32, 2, same(3, 1), op.FanInNormal)
	x = b.SkipInit("join", x, b.SqueezeExcite("se", h, 5, 2, op.FanInNormal), 0.2, op.Ones)
	x = b.ExactGELU("exact", b.AveragePool("average", x, same(2, 2)), 1)
	x = b.ScaledReLU("relu", b.Conv("conv3", x, 20, same(3, 2), op.FanInNormal), op.ReLUGain)
	x = b.GlobalAverage("global", x)
	return b.Dense("classifier", b.Tanh("tanh2", b.Dense("hidden", x, 9, op.FanInNormal)), 4, op.FanInNormal)
}

// All of them at once, with weight gradients by tap and by patches, on XLA too.
func TestEverything(t *testing.T) {
	for _, c := range []Config{{Views: 1}, {Views: 2, Patches: true}} {
		t.Run(fmt.Sprintf("K=%d", c.Views), func(t *testing.T) {
			c.Input, c.Images, c.Microbatch, c.Pixels = model.Input{Height: 9, Width: 8, Channels: 3, Classes: 4}, 1, 2, F32
			eachMachine(t, func(t *testing.T, m machine) {
				c.Precision = Full
				compareArchitecture(t, m, everything, c, 3e-5)
			})
		})
	}
}

// Operands of fewer digits give other gradients, by as much as they are rounded:
// 2⁻¹¹ for the 10 bits of TF32, and 2⁻⁸ for the 7 of bfloat16, a few times over;
// and not by less, or they would not be rounded. What the norm says of a gradient
// holds for its part in the sum to float32's digits all the same.
func TestPrecisions(t *testing.T) {
	for _, tt := range []struct {
		p        Precision
		from, to float64
	}{{Tensor32, 1e-5, 10 * 0x1p-11}, {Brain, 1e-3, 16 * 0x1p-8}} {
		for _, views := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s/K=%d", tt.p, views), func(t *testing.T) {
				c := Config{Input: model.Input{Height: 9, Width: 8, Channels: 3, Classes: 4}, Images: 1, Microbatch: 2, Pixels: F32, Precision: tt.p, Views: views}
				eachMachine(t, func(t *testing.T, m machine) { comparePrecision(t, m, c, tt.from, tt.to) })
			})
		}
	}
}

func comparePrecision(t *testing.T, m machine, c Config, from, to float64) {
	t.Helper()
	g := architecture(everything).graph(t, c.Input, c.Microbatch, c.Views)
	in, want := randomArguments(t, g, c)
	in[Indices], in[Words], in[Scalars] = []int32{0, 0}, StepInput{Count: 1}.Words(), StepInput{Clip: 1e-3}.Scalars()
	got := call(t, m, gradientsOf(c, g), in)
	sum := got.f32(Sum)
	length, norm := 0.0, float64(got.f32(Norms)[0])
	for i, x := range sum {
		length += float64(x) * float64(x)
		sum[i] *= float32(norm)
	}
	if d := distance(sum, want[0]); !(d > from && d < to) {
		t.Errorf("gradients differ by %.2g of their length, not by %.2g to %.2g", d, from, to)
	}
	if length = math.Sqrt(length); !(length <= 1 && length > 1-3e-5) {
		t.Errorf("the clipped gradient has length 1 - %.2g", 1-length)
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
		in[Indices] = make([]int32, c.Capacity())
		in[Indices].([]int32)[0] = int32(example)
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
