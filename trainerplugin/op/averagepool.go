package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// AveragePool is the mean over each window of each channel, of the pixels that
// lie in the image: zeros of the padding do not count.
func (b *Builder) AveragePool(name string, x *G.Node, w Window) *G.Node {
	if !b.inner(name, x) {
		return nil
	}
	in := ValueOf(x)
	ys, xs, err := w.over(&in.image)
	if err != nil {
		b.fail(fmt.Errorf("%s: %w", name, err))
		return nil
	}
	p := &pool{name: name, group: b.Group, window: w, ys: ys, xs: xs}
	return b.layer(p.average(in), x)
}

func (p *pool) average(x *Value) *operation {
	m := image{channels: x.channels, height: p.ys.out, width: p.xs.out, lanes: kernel.Lanes}
	o := &operation{layer: p.name, kind: "averagePool", what: p.describe(PoolMean), out: newImages(p.group.capacity(), m), wrt: []bool{true}}
	o.do = func(in []*Value) {
		p.eachRow(o.out, func(i, k, r int) {
			y := o.out.of(i)[o.out.at(k, r, 0):][:p.xs.out*kernel.Lanes]
			clear(y)
			p.eachPlace(r, func(a place) {
				from := a.pixels(in[0], in[0].of(i), k, p.window.Stride)
				for q := range a.count {
					kernel.Axpy(y[(a.first+q)*kernel.Lanes:][:kernel.Lanes], 1, from[q*p.window.Stride*kernel.Lanes:][:kernel.Lanes])
				}
			})
			for q := range p.xs.out {
				scale(y[q*kernel.Lanes:][:kernel.Lanes], p.share(r, q))
			}
		})
	}
	o.derive = func(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		n, err := apply(p.averageGrad(ValueOf(in[0])), grad)
		return G.Nodes{n}, err
	}
	return o
}

// inside is which of the results along one side have position k of their window
// in the image: from the first on, count of them.
func (s span) inside(k, stride int) (first, count int) {
	first = max(0, (s.before-k+stride-1)/stride)
	last := s.in - 1 + s.before - k
	if last < 0 {
		return first, 0
	}
	return first, max(0, min(s.out-1, last/stride)-first+1)
}

// A place is one position of the window over a row of results: the results
// that have it in the image, and the row of pixels that it meets.
type place struct{ first, count, y, x int }

// eachPlace calls do for each position of the window over row r of the result.
func (p *pool) eachPlace(r int, do func(place)) {
	for wy := range p.window.Size {
		y := r*p.window.Stride + wy - p.ys.before
		if y < 0 || y >= p.ys.in {
			continue
		}
		for wx := range p.window.Size {
			first, count := p.xs.inside(wx, p.window.Stride)
			if count > 0 {
				do(place{first, count, y, first*p.window.Stride + wx - p.xs.before})
			}
		}
	}
}

// pixels is the row of pixels of block k of v's image, a stride apart.
func (a place) pixels(v *Value, img []float32, k, stride int) []float32 {
	return img[v.at(k, a.y, a.x):][:((a.count-1)*stride+1)*kernel.Lanes]
}

// eachRow calls do for every row of the images of this run.
func (p *pool) eachRow(v *Value, do func(image, block, row int)) {
	for i := range p.group.Images() {
		for k := range v.blocks() {
			for r := range v.height {
				do(i, k, r)
			}
		}
	}
}

// share is 1 over the pixels of the window of result (r, q).
func (p *pool) share(r, q int) float32 {
	_, height := p.ys.window(r, p.window)
	_, width := p.xs.window(q, p.window)
	return 1 / float32(height*width)
}

func scale(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}

func (p *pool) averageGrad(x *Value) *operation {
	o := &operation{layer: p.name, kind: "averagePoolGrad", what: p.describe(PoolMeanGrad), out: x.like()}
	o.do = func(in []*Value) {
		dy := in[0]
		clear(o.out.mem)
		p.eachRow(dy, func(i, k, r int) {
			g := dy.of(i)[dy.at(k, r, 0):]
			p.eachPlace(r, func(a place) {
				to := a.pixels(o.out, o.out.of(i), k, p.window.Stride)
				for q := range a.count {
					kernel.Axpy(to[q*p.window.Stride*kernel.Lanes:][:kernel.Lanes], p.share(r, a.first+q), g[(a.first+q)*kernel.Lanes:][:kernel.Lanes])
				}
			})
		})
	}
	return o
}
