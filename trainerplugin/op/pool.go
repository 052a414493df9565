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

// MaxPool is the maximum over each window of each channel. The gradient goes
// to the first maximum, by rows.
func (b *Builder) MaxPool(name string, x *G.Node, w Window) *G.Node {
	if !b.inner(name, x) {
		return nil
	}
	in := ValueOf(x)
	ys, xs, err := w.over(&in.image)
	if err == nil && w.Padding == Same {
		err = fmt.Errorf("maxima over zeros of the border are not wanted; use Valid")
	}
	if err != nil {
		b.fail(fmt.Errorf("%s: %w", name, err))
		return nil
	}
	p := &pool{name: name, group: b.Group, window: w, ys: ys, xs: xs}
	return b.layer(p.forward(in), x)
}

// eachPlace calls do for each place of the window over row r of the result:
// the row of block k of img that begins under it.
func (p *pool) eachPlace(v *Value, img []float32, k, r int, do func(row []float32)) {
	n := ((p.xs.out-1)*p.window.Stride + 1) * kernel.Lanes
	for y := range p.window.Size {
		for x := range p.window.Size {
			do(img[v.at(k, r*p.window.Stride+y, x):][:n])
		}
	}
}

func (p *pool) forward(x *Value) *operation {
	m := image{channels: x.channels, height: p.ys.out, width: p.xs.out, lanes: kernel.Lanes}
	o := &operation{layer: p.name, kind: "maxPool", out: newImages(p.group.capacity(), m), wrt: []bool{true}}
	o.do = func(in []*Value) {
		for i := range p.group.Images() {
			from, to := in[0].of(i), o.out.of(i)
			for k := range o.out.blocks() {
				for r := range p.ys.out {
					y := to[o.out.at(k, r, 0):][:p.xs.out*kernel.Lanes]
					gather(y, from[in[0].at(k, r*p.window.Stride, 0):], p.window.Stride)
					p.eachPlace(in[0], from, k, r, func(row []float32) { kernel.Max(y, row, p.window.Stride) })
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

// gather copies every step-th block of x to y.
func gather(y, x []float32, step int) {
	for v := 0; v < len(y); v += kernel.Lanes {
		copy(y[v:v+kernel.Lanes], x[v*step:])
	}
}

func (p *pool) grad(x *Value) *operation {
	o := &operation{layer: p.name, kind: "maxPoolGrad", out: x.like()}
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
	n := ((p.xs.out-1)*p.window.Stride + 1) * kernel.Lanes
	for wy := range p.window.Size {
		for wx := range p.window.Size {
			row := r*p.window.Stride + wy
			kernel.MaxGrad(dx.of(i)[dx.at(k, row, wx):][:n], g, x.of(i)[x.at(k, row, wx):][:n], y, p.window.Stride)
		}
	}
}
