package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/op"
)

// reference is the loss of b's only example, and its gradient.
func reference(n network, in Input, weights []float32, b dpsgd.Batch) (loss float64, grad []float64) {
	return referenceOnPieces(n, in, weights, b, nil)
}

// referenceOnPieces takes the sides of view k's ReLUs from pieces[k], if there are any.
func referenceOnPieces(n network, in Input, weights []float32, b dpsgd.Batch, pieces []*pieces) (loss float64, grad []float64) {
	w := make([]float64, len(weights))
	for i, v := range weights {
		w[i] = float64(v)
	}
	grad = make([]float64, len(w))
	for k := range b.Views {
		x, label := image64(in, func(img []float32) int { return b.View(0, k, img) })
		t := &tape64{weights: w, grads: grad}
		if pieces != nil {
			t.pieces = pieces[k]
		}
		loss += t.crossEntropy(n(t, x, in.Classes), label, 1/float64(b.Views)) / float64(b.Views)
		t.backward()
	}
	return loss, grad
}

func image64(in Input, at func([]float32) int) (*array, int) {
	img := make([]float32, in.pixels())
	label := at(img)
	x := newArray(in.Height, in.Width, in.Channels)
	for i, v := range img {
		x.v[i] = float64(v)
	}
	return x, label
}

var gradientTests = []struct {
	model string
	in    Input
	n     network
}{
	{"linear", Input{5, 6, 3, 4}, linearNetwork},
	{"tanh-cnn", mnist, tanhNetwork},
	{"tanh-cnn", Input{13, 17, 3, 7}, tanhNetwork},
	{"wrn-10-1", Input{8, 8, 3, 10}, wideNetwork(10, 1)},
	{"wrn-10-2", Input{5, 7, 1, 3}, wideNetwork(10, 2)},
	{"tanh-cnn-cifar-small", Input{11, 8, 3, 10}, tanhCIFARNetwork([][]int{{16, 16}, {32, 32}, {64}})},
	{"tanh-cnn-cifar", Input{8, 9, 3, 10}, tanhCIFARNetwork([][]int{{32, 32}, {64, 64}, {128, 128}})},
	{"wrn-16-4", Input{8, 7, 3, 10}, wideNetwork(16, 4)},
}

// TestGradient compares gradients of single examples, over all weights, with
// the float64 reference. The engine works in float32.
func TestGradient(t *testing.T) {
	for _, tt := range gradientTests {
		for _, views := range []int{1, 3, 4} {
			t.Run(fmt.Sprintf("%s/%dx%dx%d/K=%d", tt.model, tt.in.Height, tt.in.Width, tt.in.Channels, views), func(t *testing.T) {
				if tt.model == "wrn-16-4" && raceDetector {
					t.Skip("too slow under the race detector")
				}
				e := open(t, tt.model, tt.in, 1)
				checkGradient(t, e, tt.n, perturbed(e, 7), one(noisyBatch(5, views, tt.in.Classes), 3))
			})
		}
	}
}

// checkGradient takes a clip larger than any gradient, so that the sum is the
// gradient divided by it.
func checkGradient(t *testing.T, e *Engine, n network, w []float32, b dpsgd.Batch) {
	t.Helper()
	loss, grad := reference(n, e.in, w, b)
	compareGradient(t, e, w, b, loss, grad)
}

// compareGradient compares with what a reference says of b's only example.
func compareGradient(t *testing.T, e *Engine, w []float32, b dpsgd.Batch, loss float64, want []float64) (rel float64) {
	t.Helper()
	const clip = 1 << 20
	g, stats := clippedSum(t, e, w, b, clip)
	if math.Abs(stats.Losses[0]-loss) > 1e-5*loss {
		t.Errorf("loss %v, want %v", stats.Losses[0], loss)
	}
	var square, off float64
	for i, v := range want {
		square += v * v
		off += (clip*float64(g[i]) - v) * (clip*float64(g[i]) - v)
	}
	size := math.Sqrt(square)
	if rel = math.Sqrt(off) / size; !(rel <= 5e-6) {
		t.Errorf("gradient is off by %.2g of its norm", rel)
	}
	if math.Abs(stats.Norms[0]-size) > 5e-6*size {
		t.Errorf("norm %v, want %v", stats.Norms[0], size)
	}
	return rel
}

// Filters whose n·var is below 1e-4 are scaled by a constant.
func TestGradientBelowVarianceFloor(t *testing.T) {
	e := open(t, "wrn-10-1", Input{8, 8, 3, 10}, 1)
	w := belowFloor(e, perturbed(e, 7))
	for _, views := range []int{1, 4} {
		checkGradient(t, e, wideNetwork(10, 1), w, one(noisyBatch(5, views, 10), 3))
	}
}

// belowFloor makes most filters of some layers of a wide ResNet so small.
func belowFloor(e *Engine, w []float32) []float32 {
	at := 0
	for _, tensor := range e.Tensors() {
		if strings.HasSuffix(tensor.Name, "conv2/w") || tensor.Name == "stem/w" {
			for i := range w[at : at+tensor.Size()] {
				if i%3 > 0 { // not all filters
					w[at+i] *= 1e-3
				}
			}
		}
		at += tensor.Size()
	}
	return w
}

