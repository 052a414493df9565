package op

import "sweep/trainerplugin/kernel"

// squares says whether all windows are whole squares of 2×2 pixels, a pixel
// apart, which have kernels of their own.
func (p *pool) squares() bool {
	inside := func(s span) bool { return s.before == 0 && s.after == 0 }
	return p.window.Size == 2 && p.window.Stride == 1 && inside(p.ys) && inside(p.xs)
}

func (p *pool) squareMax(y, x *Value) {
	p.eachBlock(y, func(i, k int) {
		kernel.SquareMax(y.plain(i, k), y.row(), x.plain(i, k), x.row(), y.height, y.width)
	})
}

func (p *pool) squareMaxGrad(dx, dy, x, y *Value) {
	p.eachBlock(y, func(i, k int) {
		kernel.SquareMaxGrad(dx.plain(i, k), dx.row(), dy.plain(i, k), dy.row(), x.plain(i, k), x.row(), y.plain(i, k), y.row(), y.height, y.width)
	})
}

// eachBlock calls do for every block of channels of this run's images.
func (p *pool) eachBlock(v *Value, do func(image, block int)) {
	for i := range p.group.Images() {
		for k := range v.blocks() {
			do(i, k)
		}
	}
}

// plain is block k of image i from its first pixel on, without the border before.
func (v *Value) plain(i, k int) []float32 { return v.of(i)[v.at(k, 0, 0):] }
