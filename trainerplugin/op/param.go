package op

import (
	"fmt"
	"math/rand/v2"
	"path"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainerplugin/kernel"
)

// A Tensor is a named block of a model's flat weight vector, row-major.
type Tensor struct {
	Name  string
	Shape []int
	Init  func(r *rand.Rand, w []float32) // fills w, of the tensor's size
}

// Size is the number of t's elements.
func (t Tensor) Size() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// layer is the name of the layer that t belongs to: all but what follows the
// last slash.
func (t Tensor) layer() string { return path.Dir(t.Name) }

// A Param is a parameter of the graph: one or more tensors of the flat vector,
// in the layout that kernels read. Its per-example gradient has that layout.
type Param struct {
	Tensors []Tensor
	Frozen  bool // not trained, so that it has no gradient
	layout
	shape tensor.Shape
}

// layout translates between the flat vector and what the graph holds. Where
// the graph holds a function of the weights, it also knows that function's
// Jacobian, which is the same for every example.
type layout interface {
	// packed is the number of floats of one packed parameter, and held of all
	// forms of it that the graph reads.
	packed() int
	held() int
	// pack lays out flat weights in v.
	pack(v *Value, flat []float32)
	// normSq is the squared norm, over the flat weights, of the gradient
	// whose packed form is g. v is the packed parameter.
	normSq(v *Value, g []float32) float64
	// unpack adds to flat the gradient whose packed form is g.
	unpack(v *Value, g, flat []float32)
}

// Layer is the name of the layer that p belongs to.
func (p *Param) Layer() string { return p.Tensors[0].layer() }

// Size is the number of p's flat weights.
func (p *Param) Size() int {
	n := 0
	for _, t := range p.Tensors {
		n += t.Size()
	}
	return n
}

// Packed is the number of floats of one example's gradient.
func (p *Param) Packed() int { return p.packed() }

// Held is the number of floats of p in all forms that graphs read.
func (p *Param) Held() int { return p.held() }

// NewValue makes a packed parameter, for any number of graphs to read. It has
// no memory until it is filled.
func (p *Param) NewValue() *Value { return newArray(p.shape, 1, p.packed()) }

// Pack fills v from flat weights, of p.Size.
func (p *Param) Pack(v *Value, flat []float32) {
	v.Alloc()
	p.pack(v, flat)
}

// NormSq is the squared L2 norm of the gradient with respect to the flat
// weights, given g with respect to the packed ones.
func (p *Param) NormSq(v *Value, g []float32) float64 { return p.normSq(v, g) }

// Unpack adds the gradient g, in packed form, to flat.
func (p *Param) Unpack(v *Value, g, flat []float32) { p.unpack(v, g, flat) }

// param declares p in the graph and returns its replica over the examples.
func (b *Builder) param(p *Param) *G.Node {
	if b.err != nil {
		return nil
	}
	p.Frozen = b.Frozen != nil && b.Frozen(p.Layer())
	i := len(b.Params)
	b.Params = append(b.Params, p)
	v := newArray(p.shape, 1, p.packed())
	n := G.NewTensor(b.Graph, tensor.Float32, len(p.shape),
		G.WithShape(p.shape...), G.WithName(fmt.Sprintf("param%d:%s", i, p.Tensors[0].Name)))
	b.fail(G.Let(n, v))
	b.leaves = append(b.leaves, n)
	r, err := b.replicate(p, n)
	b.fail(err)
	if !p.Frozen {
		b.replicas = append(b.replicas, r)
	}
	return r
}

// replicate gives every example the same parameter, without a copy. It is what
// makes gradients per-example: the gradient with respect to one replica is the
// gradient of one example.
func (b *Builder) replicate(p *Param, n *G.Node) (*G.Node, error) {
	shape := append(tensor.Shape{b.Group.Examples}, p.shape...)
	o := &operation{layer: p.Tensors[0].Name, kind: "replicate", what: Description{Kind: Replicate}, unstored: true, wrt: []bool{true}}
	o.out = newArray(shape, 1, p.packed())
	o.do = func(in []*Value) { o.out.mem, o.out.filterForms = in[0].mem, in[0].filterForms }
	o.derive = func(_ G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		sum, err := b.sumExamples(p, grad)
		return G.Nodes{sum}, err
	}
	return apply(o, n)
}

// sumExamples is the derivative of replicate: the gradient of the whole group.
// Training reads the gradients before it and never runs it.
func (b *Builder) sumExamples(p *Param, grad *G.Node) (*G.Node, error) {
	o := &operation{layer: p.Tensors[0].Name, kind: "sumExamples", unstored: true}
	o.out = newArray(p.shape, 1, p.packed())
	o.do = func(in []*Value) {
		o.out.Alloc()
		clear(o.out.mem)
		for e := range b.Group.Active {
			kernel.Axpy(o.out.mem, 1, in[0].of(e))
		}
	}
	return apply(o, grad)
}
