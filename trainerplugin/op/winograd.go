package op

import "sweep/trainerplugin/kernel"

// Winograd's convolution serves 3×3 filters of stride 1, in tiles of 2×2
// results; package kernel has its maps. Between them lie 16 matrix products,
// one for each plane, of tiles × inputs by inputs × outputs.

// Fewer channels than these leave the products too short to pay for the maps.
const winogradChannels = 32

// stripNumbers is how many numbers of a plane are worked on at a time: rows of
// tiles times channels, so that 16 planes stay in a core's second cache.
const stripNumbers = 1 << 12

// winogradFits says whether Winograd's convolution serves c.
func (c *conv) winogradFits() bool {
	even := func(s span) bool { return s.in%2 == 0 && s.in == s.out && s.before == 1 && s.after == 1 }
	return c.filters.height == 3 && c.filters.width == 3 && c.stride == 1 && c.groups == 1 &&
		c.lanes == kernel.Lanes && min(c.in, c.out) >= winogradChannels && even(c.ys) && even(c.xs)
}

// spectrum is filters as Winograd's products read them, plane by plane:
// [out/Lanes][in/Lanes][Lanes in][Lanes out].
type spectrum []float32

// apart keeps planes off each other's places in the caches.
const apart = kernel.Lanes

func (f *filters) spectrumPlane() int {
	return f.inBlocks()*f.outBlocks()*kernel.Lanes*kernel.Lanes + apart
}

// transform fills v's spectra, which filters of Winograd's convolution have.
func (f *filters) transform(v *Value) {
	if !f.winograd {
		return
	}
	plane, block := f.spectrumPlane(), kernel.Lanes*kernel.Lanes
	if v.spectrum == nil {
		v.spectrum = kernel.Alloc(kernel.WinogradProducts * plane)
		v.turnedSpectrum = kernel.Alloc(kernel.WinogradProducts * plane)
	}
	for o := range f.outBlocks() {
		for i := range f.inBlocks() {
			kernel.WinogradFilter(v.spectrum[(o*f.inBlocks()+i)*block:], plane, v.mem[f.at(o, i, 0):], kernel.Lanes, false)
			from := v.turned[i*f.turnedBlock()+f.turnedAt(o, 0, 0):]
			kernel.WinogradFilter(v.turnedSpectrum[(i*f.outBlocks()+o)*block:], plane, from, kernel.Lanes, true)
		}
	}
}

// strips cuts the tiles of an image into strips of whole rows.
type strips struct {
	rows, columns int // of tiles, in an image
	height        int // rows of a strip; the last may have fewer
}

func newStrips(m *image, channels int) strips {
	s := strips{rows: m.height / 2, columns: m.width / 2}
	s.height = max(1, min(s.rows, stripNumbers/(s.columns*channels)))
	return s
}

// tiles is how many a strip has.
func (s strips) tiles() int { return s.height * s.columns }

// plane is the number of floats between planes of a strip.
func (s strips) plane(blocks int) int { return blocks*s.block() + apart }

// block is the number of floats of a block of channels in a plane of a strip.
func (s strips) block() int { return s.tiles() * kernel.Lanes }

// size is the number of floats of all planes of a strip.
func (s strips) size(blocks int) int { return kernel.WinogradProducts * s.plane(blocks) }

// each calls do for each strip of an image, with its first row and how many.
func (s strips) each(do func(first, rows int)) {
	for first := 0; first < s.rows; first += s.height {
		do(first, min(s.height, s.rows-first))
	}
}

// eachRow calls do for every row of tiles of a strip and every block: with the
// row in the image and where it begins in a plane.
func (s strips) eachRow(first, rows, blocks int, do func(block, row, at int)) {
	for k := range blocks {
		for r := range rows {
			do(k, first+r, k*s.block()+r*s.columns*kernel.Lanes)
		}
	}
}

// correlation is the forward operation, and that of the gradient of the input:
// y = bias + Σ x ⋆ w.
type correlation struct {
	group     *Group
	ins, outs int // blocks of channels
	strips
	tile kernel.Tile
}

func newCorrelation(g *Group, ins, outs int, y *image) *correlation {
	c := &correlation{group: g, ins: ins, outs: outs, strips: newStrips(y, max(ins, outs)*kernel.Lanes)}
	var taps []kernel.Tap
	for i := range ins {
		taps = append(taps, kernel.Tap{A: i * c.block(), B: i * kernel.Lanes * kernel.Lanes})
	}
	c.tile = kernel.Tile{
		Taps: kernel.NewTaps(taps), Depth: kernel.Lanes,
		ARow: kernel.Lanes, AStep: 1, BStep: kernel.Lanes, CRow: kernel.Lanes,
	}
	return c
}

// scratch is the number of floats that run needs.
func (c *correlation) scratch() int { return c.size(c.ins) + c.size(2) }

// run computes the images of this run. Bias may be nil.
func (c *correlation) run(x, y *Value, w spectrum, bias, scratch []float32) {
	v, m := scratch[:c.size(c.ins)], scratch[c.size(c.ins):]
	for i := range c.group.Images() {
		from, to := x.of(i), y.of(i)
		c.each(func(first, rows int) {
			c.eachRow(first, rows, c.ins, func(k, r, at int) {
				kernel.WinogradInput(v[at:], c.plane(c.ins), from[x.at(k, 2*r-1, -1):], x.row(), c.columns)
			})
			eachPair(c.outs, func(k, second int) {
				c.products(v, m, w, bias, rows*c.columns, k, second)
				blocks := 1
				if second > 0 {
					blocks = 2
				}
				c.eachRow(first, rows, blocks, func(b, r, at int) {
					kernel.WinogradOutput(to[y.at(k+b, 2*r, 0):], y.row(), m[at:], c.plane(2), c.columns)
				})
			})
		})
	}
}

