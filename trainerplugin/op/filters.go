package op

import (
	"sweep/trainerplugin/kernel"
)

// filters is the layout of a convolution's weights, [height, width, channels
// in, channels out] in the flat vector. Kernels read
// [out/Lanes][in/lanes][height][width][lanes][Lanes], and for the gradient of
// the input [in/Lanes][out/Lanes][height][width][Lanes out][Lanes in].
type filters struct {
	height, width, in, out int
	lanes                  int // of the input
	turn                   bool
	winograd, polyphase    bool // which maps serve it, if any
}

func (f *filters) inBlocks() int  { return (f.in + f.lanes - 1) / f.lanes }
func (f *filters) outBlocks() int { return (f.out + kernel.Lanes - 1) / kernel.Lanes }

// run is the number of floats of one row of a filter, for a block of outputs.
func (f *filters) run() int { return f.width * f.lanes * kernel.Lanes }

// at is where row y of the filters from block i of the inputs to block o of
// the outputs begins.
func (f *filters) at(o, i, y int) int { return ((o*f.inBlocks()+i)*f.height + y) * f.run() }

// turnedAt is where tap (y, x) of block o of the outputs begins within the
// turned filters of one block of inputs.
func (f *filters) turnedAt(o, y, x int) int {
	return ((o*f.height+y)*f.width + x) * kernel.Lanes * kernel.Lanes
}

// turnedBlock is the number of floats of the turned filters of one block of
// inputs.
func (f *filters) turnedBlock() int { return f.turnedAt(f.outBlocks(), 0, 0) }

func (f *filters) packed() int { return f.at(f.outBlocks(), 0, 0) }

func (f *filters) held() int {
	n := f.packed()
	if f.turn {
		n += f.inBlocks() * f.turnedBlock()
	}
	if f.winograd {
		n += 2 * kernel.WinogradProducts * f.spectrumPlane()
	}
	if f.polyphase {
		n += 2 * kernel.PolyphaseProducts * f.phasePlane()
	}
	return n
}

// A stretch is weights from one input to neighbouring outputs: n of them, from
// output out on. They are neighbours in the flat vector and in the packed form,
// and Lanes apart in the turned one.
type stretch struct{ flat, packed, turned, out, n int }

// each calls do until it was given every weight once.
func (f *filters) each(do func(stretch)) {
	s := stretch{}
	for y := range f.height {
		for x := range f.width {
			for c := range f.in {
				i, ci := c/f.lanes, c%f.lanes
				for o := range f.outBlocks() {
					s.out = o * kernel.Lanes
					s.n = min(kernel.Lanes, f.out-s.out)
					s.packed = f.at(o, i, y) + (x*f.lanes+ci)*kernel.Lanes
					s.turned = i*f.turnedBlock() + f.turnedAt(o, y, x) + ci
					do(s)
					s.flat += s.n
				}
			}
		}
	}
}

// prepare makes room for the turned weights, if there are any.
func (f *filters) prepare(v *Value) {
	if f.turn && v.turned == nil {
		v.turned = kernel.Alloc(f.inBlocks() * f.turnedBlock())
	}
}

// turnOver copies a stretch of v to where the turned weights have it.
func (f *filters) turnOver(v *Value, s stretch) {
	for l, x := range v.mem[s.packed:][:s.n] {
		v.turned[s.turned+l*kernel.Lanes] = x
	}
}

func (f *filters) pack(v *Value, flat []float32) {
	f.prepare(v)
	f.each(func(s stretch) {
		copy(v.mem[s.packed:][:s.n], flat[s.flat:])
		if f.turn {
			f.turnOver(v, s)
		}
	})
	f.transform(v)
}

func (f *filters) normSq(_ *Value, g []float32) float64 { return kernel.SumSquares(g) }

func (f *filters) unpack(_ *Value, g, flat []float32) {
	f.each(func(s stretch) {
		from := g[s.packed:][:s.n]
		for l, x := range from {
			flat[s.flat+l] += x
		}
	})
}

// channelwise is the layout of a vector of one weight per channel.
type channelwise int

func (n channelwise) packed() int {
	return (int(n) + kernel.Lanes - 1) / kernel.Lanes * kernel.Lanes
}

func (n channelwise) held() int { return n.packed() }

func (n channelwise) pack(v *Value, flat []float32) { copy(v.mem, flat[:n]) }

func (n channelwise) normSq(_ *Value, g []float32) float64 { return kernel.SumSquares(g) }

func (n channelwise) unpack(_ *Value, g, flat []float32) {
	for i := range int(n) {
		flat[i] += g[i]
	}
}
