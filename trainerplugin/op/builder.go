// Package op builds models as Gorgonia graphs out of our own operations, with
// symbolic derivatives whose gradients are per example.
//
// A [Builder] has a method per layer. [Builder.Differentiate] adds the
// gradients, by Gorgonia's own symbolic differentiation; the result runs on
// Gorgonia's tape machine, one image group at a time.
package op

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"sweep/trainerplugin/kernel"
)

// A Group is how many images a graph takes at once, and what the current run
// is to do with them. Image e·Views + k is view k of example e.
type Group struct {
	Examples, Views int  // what the graph was built for
	Active          int  // examples of this run; ≤ Examples
	Outer           bool // each example has one image in all, so that dense layers leave their gradients as [Outer]
	Add             bool // whether gradients are added to those of the last run

	room []float32   // see scratchFor
	rows [][]float32 // see eachRow
}

// Images is the number of images of this run.
func (g *Group) Images() int { return g.Active * g.Views }

// scratchFor is the numbers that o may use while it runs. All operations share
// them, so that they stay in the cache.
func (g *Group) scratchFor(o *operation) []float32 {
	if len(g.room) < o.scratch {
		g.room = kernel.Alloc(o.scratch)
	}
	return g.room[:o.scratch]
}

func (g *Group) capacity() int { return g.Examples * g.Views }

// A Builder puts a graph together. Its layers return nil once one of them has
// failed; [Builder.Err] says how.
type Builder struct {
	Graph  *G.ExprGraph
	Group  *Group
	Params []*Param

	// Frozen says of a layer, by its name, that its parameters are not
	// trained; nil trains all. It must be set before the first layer.
	Frozen func(layer string) bool

	leaves   G.Nodes // every parameter
	replicas G.Nodes // of those that are trained
	err      error
}

// NewBuilder starts a graph for groups of up to examples × views images.
func NewBuilder(examples, views int) *Builder {
	return &Builder{Graph: G.NewGraph(), Group: &Group{Examples: examples, Views: views}}
}

// Err is what went wrong first.
func (b *Builder) Err() error { return b.err }

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// layer applies o unless something failed before.
func (b *Builder) layer(o *operation, in ...*G.Node) *G.Node {
	if b.err != nil {
		return nil
	}
	o.group = b.Group
	n, err := apply(o, in...)
	b.fail(err)
	return n
}

// Images is the input: images of the given size.
func (b *Builder) Images(height, width, channels int) *G.Node {
	if min(height, width, channels) < 1 {
		b.fail(fmt.Errorf("images of %d×%d×%d are empty", height, width, channels))
		return nil
	}
	m := image{channels: channels, height: height, width: width, lanes: min(channels, kernel.Lanes)}
	if channels > kernel.Lanes {
		b.fail(fmt.Errorf("images of %d channels are not supported; at most %d", channels, kernel.Lanes))
		return nil
	}
	v := newImages(b.Group.capacity(), m)
	v.outside = true
	return b.input("images", v)
}

// PerImage is an input of one number for each image.
func (b *Builder) PerImage(name string) *G.Node {
	n := b.Group.capacity()
	v := newArray(tensor.Shape{n}, n, 1)
	v.outside = true
	return b.input(name, v)
}

func (b *Builder) input(name string, v *Value) *G.Node {
	n := G.NewTensor(b.Graph, tensor.Float32, len(v.shape), G.WithShape(v.shape...), G.WithName(name))
	b.fail(G.Let(n, v))
	return n
}

// Differentiate adds to the graph the gradient of Σ weight·loss with respect
// to every parameter that is trained, per example, in the order of Params.
func (b *Builder) Differentiate(loss, weight *G.Node) (G.Nodes, error) {
	if b.err != nil {
		return nil, b.err
	}
	if len(b.replicas) == 0 {
		return nil, errors.New("no parameter is left to train")
	}
	grads, err := G.Backpropagate(G.Nodes{loss}, G.Nodes{weight}, b.replicas)
	if err != nil {
		return nil, fmt.Errorf("differentiate: %w", err)
	}
	return grads, nil
}

// Bind makes the graph read its parameters from packed values, which several
// graphs may share.
func (b *Builder) Bind(packed []*Value) error {
	for i, n := range b.leaves {
		if err := G.Let(n, packed[i]); err != nil {
			return fmt.Errorf("bind %s: %w", n.Name(), err)
		}
	}
	return nil
}

// Floats is how many numbers it takes to compute the given nodes, which belong
// to the graph.
func Floats(outputs G.Nodes) (n int64) {
	eachOperation(outputs, func(o *operation) {
		if !o.unstored {
			n += int64(o.out.Len())
		}
	})
	return n
}

// Scratch is how many numbers more the operations among them use as they run.
func Scratch(outputs G.Nodes) (n int64) {
	eachOperation(outputs, func(o *operation) { n = max(n, int64(o.scratch)) })
	return n
}

// Multiplies is how many multiply-adds of matrix products it takes to compute
// the given nodes for one image, if convolutions are computed as they are
// defined; the rest is small beside them.
func Multiplies(outputs G.Nodes) (n int64) {
	eachOperation(outputs, func(o *operation) { n += o.multiplies })
	return n
}

// eachOperation calls do once for each operation that the outputs need.
func eachOperation(outputs G.Nodes, do func(*operation)) {
	seen := map[int64]bool{}
	left := slices.Clone(outputs)
	for len(left) > 0 {
		node := left[0]
		left = left[1:]
		if seen[node.ID()] {
			continue
		}
		seen[node.ID()] = true
		if o, ok := node.Op().(*operation); ok {
			do(o)
			left = append(left, inputsOf(node)...)
		}
	}
}

func inputsOf(n *G.Node) G.Nodes {
	var in G.Nodes
	for it := n.Graph().From(n.ID()); it.Next(); {
		in = append(in, it.Node().(*G.Node))
	}
	return in
}

// inner reports whether x, the input of the named layer, is made by a layer.
func (b *Builder) inner(name string, x *G.Node) bool {
	if b.err == nil && ValueOf(x).outside {
		b.fail(fmt.Errorf("%s: images must go through a convolution or a dense layer first", name))
	}
	return b.err == nil
}
