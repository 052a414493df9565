package op

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// GlobalAverage is the mean over all pixels of each channel.
func (b *Builder) GlobalAverage(name string, x *G.Node) *G.Node {
	if !b.inner(name, x) {
		return nil
	}
	in := ValueOf(x)
	o := &operation{layer: name, kind: "globalAverage", what: Description{Kind: Mean}, out: newMatrix(b.Group.capacity(), in.channels), wrt: []bool{true}}
	share := 1 / float32(in.height*in.width)
	sums := make([]kernel.Vector, in.blocks())
	o.do = func(in []*Value) {
		for i := range b.Group.Images() {
			clear(sums)
			in[0].rowsWith(i, in[0], func(k int, row []float32, _ int) { kernel.LaneSums(&sums[k], row) })
			for k := range sums {
				for l, s := range sums[k] {
					o.out.of(i)[k*kernel.Lanes+l] = s * share
				}
			}
		}
	}
	o.derive = func(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		n, err := apply(b.spread(name, ValueOf(in[0]), share), grad)
		return G.Nodes{n}, err
	}
	return b.layer(o, x)
}

// spread is the operation of a matrix to images like x whose pixels all are
// share times its row.
func (b *Builder) spread(name string, x *Value, share float32) *operation {
	o := &operation{layer: name, kind: "spread", what: Description{Kind: MeanGrad}, out: x.like()}
	o.do = func(in []*Value) {
		for i := range b.Group.Images() {
			from, to := in[0].of(i), o.out.of(i)
			for k := range o.out.blocks() {
				var v kernel.Vector
				for l := range v {
					v[l] = from[k*kernel.Lanes+l] * share
				}
				for r := range o.out.height {
					for c := range o.out.width {
						copy(to[o.out.at(k, r, c):], v[:])
					}
				}
			}
		}
	}
	return o
}
