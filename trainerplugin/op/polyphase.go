package op

import (
	"slices"

	"sweep/trainerplugin/kernel"
)

// polyphase is a convolution of 4×4 filters with stride 2 to 5×5 results, such
// as the second one of a small network for MNIST, by the maps that package kernel
// has for it. An image is four phases of 6×6 pixels, and one square of products:
// those of all images are the rows of one matrix product for each of 49 planes.
type polyphase struct {
	*conv
	in, out squares // of what goes into the products and what comes out, or the other way round
	images  int     // at a time
	tile    kernel.Tile
}

// polyphaseImages is how many images go through the products at once: the
// weights of all planes are read once for them.
const polyphaseImages = 32

const phases = 4

// polyphaseFits says whether polyphase serves c.
func (c *conv) polyphaseFits() bool {
	whole := func(s span) bool { return s.before == 0 && s.after == 0 && s.out == kernel.PolyphaseResults }
	return c.filters.height == 4 && c.filters.width == 4 && c.stride == 2 && c.groups == 1 &&
		c.lanes == kernel.Lanes && whole(c.ys) && whole(c.xs)
}

// squares is where the products of images lie plane by plane, [image][block] of
// Lanes each.
type squares struct {
	step  int // floats from image to image
	plane int // floats from plane to plane
}

func newSquares(blocks, images int) squares {
	step := blocks * kernel.Lanes
	return squares{step, images*step + apart}
}

func (s squares) size() int { return kernel.PolyphaseProducts * s.plane }

// of is the square of a block of one image.
func (s squares) of() kernel.Square {
	return kernel.Square{Row: kernel.PolyphaseSide * s.plane, Column: s.plane}
}

func (c *conv) newPolyphase() *polyphase {
	n := min(polyphaseImages, c.group.capacity())
	return &polyphase{
		conv: c, images: n, in: newSquares(phases*c.inBlocks(), n), out: newSquares(c.outBlocks(), n),
		tile: kernel.Tile{Taps: kernel.NewTaps([]kernel.Tap{{}}), AStep: 1, BStep: kernel.Lanes},
	}
}

// scratch is the number of floats that forward and inputGrad need.
func (p *polyphase) scratch() int { return p.in.size() + p.out.size() }

// each calls do for the images of this run, some at a time.
func (p *polyphase) each(do func(first, n int)) {
	for first := 0; first < p.group.Images(); first += p.images {
		do(first, min(p.images, p.group.Images()-first))
	}
}

// eachPhase calls do for each block of each phase of an image like m: its number,
// and where its pixels lie.
func (p *polyphase) eachPhase(m *image, do func(block, at int, of kernel.Square)) {
	of := kernel.Square{Row: 2 * m.row(), Column: 2 * kernel.Lanes}
	for phase := range phases {
		for k := range p.inBlocks() {
			do(phase*p.inBlocks()+k, m.at(k, phase/2, phase%2), of)
		}
	}
}

func (p *polyphase) forward(x, y *Value, w spectrum, bias, scratch []float32) {
	v, m := scratch[:p.in.size()], scratch[p.in.size():]
	p.each(func(first, n int) {
		for i := range n {
			img := x.of(first + i)
			p.eachPhase(&x.image, func(block, at int, of kernel.Square) {
				kernel.PolyphaseInput.Run(v[i*p.in.step+block*kernel.Lanes:], p.in.of(), img[at:], of, 1)
			})
		}
		p.products(product{v, p.in, phases * p.inBlocks()}, product{m, p.out, p.outBlocks()}, w, bias, n)
		for i := range n {
			to := y.of(first + i)
			for k := range p.outBlocks() {
				kernel.PolyphaseOutput.Run(to[y.at(k, 0, 0):], y.pixels(), m[i*p.out.step+k*kernel.Lanes:], p.out.of(), 1)
			}
		}
	})
}

