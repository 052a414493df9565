package model

import (
	"fmt"
	"math"
	"os"
	"testing"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/op"
)

// slowVariable asks for tests that take a minute.
const slowVariable = "SWEEP_SLOW"

// A network of ReLUs is made of smooth pieces, and a float32 run whose ReLU
// input is within a rounding of zero may be on the other side of the border than
// the float64 one: its gradient is then that of another piece, as valid and as
// much as 1e-3 away. TestRealSize separates the two: the reference differentiates
// the piece that the engine was on, which must agree within rounding, and the
// ReLUs where that was another must have had inputs within rounding of zero.

// pieces is the sides of the ReLUs of one image, as the engine had them.
type pieces struct {
	sides [][]bool // by ReLU in the order of the network, then [height][width][channel]
	next  int

	all, crossed int     // ReLU inputs, and those on another side in float64
	furthest     float64 // of those from zero, over the root mean square of their layer's inputs
}

// relu is t.relu on p's next sides.
func (p *pieces) relu(t *tape64, x *array) *array {
	side := p.sides[p.next]
	p.next++
	square := 0.0
	for _, v := range x.v {
		square += v * v
	}
	y := newArray(x.h, x.w, x.c)
	for i, v := range x.v {
		if side[i] {
			y.v[i] = v
		}
		if side[i] != (v > 0) {
			p.crossed++
			p.furthest = max(p.furthest, math.Abs(v)/math.Sqrt(square/float64(len(x.v))))
		}
	}
	p.all += len(x.v)
	t.back = append(t.back, func() {
		for i, g := range y.g {
			if side[i] {
				x.g[i] += g
			}
		}
	})
	return y
}

// wideNorms names the layers of a wide ResNet that have ReLUs, in order.
func wideNorms(depth int) (names []string) {
	for g := range 3 {
		for i := range (depth - 4) / 6 {
			block := fmt.Sprintf("group%d/block%d/", g+1, i+1)
			if i == 0 {
				names = append(names, block+"skip/norm")
			}
			names = append(names, block+"norm1", block+"norm2")
		}
	}
	return append(names, "norm")
}

// piecesOf runs e on one image and returns the sides of its ReLUs.
func piecesOf(t *testing.T, e *Engine, w []float32, b dpsgd.Batch, norms []string) *pieces {
	t.Helper()
	clippedSum(t, e, w, b, 1)
	sides := map[string][]bool{}
	for _, n := range e.machines[e.shapeFor(1)][0].Graph.AllNodes() {
		if d, ok := op.Describe(n); ok && d.Kind == op.GroupNorm {
			sides[d.Layer] = sidesOf(t, op.ValueOf(op.Inputs(n)[0]))
		}
	}
	p := &pieces{}
	for _, name := range norms {
		if sides[name] == nil {
			t.Fatalf("no layer %q", name)
		}
		p.sides = append(p.sides, sides[name])
	}
	return p
}

// sidesOf says which numbers of v's first image are positive. Its channels are
// whole blocks and it has no border.
func sidesOf(t *testing.T, v *op.Value) []bool {
	t.Helper()
	shape, x := v.Shape(), v.Data().([]float32)
	channels, pixels := shape[1], shape[2]*shape[3]
	if len(x) != shape[0]*channels*pixels {
		t.Fatalf("images of %v take %d numbers", shape, len(x))
	}
	sides := make([]bool, channels*pixels)
	for i := range sides { // [channel/16][pixel][channel%16]
		sides[i/16%pixels*channels+i/(16*pixels)*16+i%16] = x[i] > 0
	}
	return sides
}

// TestRealSize compares gradients of single examples of WRN-16-4 on 32×32 pixels,
// over all weights, with the float64 reference on the same pieces.
func TestRealSize(t *testing.T) {
	examples, most := 1, 1
	if os.Getenv(slowVariable) != "" {
		examples, most = 4, 4
	} else if raceDetector || testing.Short() {
		t.Skip("SKIPPED: too slow under -short and the race detector; `make slower` runs it with more examples")
	}
	const worst = 1e-5 // of a ReLU's input that changed sides, over its layer's root mean square
	in := Input{32, 32, 3, 10}
	for _, floor := range []bool{false, true} {
		for _, views := range []int{1, 4} {
			if views > most {
				continue
			}
			t.Run(fmt.Sprintf("K=%d/floor=%v", views, floor), func(t *testing.T) {
				t.Parallel()
				e := open(t, "wrn-16-4", in, 1)
				w := perturbed(e, 7)
				if floor {
					w = belowFloor(e, w)
				}
				all := noisyBatch(examples, views, in.Classes)
				for i := range examples {
					b := one(all, i)
					var of []*pieces
					for k := range views {
						view := dpsgd.Batch{Len: 1, Views: 1, View: func(_, _ int, img []float32) int { return b.View(0, k, img) }}
						of = append(of, piecesOf(t, e, w, view, wideNorms(16)))
					}
					loss, grad := referenceOnPieces(wideNetwork(16, 4), in, w, b, of)
					rel := compareGradient(t, e, w, b, loss, grad)
					for k, p := range of {
						t.Logf("example %d, view %d: off by %.1e, %d of %d ReLUs on the other side, at most %.1e from zero", i, k, rel, p.crossed, p.all, p.furthest)
						if p.furthest > worst {
							t.Errorf("a ReLU changed sides at %.1e of its layer's root mean square", p.furthest)
						}
					}
				}
			})
		}
	}
}
