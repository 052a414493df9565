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

// A run is neighbouring results of a row whose windows lie in the image alike.
type run struct {
	first, count  int
	y, x          int // the first pixel of the first window that is in the image
	height, width int // pixels of a window that are
}

// runs cuts every row of the results into runs.
func (p *pool) runs() [][]run {
	rows := make([][]run, p.ys.out)
	for r := range rows {
		y, height := p.ys.window(r, p.window)
		for q := range p.xs.out {
			x, width := p.xs.window(q, p.window)
			if n := len(rows[r]); n > 0 {
				last := &rows[r][n-1]
				if width == last.width && x == last.x+last.count*p.window.Stride {
					last.count++
					continue
				}
			}
			rows[r] = append(rows[r], run{q, 1, y, x, height, width})
		}
	}
	return rows
}

// window is which pixels of the window of result i lie in the image.
func (s span) window(i int, w Window) (first, count int) {
	k, count := s.taps(i, w.Size, w.Stride)
	return i*w.Stride - s.before + k, count
}

// taps is where the pixels of a window lie in images like m, from its first.
func (r run) taps(m *image) (taps []int) {
	for i := range r.height {
		for j := range r.width {
			taps = append(taps, i*m.row()+j*m.lanes)
		}
	}
	return taps
}

// tapsOf is the taps of each run of each row.
func tapsOf(rows [][]run, m *image) [][][]int {
	taps := make([][][]int, len(rows))
	for r, runs := range rows {
		for _, w := range runs {
			taps[r] = append(taps[r], w.taps(m))
		}
	}
	return taps
}

func (p *pool) forward(x *Value) *operation {
	m := image{channels: x.channels, height: p.ys.out, width: p.xs.out, lanes: kernel.Lanes}
	o := &operation{layer: p.name, kind: "maxPool", what: p.describe(PoolMax), out: newImages(p.group.capacity(), m), wrt: []bool{true}, imagewise: true}
	o.derive = func(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
		n, err := apply(p.grad(ValueOf(in[0])), in[0], out, grad)
		return G.Nodes{n}, err
	}
	if p.squares() {
		o.do = func(in []*Value) { p.squareMax(o.out, in[0]) }
		return o
	}
	rows := p.runs()
	var taps [][][]int
	o.plan = func(in []*Value) { taps = tapsOf(rows, &in[0].image) }
	o.do = func(in []*Value) {
		x, y := in[0], o.out
		p.eachRow(y, func(i, k, r int) {
			from, to := x.of(i), y.of(i)
			for n, w := range rows[r] {
				kernel.WindowMax(to[y.at(k, r, w.first):][:w.count*kernel.Lanes], from[x.at(k, w.y, w.x):], taps[r][n], p.window.Stride)
			}
		})
	}
	return o
}

func (p *pool) grad(x *Value) *operation {
	o := &operation{layer: p.name, kind: "maxPoolGrad", what: p.describe(PoolMaxGrad), out: x.like(), imagewise: true}
	if p.squares() {
		o.do = func(in []*Value) { p.squareMaxGrad(o.out, in[2], in[0], in[1]) }
		return o
	}
	rows := p.runs()
	var taps, places [][][]int // in images and in their gradients
	o.plan = func(in []*Value) { taps, places = tapsOf(rows, &in[0].image), tapsOf(rows, &o.out.image) }
	o.do = func(in []*Value) {
		x, y, dy, dx := in[0], in[1], in[2], o.out
		clear(dx.mem[:p.group.Images()*dx.stride])
		p.eachRow(y, func(i, k, r int) {
			for n, w := range rows[r] {
				size := w.count * kernel.Lanes
				kernel.WindowMaxGrad(
					dx.of(i)[dx.at(k, w.y, w.x):], dy.of(i)[dy.at(k, r, w.first):][:size],
					x.of(i)[x.at(k, w.y, w.x):], y.of(i)[y.at(k, r, w.first):][:size],
					places[r][n], taps[r][n], p.window.Stride)
			}
		})
	}
	return o
}