// products fills m with one or two blocks of outputs of n tiles.
func (c *correlation) products(v, m []float32, w spectrum, bias []float32, n, k, second int) {
	t := &c.tile
	t.Rows = n
	block := c.ins * kernel.Lanes * kernel.Lanes
	plane := block*c.outs + apart
	for f := range kernel.WinogradProducts {
		t.A = v[f*c.plane(c.ins):]
		t.B0, t.C0, t.D0 = w[f*plane+k*block:], m[f*c.plane(2):], kernel.Zero
		t.B1, t.C1, t.D1 = nil, nil, kernel.Zero
		if second > 0 {
			t.B1, t.C1 = w[f*plane+second*block:], m[f*c.plane(2)+c.block():]
		}
		if f == kernel.WinogradBias && bias != nil {
			t.D0 = bias[k*kernel.Lanes:]
			if second > 0 {
				t.D1 = bias[second*kernel.Lanes:]
			}
		}
		t.Run()
	}
}

// weightCorrelation is the per-example gradient of the weights: for every plane
// Σ v ⊗ w over tiles and views, and then the gradient of the spectrum's map.
type weightCorrelation struct {
	*conv
	strips
	whole bool // an example is one strip, so that sums are finished block by block
	tile  kernel.Tile
}

func (c *conv) newWeightCorrelation(y *image) *weightCorrelation {
	w := &weightCorrelation{conv: c, strips: newStrips(y, max(c.in, c.out))}
	w.whole = w.rows == w.strips.height && c.group.Views == 1
	w.tile = kernel.Tile{
		Taps: kernel.NewTaps([]kernel.Tap{{}}),
		Rows: kernel.Lanes, ARow: 1, AStep: kernel.Lanes, BStep: kernel.Lanes, CRow: kernel.Lanes,
	}
	return w
}

// sums is the number of floats of the planes of one block of inputs by one of
// outputs.
const sums = kernel.WinogradProducts * sumPlane

const sumPlane = kernel.Lanes*kernel.Lanes + apart

// scratch is the number of floats that run needs.
func (w *weightCorrelation) scratch() int {
	pairs := 2
	if !w.whole {
		pairs = w.inBlocks() * w.outBlocks()
	}
	return w.size(w.inBlocks()) + w.size(w.outBlocks()) + pairs*sums
}

// run computes example e's gradient g.
func (w *weightCorrelation) run(x, dy *Value, e int, g, scratch []float32) {
	ins, outs := w.inBlocks(), w.outBlocks()
	v, scratch := scratch[:w.size(ins)], scratch[w.size(ins):]
	u, sum := scratch[:w.size(outs)], scratch[w.size(outs):]
	for view := range w.group.Views {
		from, grad := x.of(e*w.group.Views+view), dy.of(e*w.group.Views+view)
		w.each(func(first, rows int) {
			w.eachRow(first, rows, ins, func(k, r, at int) {
				kernel.WinogradInput(v[at:], w.plane(ins), from[x.at(k, 2*r-1, -1):], x.row(), w.columns)
			})
			w.eachRow(first, rows, outs, func(k, r, at int) {
				kernel.WinogradOutputGrad(u[at:], w.plane(outs), grad[dy.at(k, 2*r, 0):], dy.row(), w.columns)
			})
			w.tile.Depth = rows * w.columns
			w.strip(v, u, sum, g, view == 0 && first == 0)
		})
	}
	if !w.whole {
		for k := range outs {
			for i := range ins {
				w.finish(g, sum[(k*ins+i)*sums:], k, i)
			}
		}
	}
}

// strip adds what one strip gives to the sums of all blocks; start says that it
// is the first.
func (w *weightCorrelation) strip(v, u, sum, g []float32, start bool) {
	ins := w.inBlocks()
	eachPair(w.outBlocks(), func(k, second int) {
		for i := range ins {
			if w.whole {
				w.products(v, u, sum, sum[sums:], i, k, second, start)
				w.finish(g, sum, k, i)
				if second > 0 {
					w.finish(g, sum[sums:], second, i)
				}
				continue
			}
			w.products(v, u, sum[(k*ins+i)*sums:], sum[(second*ins+i)*sums:], i, k, second, start)
		}
	})
}

// products adds to the sums of one block of inputs by one or two of outputs.
func (w *weightCorrelation) products(v, u, sum0, sum1 []float32, i, k, second int, start bool) {
	t := &w.tile
	ins, outs := w.plane(w.inBlocks()), w.plane(w.outBlocks())
	for f := range kernel.WinogradProducts {
		t.A = v[f*ins+i*w.block():]
		t.B0, t.C0 = u[f*outs+k*w.block():], sum0[f*sumPlane:]
		t.B1, t.C1 = nil, nil
		if second > 0 {
			t.B1, t.C1 = u[f*outs+second*w.block():], sum1[f*sumPlane:]
		}
		t.D0, t.D1, t.DRow = t.C0, t.C1, t.CRow
		if start {
			t.D0, t.D1, t.DRow = kernel.Zero, kernel.Zero, 0
		}
		t.Run()
	}
}

// finish turns the sums of a block into the gradient of its filters.
func (w *weightCorrelation) finish(g, sum []float32, k, i int) {
	kernel.WinogradFilterGrad(g[w.at(k, i, 0):], sum, sumPlane, kernel.Lanes, w.group.Add)
}
