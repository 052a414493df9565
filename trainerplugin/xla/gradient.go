package xla

// A gradient is the per-example gradient of one parameter, in whatever form it
// is cheapest to have.
type gradient interface {
	// squares is the squared L2 norm of each example's gradient with respect to
	// the flat weights, F32 [examples].
	squares(e *emitter, p prepared) value

	// weighted is the sum over the examples of their gradients with respect to
	// p.value, each times its scale, F32 [examples]. Examples that use, Bool
	// [examples], leaves out have no part in it, whatever their numbers.
	weighted(e *emitter, scale, use value) value
}

// masked is v, [examples, …], with zeros for the examples that are not used.
func masked(e *emitter, v, use value) value { return e.choose(e.along(use, v, 0), v, e.like(v, 0)) }

// scaled is v, [examples, …], each example times its scale.
func scaled(e *emitter, v, scale, use value) value {
	return e.mul(masked(e, v, use), e.along(scale, v, 0))
}

// A vectorGrad is the gradient of one weight per channel, F32 [examples, n].
type vectorGrad struct{ v value }

func (g vectorGrad) squares(e *emitter, _ prepared) value { return e.reduce(sums, e.mul(g.v, g.v), 1) }

func (g vectorGrad) weighted(e *emitter, scale, use value) value {
	return e.reduce(sums, scaled(e, g.v, scale, use), 0)
}

// ofViews sums v, F32 [images, n], over each example's views.
func (l *lowering) ofViews(v value) gradient {
	v = l.reshape(v, l.config.Microbatch, l.config.Views, v.shape[1])
	return vectorGrad{l.reduce(sums, v, 1)}
}

// A denseGrad is the gradient of a matrix of weights: with x what the layer
// read and dy the gradient of what it returned, both F32 [examples, views, n],
//
//	g = Σ_views x ⊗ dy
//
// With one view it is never multiplied out (Goodfellow 2015, "Efficient
// Per-Example Gradient Computations").
type denseGrad struct {
	x, dy value
	g     value // [examples, in, out], with more views than one
}

func (g *denseGrad) squares(e *emitter, _ prepared) value {
	if g.g.id != "" {
		return e.reduce(sums, e.mul(g.g, g.g), 1, 2)
	}
	x, dy := e.reduce(sums, e.mul(g.x, g.x), 1, 2), e.reduce(sums, e.mul(g.dy, g.dy), 1, 2)
	return e.mul(x, dy)
}

func (g *denseGrad) weighted(e *emitter, scale, use value) value {
	if g.g.id != "" {
		return e.reduce(sums, scaled(e, g.g, scale, use), 0)
	}
	return e.dot(masked(e, g.x, use), scaled(e, g.dy, scale, use), product{leftSum: []int{0, 1}, rightSum: []int{0, 1}}, true)
}
