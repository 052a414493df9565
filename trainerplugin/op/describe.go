package op

import (
	G "gorgonia.org/gorgonia"
)

// A Kind is what an operation computes. Those of derivatives are named after
// the layer they come from. Inputs are in the order that [Inputs] gives; dy is
// the gradient of the layer's result, which every [G.SDOp] receives.
type Kind int

const (
	Replicate Kind = iota + 1 // parameter → the same for each example

	Convolution           // images, weights, bias → images
	ConvolutionInputGrad  // dy, weights → images
	ConvolutionWeightGrad // images, dy → per-example gradient
	BiasGrad              // dy → per-example gradient, of any layer with a bias

	FullyConnected           // images, weights, bias → matrix
	FullyConnectedInputGrad  // dy, weights → images
	FullyConnectedWeightGrad // images, dy → per-example gradient

	Moments             // images → mean, 1/std of each group, of max(x, 0)
	GroupNorm           // images, moments, scale, offset → images
	GroupNormSums       // images, dy → Σ dy, Σ dy·max(x, 0) of each channel
	GroupNormInputGrad  // dy, images, moments, sums, scale → images
	GroupNormScaleGrad  // moments, sums → per-example gradient
	GroupNormOffsetGrad // sums → per-example gradient

	Activate     // images → images
	ActivateGrad // dy, images, result → images

	Sum // images, images → images

	Mean         // images → matrix: over all pixels
	MeanGrad     // dy → images
	PoolMean     // images → images
	PoolMeanGrad // dy → images
	PoolMax      // images → images
	PoolMaxGrad  // images, result, dy → images

	Join           // shortcut, branch, gain → shortcut + Scale·gain·branch
	JoinBranchGrad // dy, gain → images
	JoinGainGrad   // branch, dy → per-example gradient

	Gate     // images, gates → Scale·images·σ(gates); also of dy, to the gradient of the images
	GateGrad // images, gates, dy → gradient of the gates

	CrossEntropyLoss     // logits, labels → losses
	CrossEntropyLossGrad // logits, labels, gradient of the losses → matrix
)

// A Description is what a node of the graph computes, for executors of another
// kind than Gorgonia's. Shapes are those of [ValueOf].
type Description struct {
	Layer string
	Kind  Kind

	Window   Window // of convolutions and pools
	Y, X     Span   // how it moves
	Groups   int    // of channels, in convolutions and group norms
	Function Function
	Scale    float32 // a constant factor: gain of an activation, alpha of a join, factor of a gate
}

// A Span is how a window moves along one side of an image: In pixels, with
// Before and After zeros around them, have Out places.
type Span struct{ In, Out, Before, After int }

// A Function is that of an activation.
type Function int

const (
	Tanh     Function = iota + 1
	ReLU              // Scale·max(x, 0)
	SELU              // of Klambauer et al. 2017
	GELUTanh          // Scale·GELU, in the form with tanh
	GELU              // Scale·GELU, exactly
)

// Constants of the formulas.
const (
	GroupNormEpsilon = groupNormEpsilon
	VarianceFloor    = varianceFloor
)

// Describe says what n computes; ok is false for inputs, and for nodes that
// this package did not make.
func Describe(n *G.Node) (d Description, ok bool) {
	o, ok := n.Op().(*operation)
	if !ok {
		return Description{}, false
	}
	d = o.what
	d.Layer = o.layer
	return d, d.Kind != 0
}

// Inputs are what n is computed from, in their order; a node may come twice.
func Inputs(n *G.Node) G.Nodes { return inputsOf(n) }

// Standardised says whether the graph holds p's weights in standardised form,
// so that p has a gain besides.
func (p *Param) Standardised() bool {
	_, ok := p.layout.(*standardised)
	return ok
}

// Leaf returns the place in [Builder.Params] of the parameter that n, an input
// of the graph, holds, or -1.
func (b *Builder) Leaf(n *G.Node) int {
	for i, leaf := range b.leaves {
		if leaf == n {
			return i
		}
	}
	return -1
}

func (s span) exported() Span { return Span{s.in, s.out, s.before, s.after} }

// describe is a description of kind for a convolution.
func (c *conv) describe(kind Kind) Description {
	return Description{
		Kind: kind, Groups: c.groups, Y: c.ys.exported(), X: c.xs.exported(),
		Window: Window{Size: c.filters.height, Stride: c.stride},
	}
}

// describe is a description of kind for a pool.
func (p *pool) describe(kind Kind) Description {
	return Description{Kind: kind, Window: p.window, Y: p.ys.exported(), X: p.xs.exported()}
}
