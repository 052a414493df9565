package op

import "sweep/trainerplugin/kernel"

// An Outer is the gradient of a dense layer's weights for examples of one
// image each, left as its factors: the outer product of what the layer read
// and the gradient of what it returned, x ⊗ dy. It is never multiplied out
// example by example:
//
//	‖x ⊗ dy‖² = ‖x‖²·‖dy‖²,  Σ_e s_e·x_e ⊗ dy_e = Xᵀ·diag(s)·dY
//
// (Goodfellow 2015, "Efficient Per-Example Gradient Computations").
type Outer struct {
	dense  *dense
	x, dy  *Value
	tile   kernel.Tile
	scaled []float32 // dy times the examples' scales
}

// Outer is v's gradient as factors, or nil if v holds it multiplied out.
func (v *Value) Outer() *Outer { return v.outer }

// outerGrad is weightGrad without the product.
func (d *dense) outerGrad(w *Value) *operation {
	o := &operation{layer: d.name, kind: "outerGrad", what: Description{Kind: FullyConnectedWeightGrad}, out: gradOf(d.group, w), unstored: true, multiplies: d.multiplies()}
	o.out.outer = &Outer{dense: d}
	o.plan = func(in []*Value) { o.out.outer.plan(in[0], in[1]) }
	return o
}

func (o *Outer) plan(x, dy *Value) {
	o.x, o.dy, o.scaled = x, dy, kernel.Alloc(dy.Len())
	o.tile = kernel.Tile{
		Taps: kernel.NewTaps([]kernel.Tap{{}}),
		Rows: o.dense.filters.width * o.dense.lanes, ARow: 1, AStep: x.stride,
		BStep: dy.stride, CRow: kernel.Lanes, DRow: kernel.Lanes,
	}
}

// NormSq is the squared norm of example e's gradient.
func (o *Outer) NormSq(e int) float64 { return sumSquares(o.x.of(e)) * sumSquares(o.dy.of(e)) }

// sumSquares is that of the kernel, for any length.
func sumSquares(x []float32) float64 {
	whole := len(x) / kernel.Lanes * kernel.Lanes
	s := kernel.SumSquares(x[:whole])
	for _, v := range x[whole:] {
		s += float64(v) * float64(v)
	}
	return s
}

// AddTo adds to sum, in packed form, the gradient of each example times its
// scale. An example of scale 0 is left out, whatever its numbers.
func (o *Outer) AddTo(sum []float32, scales []float32) {
	clear(o.scaled)
	for e, s := range scales {
		if s != 0 {
			kernel.Axpy(o.scaled[e*o.dy.stride:][:o.dy.length], s, o.dy.of(e))
		}
	}
	for first := 0; first < len(scales); first++ {
		n := 0
		for first+n < len(scales) && scales[first+n] != 0 {
			n++
		}
		if n > 0 {
			o.addRun(sum, first, n)
		}
		first += n
	}
}

// addRun adds the gradients of n examples.
func (o *Outer) addRun(sum []float32, first, n int) {
	d, t := o.dense, &o.tile
	t.Depth = n
	from := o.scaled[first*o.dy.stride:]
	eachPair(d.outBlocks(), func(k, second int) {
		t.B0, t.B1, t.C1 = from[k*kernel.Lanes:], nil, nil
		if second > 0 {
			t.B1 = from[second*kernel.Lanes:]
		}
		for i := range d.inBlocks() {
			for y := range d.filters.height {
				t.A = o.x.mem[first*o.x.stride+o.x.at(i, y, 0):]
				t.C0 = sum[d.at(k, i, y):]
				if second > 0 {
					t.C1 = sum[d.at(second, i, y):]
				}
				t.D0, t.D1 = t.C0, t.C1
				t.Run()
			}
		}
	})
}
