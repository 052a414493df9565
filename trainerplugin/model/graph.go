package model

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// A Graph is a model with its derivatives, for executors of another kind than
// [Engine]: a compiler reads from it what to compute. Image e·Views + k is view
// k of example e.
type Graph struct {
	*op.Builder
	Images, Labels, Weights *G.Node // inputs, per image; Weights are those of the losses
	Logits, Loss            *G.Node
	Grads                   G.Nodes // per example, of each parameter that is trained
}

// NewGraph builds the named model for groups of examples × views images. Its
// errors are those of [New].
func NewGraph(name string, in Input, examples, views int, options ...Option) (*Graph, error) {
	a, err := find(name)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		o(&a)
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if min(examples, views) < 1 {
		return nil, errors.New("a graph takes at least one image")
	}
	var g *Graph
	err = building(a, in, func() (err error) {
		g, err = newGraph(a, in, shape{examples, views, views == 1})
		return err
	})
	return g, err
}

// building calls do, which builds the graph of a. Gorgonia panics on shapes that
// it does not like; such a panic ends here, as an error.
func building(a architecture, in Input, do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		if err != nil {
			err = fmt.Errorf("build %s for images of %d×%d×%d: %w", a.name, in.Height, in.Width, in.Channels, err)
		}
	}()
	return do()
}

func newGraph(a architecture, in Input, s shape) (*Graph, error) {
	g := &Graph{Builder: op.NewBuilder(s.examples, s.views)}
	g.Group.Outer = s.outer
	g.Frozen = a.freezes
	g.Images, g.Labels, g.Weights = g.Builder.Images(in.Height, in.Width, in.Channels), g.PerImage("labels"), g.PerImage("weights")
	g.Logits = a.build(g.Builder, g.Images, in.Classes)
	g.Loss = g.CrossEntropy(g.Logits, g.Labels)
	if err := g.Err(); err != nil {
		return nil, err
	}
	if err := a.checkFrozen(g.Params); err != nil {
		return nil, err
	}
	var err error
	g.Grads, err = g.Differentiate(g.Loss, g.Weights)
	return g, err
}
