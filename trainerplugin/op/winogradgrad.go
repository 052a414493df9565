package op

import "sweep/trainerplugin/kernel"

// weightCorrelation is the per-example gradient of the weights: for every plane
// Σ v ⊗ u over tiles and views, where v is the transformed images and u the
// gradients of their products, and then the gradient of the spectrum's map.
type weightCorrelation struct {
	*conv
	strips
	in, out planes // v by tile, and u by block
	whole   bool   // an example is one strip, so that sums are finished block by block
	tile    kernel.Tile
}

func (c *conv) newWeightCorrelation(y *image) *weightCorrelation {
	w := &weightCorrelation{conv: c, strips: newStrips(y, 1, max(c.in, c.out), gradStripNumbers)}
	w.in, w.out = w.byTile(c.inBlocks()), w.byBlock(c.outBlocks())
	w.whole = w.rows == w.strips.height && c.group.Views == 1
	w.tile = kernel.Tile{
		Taps: kernel.NewTaps([]kernel.Tap{{}}),
		Rows: c.inBlocks() * kernel.Lanes, ARow: 1, AStep: w.in.step, BStep: kernel.Lanes, CRow: kernel.Lanes,
	}
	return w
}

// sumPlane is the number of floats of a plane of the sums of all inputs by one
// block of outputs, and sums that of all its planes.
func (w *weightCorrelation) sumPlane() int { return w.inBlocks()*kernel.Lanes*kernel.Lanes + apart }
func (w *weightCorrelation) sums() int     { return kernel.WinogradProducts * w.sumPlane() }

// scratch is the number of floats that run needs.
func (w *weightCorrelation) scratch() int {
	outs := 2
	if !w.whole {
		outs = w.outBlocks()
	}
	return w.in.size() + w.out.size() + outs*w.sums()
}

// run computes example e's gradient g.
func (w *weightCorrelation) run(x, dy *Value, e int, g, scratch []float32) {
	v, scratch := scratch[:w.in.size()], scratch[w.in.size():]
	u, sum := scratch[:w.out.size()], scratch[w.out.size():]
	for view := range w.group.Views {
		i := e*w.group.Views + view
		grad := dy.of(i)
		w.each(1, func(first, rows int) {
			w.transform(v, w.in, x, i, first, rows)
			w.eachRow(first, rows, func(_, r, tile int) {
				for k := range w.out.blocks {
					kernel.WinogradOutputGrad(u[k*w.block()+tile*kernel.Lanes:], w.out.plane, grad[dy.at(k, 2*r, 0):], dy.row(), w.columns)
				}
			})
			w.tile.Depth = rows * w.columns
			w.strip(v, u, sum, g, view == 0 && first == 0)
		})
	}
	if !w.whole {
		for k := range w.outBlocks() {
			w.finish(g, sum[k*w.sums():], k)
		}
	}
}

// strip adds what one strip gives to the sums of all blocks; start says that it
// is the first.
func (w *weightCorrelation) strip(v, u, sum, g []float32, start bool) {
	eachPair(w.outBlocks(), func(k, second int) {
		if !w.whole {
			w.products(v, u, sum[k*w.sums():], sum[second*w.sums():], k, second, start)
			return
		}
		w.products(v, u, sum, sum[w.sums():], k, second, start)
		w.finish(g, sum, k)
		if second > 0 {
			w.finish(g, sum[w.sums():], second)
		}
	})
}

// products adds to the sums of one or two blocks of outputs.
func (w *weightCorrelation) products(v, u, sum0, sum1 []float32, k, second int, start bool) {
	t, plane := &w.tile, w.sumPlane()
	for f := range kernel.WinogradProducts {
		t.A = v[f*w.in.plane:]
		t.B0, t.C0 = u[f*w.out.plane+k*w.block():], sum0[f*plane:]
		t.B1, t.C1 = nil, nil
		if second > 0 {
			t.B1, t.C1 = u[f*w.out.plane+second*w.block():], sum1[f*plane:]
		}
		t.D0, t.D1, t.DRow = t.C0, t.C1, t.CRow
		if start {
			t.D0, t.D1, t.DRow = kernel.Zero, kernel.Zero, 0
		}
		t.Run()
	}
}

// finish turns the sums of a block of outputs into the gradient of its filters.
func (w *weightCorrelation) finish(g, sum []float32, k int) {
	for i := range w.inBlocks() {
		kernel.WinogradFilterGrad(g[w.at(k, i, 0):], sum[i*kernel.Lanes*kernel.Lanes:], w.sumPlane(), kernel.Lanes, w.group.Add)
	}
}
