package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// Add is the sum of two activations of one shape: a residual connection.
func (b *Builder) Add(name string, x, y *G.Node) *G.Node {
	if b.err != nil {
		return nil
	}
	if !ValueOf(x).shape.Eq(ValueOf(y).shape) {
		b.fail(fmt.Errorf("%s: shapes %v and %v differ", name, ValueOf(x).shape, ValueOf(y).shape))
		return nil
	}
	o := addition(name, "add", b.Group, ValueOf(x))
	o.derive = func(_ G.Nodes, _, grad *G.Node) (G.Nodes, error) { return G.Nodes{grad, grad}, nil }
	return b.layer(o, x, y)
}

func addition(name, kind string, g *Group, like *Value) *operation {
	o := &operation{layer: name, kind: kind, what: Description{Kind: Sum}, group: g, out: like.like(), wrt: []bool{true, true}}
	o.do = func(in []*Value) {
		g.eachRow([]*Value{o.out, in[0], in[1]}, func(r ...[]float32) { kernel.Add(r[0], r[1], r[2]) })
	}
	return o
}

// own replaces Gorgonia's sum of the gradients of an activation that several
// layers read, which would allocate on every run, by ours.
func (o *operation) own(sum *G.Node) (*G.Node, error) {
	if ValueOf(sum) != nil {
		return sum, nil
	}
	terms := inputsOf(sum)
	if len(terms) != 2 {
		return nil, fmt.Errorf("%s: gradient %v is no sum of two", o.layer, sum)
	}
	for i, t := range terms {
		var err error
		if terms[i], err = o.own(t); err != nil {
			return nil, err
		}
	}
	return apply(addition(o.layer, "addGrads", o.group, ValueOf(terms[0])), terms...)
}
