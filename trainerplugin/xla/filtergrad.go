package xla

// A filterGrad is the gradient of a convolution's weights. With x the images as
// one position of the window meets them, [examples, places, groups, in], and dy,
// [examples, places, groups, out], where places are those of all views,
//
//	g[in, out] = Σ_places x[place, in] · dy[place, out]
//
// is one matrix product for each example and position of the window.
type filterGrad struct {
	x      []value // of each position; one alone has several positions' inputs side by side
	dy     value
	groups int
	config Config

	// kept is whether the gradients are held from when their norms are taken
	// until they are summed. If not, the sum is made of the factors, in a second
	// pass that has no gradient of one example: that is less memory, and no more
	// to multiply than there is to read.
	kept     bool
	products []value
}

// piece is the gradient for x[i], F32 [examples, groups, in, out].
func (g *filterGrad) piece(e *emitter, i int) value {
	if len(g.products) > i {
		return g.products[i]
	}
	p := product{leftBatch: []int{0, 2}, rightBatch: []int{0, 2}, leftSum: []int{1}, rightSum: []int{1}}
	x, dy := g.x[i], g.dy
	if g.groups == 1 {
		x, dy = e.reshape(x, x.shape[0], x.shape[1], x.shape[3]), e.reshape(dy, dy.shape[0], dy.shape[1], dy.shape[3])
		p = product{leftBatch: []int{0}, rightBatch: []int{0}, leftSum: []int{1}, rightSum: []int{1}}
	}
	v := e.dot(x, dy, p, g.config.exact())
	v = e.reshape(v, g.x[i].shape[0], g.groups, g.x[i].shape[3], g.dy.shape[3])
	if g.kept {
		g.products = append(g.products, v)
	}
	return v
}

// grouped arranges F32 [in, groups·out] as [groups, in, out].
func grouped(e *emitter, v value, groups int) value {
	return e.transpose(e.reshape(v, v.shape[0], groups, v.shape[1]/groups), 1, 0, 2)
}

// ungrouped is its inverse.
func ungrouped(e *emitter, v value) value {
	groups, in, out := v.shape[0], v.shape[1], v.shape[2]
	return e.reshape(e.transpose(v, 1, 0, 2), in, groups*out)
}

func (g *filterGrad) squares(e *emitter, p prepared) value {
	if !g.kept && g.few() {
		return g.pairSquares(e, p)
	}
	if p.standardised() {
		return g.standardisedSquares(e, p)
	}
	var total value
	for i := range g.x {
		v := g.piece(e, i)
		total = e.accumulate(total, e.reduce(sums, e.mul(v, v), 1, 2, 3))
	}
	return total
}

// accumulate is a + b, or b where a is nothing yet.
func (e *emitter) accumulate(a, b value) value {
	if a.id == "" {
		return b
	}
	return e.add(a, b)
}

// standardisedSquares is the norm with respect to the weights w under weight
// standardisation, w' = gain·unit(w), of which g is the gradient. For each
// filter of n weights (op.ConvStandardised; the Jacobian is that of
// standardise.go)
//
//	dw = scale · (g - Σg/n - unit·Σ g·unit),  dgain = Σ g·unit
//
// without the last term of dw where the variance floor is in force. The sums
// come first, and then the squares of what is left weight by weight: their
// difference would lose digits.
func (g *filterGrad) standardisedSquares(e *emitter, p prepared) value {
	n := 0
	var mean, gain value // [examples, groups, out]
	var units []value
	for i, x := range g.x {
		v := g.piece(e, i)
		unit := grouped(e, e.part(p.unit, 0, n, n+x.shape[3]), g.groups)
		n += x.shape[3]
		units = append(units, unit)
		mean = e.accumulate(mean, e.reduce(sums, v, 2))
		gain = e.accumulate(gain, e.reduce(sums, e.mul(v, e.along(unit, v, 1, 2, 3)), 2))
	}
	perOut := func(v value) value { return e.along(e.reshape(v, g.groups, g.dy.shape[3]), mean, 1, 2) }
	mean = e.times(mean, 1/float64(n))
	slope := e.mul(gain, perOut(p.sloped))
	var rest value
	for i, unit := range units {
		v := g.piece(e, i)
		v = e.sub(v, e.along(mean, v, 0, 1, 3))
		v = e.sub(v, e.mul(e.along(unit, v, 1, 2, 3), e.along(slope, v, 0, 1, 3)))
		rest = e.accumulate(rest, e.reduce(sums, e.mul(v, v), 2))
	}
	scale := perOut(p.scale)
	total := e.add(e.mul(e.mul(scale, scale), rest), e.mul(gain, gain))
	return e.reduce(sums, total, 1, 2)
}

// weighted is [height·width·in, out].
func (g *filterGrad) weighted(e *emitter, scale, use value) value {
	var rows []value
	for i := range g.x {
		if g.kept {
			rows = append(rows, ungrouped(e, e.reduce(sums, scaled(e, g.piece(e, i), scale, use), 0)))
		} else {
			rows = append(rows, ungrouped(e, g.contract(e, masked(e, g.x[i], use), scale, use)))
		}
	}
	return e.concat(0, rows...)
}

// contract sums over examples and places at once. The norm was that of a product
// of x and dy as they are rounded. Scaled, dy would be rounded anew, and an
// example's part in the sum might be longer than its norm says; so it goes in as
// the sum of two numbers, which together have the digits of both factors but for
// those beyond float32's.
func (g *filterGrad) contract(e *emitter, x, scale, use value) value {
	exact := scaled(e, e.convert(g.dy, F32), scale, use)
	high := g.config.operand(e, exact)
	sum := g.sumProduct(e, x, high)
	if g.config.exact() {
		return sum
	}
	low := g.config.operand(e, e.sub(exact, e.convert(high, F32)))
	return e.add(sum, g.sumProduct(e, x, low))
}

// sumProduct is F32 [groups, in, out].
func (g *filterGrad) sumProduct(e *emitter, x, dy value) value {
	if g.groups > 1 {
		p := product{leftBatch: []int{2}, rightBatch: []int{2}, leftSum: []int{0, 1}, rightSum: []int{0, 1}}
		return e.dot(x, dy, p, g.config.exact())
	}
	p := product{leftSum: []int{0, 1, 2}, rightSum: []int{0, 1, 2}}
	v := e.dot(x, dy, p, g.config.exact())
	return e.reshape(v, 1, v.shape[0], v.shape[1])
}
