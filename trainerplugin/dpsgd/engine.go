// Package dpsgd is the private training loop: Poisson batches, clipped sums of
// per-example gradients, noise once per update, the averaged weights,
// evaluation and checkpoints. It knows no engine: what differentiates a model
// is behind [Engine].
package dpsgd

import "context"

// An Engine computes with one model, whose trained weights it lays out in one
// flat vector. Its results depend on its arguments alone: not on the number of
// threads, nor on what it computed before.
type Engine interface {
	// Tensors names the blocks of the weight vector in their order.
	Tensors() []Tensor

	// Init returns fresh weights drawn from seed.
	Init(seed uint64) []float32

	// ClippedSum adds to sum, for each example i of b, its clipped gradient
	//
	//	c_i = g_i · min(1/clip, 1/(‖g_i‖₂ + 1e-10)),  g_i = ∇ (1/K) Σ_k loss(view k of example i)
	//
	// whose L2 norm is at most 1 (paper, section 1). A gradient that is not
	// finite counts as zero. Memory does not grow with b.Len. If ctx ends
	// early, ClippedSum returns context.Cause(ctx) and sum holds nothing of use.
	ClippedSum(ctx context.Context, weights []float32, b Batch, clip float64, sum []float32) (GradStats, error)

	// Evaluate classifies examples without augmentation.
	Evaluate(ctx context.Context, weights []float32, e Examples) (Score, error)
}

// A Tensor is one named block of the weight vector, row-major. Its JSON form
// stands in checkpoints.
type Tensor struct {
	Name  string `json:"name"` // "conv1/w"
	Shape []int  `json:"shape"`
}

// Size is the number of t's elements.
func (t Tensor) Size() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Examples are images that an engine may ask for in any order, from several
// goroutines at once.
type Examples struct {
	Len int
	// At writes image i into img, [height][width][channel] and normalised,
	// and returns its class.
	At func(i int, img []float32) (label int)
}

// A Batch is what one update is computed from.
type Batch struct {
	Len   int // realised size, in examples; 0 is a batch like any other
	Views int // K: views per example, averaged before clipping; ≥ 1
	// View writes view k of the batch's example i into img, as
	// [Examples].At does, and returns the example's class. It depends on
	// (i, k) alone and may be called from several goroutines at once.
	View func(i, k int, img []float32) (label int)
}

// GradStats is what an engine saw of a batch's per-example gradients.
type GradStats struct {
	Norms     []float64 // L2 norm before clipping, by example; 0 where it was not finite
	Losses    []float64 // mean over the views, in nats, by example
	NonFinite int       // gradients that were not finite and counted as zero
	Clipped   []bool    // [Clipping.Clipped], by example; nil from ClippedSum, whose Norms say it
}

// A Score is what an evaluation found.
type Score struct {
	Correct int
	LossSum float64 // cross-entropy summed over the examples, in nats
}
