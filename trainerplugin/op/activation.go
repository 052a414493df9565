package op

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// eachRow calls do with the same row of images of one shape, for all images of
// this run. Images without borders are one row.
func (g *Group) eachRow(vs []*Value, do func(rows ...[]float32)) {
	rows := make([][]float32, len(vs))
	first := vs[0]
	n := first.width * first.lanes
	if !slices.ContainsFunc(vs, func(v *Value) bool { return v.size() != v.blocks()*v.height*n }) {
		for i := range g.Images() {
			for j, v := range vs {
				rows[j] = v.of(i)
			}
			do(rows...)
		}
		return
	}
	for i := range g.Images() {
		for k := range first.blocks() {
			for r := range first.height {
				for j, v := range vs {
					rows[j] = v.of(i)[v.at(k, r, 0):][:n]
				}
				do(rows...)
			}
		}
	}
}

// Tanh is the hyperbolic tangent of every number.
func (b *Builder) Tanh(name string, x *G.Node) *G.Node {
	if !b.inner(name, x) {
		return nil
	}
	o := &operation{layer: name, kind: "tanh", out: ValueOf(x).like(), wrt: []bool{true}}
	o.do = func(in []*Value) {
		b.Group.eachRow([]*Value{o.out, in[0]}, func(r ...[]float32) { kernel.Tanh(r[0], r[1]) })
	}
	o.derive = func(_ G.Nodes, y, grad *G.Node) (G.Nodes, error) {
		d := &operation{layer: name, kind: "tanhGrad", out: o.out.like()}
		d.do = func(in []*Value) {
			b.Group.eachRow([]*Value{d.out, in[0], in[1]}, func(r ...[]float32) { kernel.TanhGrad(r[0], r[1], r[2]) })
		}
		n, err := apply(d, grad, y)
		return G.Nodes{n}, err
	}
	return b.layer(o, x)
}
