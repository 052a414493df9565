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
	return 1 / float32(p.ys.within(r, p.window)*p.xs.within(q, p.window))
}

// within is how many positions of the window of result i lie in the image.
func (s span) within(i int, w Window) int {
	first := i*w.Stride - s.before
	return min(s.in, first+w.Size) - max(0, first)
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
