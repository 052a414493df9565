package op

import "sweep/trainerplugin/kernel"

// Winograd's convolution serves 3×3 filters of stride 1, in tiles of 2×2
// results; package kernel has its maps. Between them lie 16 matrix products,
// one for each plane, of tiles × inputs by inputs × outputs.

// Fewer channels than these leave the products too short to pay for the maps.
const winogradChannels = 32

// How many numbers of a plane are worked on at a time, tiles times channels. 16
// planes of stripNumbers stay in a core's second cache. Those of the gradient of
// the weights are read too seldom for that to matter, and its sums are the better
// the longer.
const (
	stripNumbers     = 1 << 13
	gradStripNumbers = 1 << 14
)

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

// transform fills the spectra of v, if its products are to be made of them.
func (f *filters) transform(v *Value) {
	switch {
	case f.winograd:
		f.transformTiles(v)
	case f.polyphase:
		f.transformPhases(v)
	}
}

func (f *filters) transformTiles(v *Value) {
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

// strips cuts the rows of tiles of a few images, counted through, into strips.
type strips struct {
	rows, columns int // of tiles, in an image
	height        int // rows of a strip; the last may have fewer
}

// newStrips is strips of images like m with at most so many numbers in a plane.
func newStrips(m *image, images, channels, numbers int) strips {
	s := strips{rows: m.height / 2, columns: m.width / 2}
	s.height = max(1, min(images*s.rows, numbers/(s.columns*channels)))
	return s
}

// tiles is how many a strip has.
func (s strips) tiles() int { return s.height * s.columns }

// block is the number of floats of a block of channels in a plane of a strip.
func (s strips) block() int { return s.tiles() * kernel.Lanes }

// each calls do for each strip of so many images, with its first row and how
// many.
func (s strips) each(images int, do func(first, rows int)) {
	for first := 0; first < images*s.rows; first += s.height {
		do(first, min(s.height, images*s.rows-first))
	}
}

// eachRow calls do for every row of tiles of a strip: with its image, its place
// there, and its first tile's number in the strip.
func (s strips) eachRow(first, rows int, do func(image, row, tile int)) {
	for r := range rows {
		do((first+r)/s.rows, (first+r)%s.rows, r*s.columns)
	}
}

// planes is where a strip's numbers lie plane by plane, either [block][tile] or,
// with a step, [tile][block], of Lanes each.
type planes struct {
	blocks int
	step   int // floats from tile to tile
	plane  int // floats from plane to plane
}

// byBlock is planes of a strip in which a block of channels lies together.
func (s strips) byBlock(blocks int) planes {
	return planes{blocks, kernel.Lanes, blocks*s.block() + apart}
}

// byTile is planes of a strip in which a tile's channels lie together, so that
// those of all blocks are one sum, or the rows of one product.
func (s strips) byTile(blocks int) planes {
	step := blocks*kernel.Lanes + apart
	return planes{blocks, step, s.tiles()*step + apart}
}

// size is the number of floats of all planes.
func (p planes) size() int { return kernel.WinogradProducts * p.plane }

// transform fills v, by tile, with the transforms of a strip of x.
func (s strips) transform(v []float32, in planes, x *Value, image0, first, rows int) {
	s.eachRow(first, rows, func(i, r, tile int) {
		img := x.of(image0 + i)
		for k := range in.blocks {
			kernel.WinogradInput(v[tile*in.step+k*kernel.Lanes:], in.plane, in.step, img[x.at(k, 2*r-1, -1):], x.row(), s.columns)
		}
	})
}

// correlation is the forward operation, and that of the gradient of the input:
// y = bias + Σ x ⋆ w.
type correlation struct {
	group *Group
	strips
	in, out planes // of all inputs, by tile, and of two blocks of outputs
	outs    int    // blocks of outputs
	tile    kernel.Tile
}

func newCorrelation(g *Group, ins, outs int, y *image) *correlation {
	c := &correlation{group: g, outs: outs, strips: newStrips(y, g.capacity(), max(ins, outs)*kernel.Lanes, stripNumbers)}
	c.in, c.out = c.byTile(ins), c.byBlock(2)
	c.tile = kernel.Tile{
		Taps: kernel.NewTaps([]kernel.Tap{{}}), Depth: ins * kernel.Lanes,
		ARow: c.in.step, AStep: 1, BStep: kernel.Lanes, CRow: kernel.Lanes,
	}
	return c
}

// scratch is the number of floats that run needs.
func (c *correlation) scratch() int { return c.in.size() + c.out.size() }

// run computes the images of this run. Bias may be nil.
func (c *correlation) run(x, y *Value, w spectrum, bias, scratch []float32) {
	v, m := scratch[:c.in.size()], scratch[c.in.size():]
	c.each(c.group.Images(), func(first, rows int) {
		c.transform(v, c.in, x, 0, first, rows)
		eachPair(c.outs, func(k, second int) {
			c.products(v, m, w, bias, rows*c.columns, k, second)
			blocks := 1
			if second > 0 {
				blocks = 2
			}
			c.eachRow(first, rows, func(i, r, tile int) {
				to := y.of(i)
				for b := range blocks {
					kernel.WinogradOutput(to[y.at(k+b, 2*r, 0):], y.row(), m[b*c.block()+tile*kernel.Lanes:], c.out.plane, c.columns)
				}
			})
		})
	})
}

// products fills m with one or two blocks of outputs of n tiles.
func (c *correlation) products(v, m []float32, w spectrum, bias []float32, n, k, second int) {
	t := &c.tile
	t.Rows = n
	block := c.in.blocks * kernel.Lanes * kernel.Lanes
	plane := block*c.outs + apart
	for f := range kernel.WinogradProducts {
		t.A = v[f*c.in.plane:]
		t.B0, t.C0, t.D0 = w[f*plane+k*block:], m[f*c.out.plane:], kernel.Zero
		t.B1, t.C1, t.D1 = nil, nil, kernel.Zero
		if second > 0 {
			t.B1, t.C1 = w[f*plane+second*block:], m[f*c.out.plane+c.block():]
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