func (p *polyphase) inputGrad(dy, dx *Value, turned spectrum, scratch []float32) {
	dv, dm := scratch[:p.in.size()], scratch[p.in.size():]
	p.each(func(first, n int) {
		for i := range n {
			p.outputGrad(dm[i*p.out.step:], dy, first+i)
		}
		p.products(product{dm, p.out, p.outBlocks()}, product{dv, p.in, phases * p.inBlocks()}, turned, nil, n)
		for i := range n {
			img := dx.of(first + i)
			p.eachPhase(&dx.image, func(block, at int, of kernel.Square) {
				kernel.PolyphaseInputGrad.Run(img[at:], of, dv[i*p.in.step+block*kernel.Lanes:], p.in.of(), 1)
			})
		}
	})
}

// outputGrad sets dm to the gradient of the products of image i.
func (p *polyphase) outputGrad(dm []float32, dy *Value, i int) {
	from := dy.of(i)
	for k := range p.outBlocks() {
		kernel.PolyphaseOutputGrad.Run(dm[k*kernel.Lanes:], p.out.of(), from[dy.at(k, 0, 0):], dy.pixels(), 1)
	}
}

// pixels is where the pixels of a block lie.
func (m *image) pixels() kernel.Square { return kernel.Square{Row: m.row(), Column: m.lanes} }

// A product is one side of the matrix products: numbers, in squares of so many
// blocks.
type product struct {
	mem []float32
	squares
	blocks int
}

// products sets the first n rows of c, in every plane, to those of a times w.
func (p *polyphase) products(a, c product, w spectrum, bias []float32, n int) {
	t, block := &p.tile, a.blocks*kernel.Lanes*kernel.Lanes
	t.Rows, t.Depth, t.ARow, t.CRow = n, a.blocks*kernel.Lanes, a.step, c.step
	for f := range kernel.PolyphaseProducts {
		t.A = a.mem[f*a.plane:]
		biased := bias != nil && slices.Contains(kernel.PolyphaseBias[:], f)
		eachPair(c.blocks, func(k, second int) {
			column := func(k int) (b, to, from []float32) {
				from = kernel.Zero
				if biased {
					from = bias[k*kernel.Lanes:]
				}
				return w[f*p.phasePlane()+k*block:], c.mem[f*c.plane+k*kernel.Lanes:], from
			}
			t.B0, t.C0, t.D0 = column(k)
			t.B1, t.C1, t.D1 = nil, nil, nil
			if second > 0 {
				t.B1, t.C1, t.D1 = column(second)
			}
			t.Run()
		})
	}
}

// phasePlane is the number of floats of a plane of the filters' spectrum.
func (f *filters) phasePlane() int {
	return phases*f.inBlocks()*f.outBlocks()*kernel.Lanes*kernel.Lanes + apart
}

// transformPhases fills v's spectra: plane by plane
// [out/Lanes][phase][in/Lanes][Lanes in][Lanes out], and turned
// [phase][in/Lanes][out/Lanes][Lanes out][Lanes in].
func (f *filters) transformPhases(v *Value) {
	const block = kernel.Lanes * kernel.Lanes
	plane, ins, outs := f.phasePlane(), phases*f.inBlocks(), f.outBlocks()
	if v.spectrum == nil {
		v.spectrum = kernel.Alloc(kernel.PolyphaseProducts * plane)
		v.turnedSpectrum = kernel.Alloc(kernel.PolyphaseProducts * plane)
	}
	to := kernel.Square{Row: kernel.PolyphaseSide * plane, Column: plane}
	of := kernel.Square{Row: 2 * f.run(), Column: 2 * block}
	for o := range outs {
		for in := range ins {
			i, y, x := f.phase(in)
			kernel.PolyphaseFilter.Run(v.spectrum[(o*ins+in)*block:], to, v.mem[f.at(o, i, y)+x*block:], of, kernel.Lanes)
			kernel.PolyphaseFilter.Run(v.turnedSpectrum[(in*outs+o)*block:], to, v.turned[i*f.turnedBlock()+f.turnedAt(o, y, x):], of, kernel.Lanes)
		}
	}
}

// phase is the block of inputs, and the first tap, that a block of a phase stands for.
func (f *filters) phase(in int) (block, y, x int) {
	phase := in / f.inBlocks()
	return in % f.inBlocks(), phase / 2, phase % 2
}