// TestReference checks the reference itself against central differences, along
// single weights and along the gradient, which all of them are in. Differences
// err by h²·f‴/6 and rounding/h, here below 1e-7 of the norm.
func TestReference(t *testing.T) {
	for _, tt := range gradientTests[:6] {
		e := open(t, tt.model, tt.in, 1)
		w := perturbed(e, 7)
		b := one(noisyBatch(5, 1, tt.in.Classes), 3)
		_, grad := reference(tt.n, tt.in, w, b)
		size := norm64(grad)
		directions := [][]float64{make([]float64, len(w))}
		for i, g := range grad {
			directions[0][i] = g / size
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 4 {
			d := make([]float64, len(w))
			d[r.IntN(len(d))] = 1
			directions = append(directions, d)
		}
		for _, d := range directions {
			want := 0.0
			for i, v := range d {
				want += v * grad[i]
			}
			if got := slope(tt.n, tt.in, w, b, d); math.Abs(got-want) > 1e-6*size {
				t.Errorf("%s: slope %v, differences give %v ± %v", tt.model, want, got, 1e-6*size)
			}
		}
	}
}

// slope is the central difference of the reference's loss along d.
func slope(n network, in Input, weights []float32, b dpsgd.Batch, d []float64) float64 {
	const h = 1e-6
	loss := func(s float64) float64 {
		w := make([]float64, len(weights))
		for i, v := range weights {
			w[i] = float64(v) + s*d[i]
		}
		x, label := image64(in, func(img []float32) int { return b.View(0, 0, img) })
		t := &tape64{weights: w, grads: make([]float64, len(w))}
		return t.crossEntropy(n(t, x, in.Classes), label, 1)
	}
	return (loss(h) - loss(-h)) / (2 * h)
}

func norm64(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x * x
	}
	return math.Sqrt(s)
}

// geometry is two convolutions of any shape, so that the second has a gradient
// to hand on.
type geometry struct {
	height, width, channels int
	first, second           filter
}

func (g geometry) architecture() architecture {
	window := func(f filter) op.Window {
		w := op.Window{Size: f.size, Stride: f.stride, Padding: op.Valid}
		if f.same {
			w.Padding = op.Same
		}
		return w
	}
	return architecture{name: "geometry", build: func(b *op.Builder, x *G.Node, classes int) *G.Node {
		x = b.Tanh("tanh1", b.Conv("conv1", x, g.first.out, window(g.first), op.GlorotUniform))
		x = b.Tanh("tanh2", b.ConvStandardised("conv2", x, g.second.out, window(g.second), op.FanInNormal))
		return b.Dense("dense", x, classes, op.GlorotUniform)
	}}
}

func (g geometry) network(t *tape64, x *array, classes int) *array {
	return t.dense(t.tanh(t.standardised(t.tanh(t.plain(x, g.first)), g.second)), classes)
}

func checkGeometry(t *testing.T, g geometry, views int) {
	t.Helper()
	e, err := newEngine(g.architecture(), Input{g.height, g.width, g.channels, 3}, 1)
	if err != nil {
		t.Skip(err) // the windows do not fit
	}
	checkGradient(t, e, g.network, perturbed(e, 7), one(noisyBatch(2, views, 3), 1))
}

func TestConvolutionGeometries(t *testing.T) {
	for _, g := range []geometry{
		{9, 9, 1, filter{8, 5, 1, true}, filter{3, 17, 2, true}},
		{12, 7, 3, filter{1, 33, 1, false}, filter{2, 40, 3, true}},
		{11, 11, 2, filter{3, 16, 2, true}, filter{5, 7, 1, true}},
		{10, 10, 16, filter{2, 48, 1, false}, filter{1, 20, 2, true}},
		{16, 16, 3, filter{7, 8, 2, true}, filter{4, 64, 2, false}},
		{10, 10, 1, filter{1, 4, 1, true}, filter{1, 5, 3, false}},
	} {
		t.Run(fmt.Sprint(g), func(t *testing.T) { checkGeometry(t, g, 2) })
	}
}

func FuzzConvolution(f *testing.F) {
	f.Add(uint8(9), uint8(7), uint8(3), uint8(3), uint8(20), uint8(2), true, uint8(4), uint8(17), uint8(1), false, uint8(2))
	f.Fuzz(func(t *testing.T, h, w, c, k1, o1, s1 uint8, same1 bool, k2, o2, s2 uint8, same2 bool, views uint8) {
		g := geometry{
			1 + int(h)%14, 1 + int(w)%14, 1 + int(c)%16,
			filter{1 + int(k1)%8, 1 + int(o1)%40, 1 + int(s1)%4, same1},
			filter{1 + int(k2)%8, 1 + int(o2)%40, 1 + int(s2)%4, same2},
		}
		checkGeometry(t, g, 1+int(views)%4)
	})
}
