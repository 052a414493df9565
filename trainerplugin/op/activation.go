package op

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// eachRow calls do with the same row of images of one shape, for all images of
// this run. Images without borders are one row.
func (g *Group) eachRow(vs []*Value, do func(rows ...[]float32)) {
	g.rows = slices.Grow(g.rows[:0], len(vs))[:len(vs)]
	rows := g.rows
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

// An activation is a function of every number, zero at zero.
type activation struct {
	kind  string
	what  Description
	value func(y, x []float32)
	grad  func(dx, dy, x, y []float32)
}

func (b *Builder) activate(name string, x *G.Node, a activation) *G.Node {
	if !b.inner(name, x) {
		return nil
	}
	o := &operation{layer: name, kind: a.kind, what: a.what, out: ValueOf(x).like(), wrt: []bool{true}, imagewise: true}
	o.do = func(in []*Value) {
		b.Group.eachRow([]*Value{o.out, in[0]}, func(r ...[]float32) { a.value(r[0], r[1]) })
	}
	o.derive = func(in G.Nodes, y, grad *G.Node) (G.Nodes, error) {
		d := &operation{layer: name, kind: a.kind + "Grad", what: a.what, out: o.out.like(), imagewise: true}
		d.what.Kind = ActivateGrad
		d.do = func(in []*Value) {
			b.Group.eachRow([]*Value{d.out, in[0], in[1], in[2]}, func(r ...[]float32) { a.grad(r[0], r[1], r[2], r[3]) })
		}
		n, err := apply(d, grad, in[0], y)
		return G.Nodes{n}, err
	}
	return b.layer(o, x)
}

// Tanh is the hyperbolic tangent of every number.
func (b *Builder) Tanh(name string, x *G.Node) *G.Node {
	return b.activate(name, x, activation{"tanh", Description{Kind: Activate, Function: Tanh}, kernel.Tanh, func(dx, dy, _, y []float32) { kernel.TanhGrad(dx, dy, y) }})
}

// ScaledReLU is gain·max(x, 0). Gain [ReLUGain] keeps a unit variance; 1 makes
// it a plain ReLU.
func (b *Builder) ScaledReLU(name string, x *G.Node, gain float32) *G.Node {
	return b.activate(name, x, activation{
		"relu",
		Description{Kind: Activate, Function: ReLU, Scale: gain},
		func(y, x []float32) { kernel.Relu(y, x, gain) },
		func(dx, dy, x, _ []float32) { kernel.ReluGrad(dx, dy, x, gain) },
	})
}

// SELU is the self-normalising activation of Klambauer et al. 2017.
func (b *Builder) SELU(name string, x *G.Node) *G.Node {
	return b.activate(name, x, activation{"selu", Description{Kind: Activate, Function: SELU}, kernel.Selu, kernel.SeluGrad})
}

// ScaledGELU is gain·GELU(x) in the form with tanh, as jax.nn.gelu computes it
// unless asked otherwise. Gain [GELUGain] keeps a unit variance; 1 makes it a
// plain GELU.
func (b *Builder) ScaledGELU(name string, x *G.Node, gain float32) *G.Node {
	return b.activate(name, x, activation{
		"geluTanh",
		Description{Kind: Activate, Function: GELUTanh, Scale: gain},
		func(y, x []float32) { kernel.GeluTanh(y, x, gain) },
		func(dx, dy, x, _ []float32) { kernel.GeluTanhGrad(dx, dy, x, gain) },
	})
}

// ExactGELU is gain·x·Φ(x), as torch.nn.GELU computes it unless asked
// otherwise. It is slower than ScaledGELU, which differs by at most 5e-4·gain.
func (b *Builder) ExactGELU(name string, x *G.Node, gain float32) *G.Node {
	return b.activate(name, x, activation{
		"gelu",
		Description{Kind: Activate, Function: GELU, Scale: gain},
		func(y, x []float32) { kernel.Gelu(y, x, gain) },
		func(dx, dy, x, _ []float32) { kernel.GeluGrad(dx, dy, x, gain) },
	})
}

// Gains after which an activation of N(0, 1) has variance 1, as the code of
// Brock et al. 2021 has them.
const (
	ReLUGain = 1.7139588594436646
	GELUGain = 1.7015043497085571
)
