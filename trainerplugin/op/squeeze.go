package op

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// SqueezeExcite scales the channels of x by what the whole image says of them
// (Hu et al. 2018): with s the mean over all pixels,
//
//	y = factor·x·σ(W1·relu(W0·s + b0) + b1)
//
// and σ the logistic function. Its weights are those of the dense layers
// name/fc0, to hidden features, and name/fc1.
func (b *Builder) SqueezeExcite(name string, x *G.Node, hidden int, factor float32, init Weights) *G.Node {
	if !b.inner(name, x) {
		return nil
	}
	s := b.GlobalAverage(name+"/squeeze", x)
	s = b.Dense(name+"/fc0", s, hidden, init)
	s = b.ScaledReLU(name+"/relu", s, 1)
	s = b.Dense(name+"/fc1", s, ValueOf(x).channels, init)
	return b.gate(name, x, s, factor)
}

// gate is factor·x·σ(z), with one z for each channel.
func (b *Builder) gate(name string, x, z *G.Node, factor float32) *G.Node {
	if b.err != nil {
		return nil
	}
	if ValueOf(x).channels != ValueOf(z).channels {
		b.fail(fmt.Errorf("%s: %d gates for %d channels", name, ValueOf(z).channels, ValueOf(x).channels))
		return nil
	}
	o := &operation{layer: name, kind: "gate", what: Description{Kind: Gate, Scale: factor}, wrt: []bool{true, true}}
	o.out = ValueOf(x).like()
	o.do = b.gated(o.out, factor)
	o.derive = func(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		d := &operation{layer: name, kind: "gateInputGrad", what: Description{Kind: Gate, Scale: factor}, out: ValueOf(x).like()}
		d.do = b.gated(d.out, factor)
		dx, err := apply(d, grad, in[1])
		if err != nil {
			return nil, err
		}
		dz, err := apply(b.gateGrad(name, ValueOf(z), factor), in[0], in[1], grad)
		return G.Nodes{dx, dz}, err
	}
	return b.layer(o, x, z)
}

// gated returns what sets y to factor·x·σ(z), given x and z.
func (b *Builder) gated(y *Value, factor float32) func(in []*Value) {
	gates := make([]kernel.Vector, y.blocks())
	return func(in []*Value) {
		x, z := in[0], in[1]
		for i := range b.Group.Images() {
			for c, v := range z.of(i)[:z.channels] {
				gates[c/kernel.Lanes][c%kernel.Lanes] = factor * float32(logistic(float64(v)))
			}
			to := y.of(i)
			x.rowsWith(i, y, func(k int, row []float32, at int) { kernel.LaneScale(to[at:][:len(row)], row, &gates[k]) })
		}
	}
}

// gateGrad is the operation of images, gates and the gradient of the result to
// the gradient of the gates: factor·σ'(z)·Σ_pixels x·dy.
func (b *Builder) gateGrad(name string, z *Value, factor float32) *operation {
	o := &operation{layer: name, kind: "gateGrad", what: Description{Kind: GateGrad, Scale: factor}, out: z.like()}
	products := make([]kernel.Vector, z.blocks())
	var sums, squares kernel.Vector
	o.do = func(in []*Value) {
		x, z, dy := in[0], in[1], in[2]
		for i := range b.Group.Images() {
			clear(products)
			from := dy.of(i)
			x.rowsWith(i, dy, func(k int, row []float32, at int) {
				kernel.FilterSums(&sums, &squares, &products[k], row, from[at:][:len(row)])
			})
			to := o.out.of(i)
			for c, v := range z.of(i)[:z.channels] {
				s := logistic(float64(v))
				to[c] = factor * float32(s*(1-s)*float64(products[c/kernel.Lanes][c%kernel.Lanes]))
			}
		}
	}
	return o
}

// logistic is 1/(1 + e⁻ˣ).
func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
