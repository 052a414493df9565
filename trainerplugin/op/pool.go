package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// pool is a maximum over windows.
type pool struct {
	name   string
	group  *Group
	window Window
	ys, xs span
}

// MaxPool is the maximum over each window of each channel, of the pixels that
// lie in the image. The gradient goes to the first maximum, by rows.
func (b *Builder) MaxPool(name string, x *G.Node, w Window) *G.Node {
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
	return b.layer(p.forward(in), x)
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

// results is the part of row r of block k of v's image that a place is for.
func (a place) results(v *Value, img []float32, k, r int) []float32 {
	return img[v.at(k, r, a.first):][:a.count*kernel.Lanes]
}

// pixels is the row of pixels of block k of v's image, a stride apart.
func (a place) pixels(v *Value, img []float32, k, stride int) []float32 {
	return img[v.at(k, a.y, a.x):][:((a.count-1)*stride+1)*kernel.Lanes]
}

func (p *pool) forward(x *Value) *operation {
	m := image{channels: x.channels, height: p.ys.out, width: p.xs.out, lanes: kernel.Lanes}
	o := &operation{layer: p.name, kind: "maxPool", what: p.describe(PoolMax), out: newImages(p.group.capacity(), m), wrt: []bool{true}}
	o.do = func(in []*Value) {
		for i := range p.group.Images() {
			from, to := in[0].of(i), o.out.of(i)
			for k := range o.out.blocks() {
				for r := range p.ys.out {
					p.start(in[0], from, to[o.out.at(k, r, 0):], k, r)
					p.eachPlace(r, func(a place) {
						kernel.Max(a.results(o.out, to, k, r), a.pixels(in[0], from, k, p.window.Stride), p.window.Stride)
					})
				}
			}
		}
	}
	o.derive = func(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
		n, err := apply(p.grad(ValueOf(in[0])), in[0], out, grad)
		return G.Nodes{n}, err
	}
	return o
}

// start copies to y, a row of results, the first pixel of each window that lies
// in the image.
func (p *pool) start(x *Value, img, y []float32, k, r int) {
	row := max(0, r*p.window.Stride-p.ys.before)
	for q := range p.xs.out {
		column := max(0, q*p.window.Stride-p.xs.before)
		copy(y[q*kernel.Lanes:][:kernel.Lanes], img[x.at(k, row, column):])
	}
}

func (p *pool) grad(x *Value) *operation {
	o := &operation{layer: p.name, kind: "maxPoolGrad", what: p.describe(PoolMaxGrad), out: x.like()}
	g := kernel.Alloc(p.xs.out * kernel.Lanes)
	o.do = func(in []*Value) {
		x, y, dy := in[0], in[1], in[2]
		clear(o.out.mem)
		for i := range p.group.Images() {
			for k := range y.blocks() {
				for r := range p.ys.out {
					copy(g, dy.of(i)[dy.at(k, r, 0):])
					p.gradRow(x, o.out, i, k, r, g, y.of(i)[y.at(k, r, 0):][:len(g)])
				}
			}
		}
	}
	return o
}

func (p *pool) gradRow(x, dx *Value, i, k, r int, g, y []float32) {
	p.eachPlace(r, func(a place) {
		part := g[a.first*kernel.Lanes:][:a.count*kernel.Lanes]
		top := y[a.first*kernel.Lanes:][:a.count*kernel.Lanes]
		kernel.MaxGrad(a.pixels(dx, dx.of(i), k, p.window.Stride), part, a.pixels(x, x.of(i), k, p.window.Stride), top, p.window.Stride)
	})
}
