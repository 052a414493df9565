package xla

// few says whether there are so few places that the norm is better taken from
// pairs of them. Either way reads and writes more than it multiplies, so numbers
// that are held count: the gradient is in·out of them for each tap, written once
// and read twice, and pairs are places² in two matrices.
func (g *filterGrad) few() bool {
	places, in := g.dy.shape[1], 0
	for _, x := range g.x {
		in += x.shape[3]
	}
	return g.groups == 1 && places*places*8 <= in*g.dy.shape[3]
}

// pairSquares is the squared norm without the gradient. For g = Σ_p x_p ⊗ dy_p
// over places p (Goodfellow 2015, for sequences by Li, Tramèr, Liang and
// Hashimoto 2022, arXiv:2110.05679, section 4)
//
//	‖g‖² = Σ_(p,q) ⟨x_p, x_q⟩·⟨dy_p, dy_q⟩
//
// and under weight standardisation, with S the diagonal of the filters' scales,
// the Jacobian in standardisedSquares makes of it
//
//	‖dw‖² = ‖g·S‖² - Σ_out scale²·(G²/n + sloped·U²),  ‖dgain‖² = Σ_out U²
//	G = Σ_in g = Σ_p (Σ_in x_p)·dy_p,  U = Σ_in g·unit = Σ_p (x_p·unit)·dy_p
//
// Sums whose terms cancel lose digits; pairSlack of the terms' absolute values is
// added again, so that the norm errs upwards.
func (g *filterGrad) pairSquares(e *emitter, p prepared) value {
	x := e.concat(3, g.x...)
	n := x.shape[3]
	x = e.reshape(x, x.shape[0], x.shape[1], n)
	dy := e.convert(e.reshape(g.dy, g.dy.shape[0], g.dy.shape[1], g.dy.shape[3]), F32)
	if !p.standardised() {
		return g.pairs(e, x, dy)
	}
	whole := g.pairs(e, x, e.mul(dy, e.along(p.scale, dy, 2)))
	mean := e.reduce(sums, e.mul(dy, e.along(e.reduce(sums, e.convert(x, F32), 2), dy, 0, 1)), 1)
	gain := e.reduce(sums, e.mul(dy, g.times(e, x, p.unit)), 1)
	square := e.mul(p.scale, p.scale)
	lost := e.add(e.times(e.mul(mean, mean), 1/float64(n)), e.mul(e.mul(gain, gain), e.along(p.sloped, gain, 1)))
	lost = e.reduce(sums, e.mul(lost, e.along(square, lost, 1)), 1)
	rest := e.sub(whole, lost)
	return e.add(e.max(rest, e.like(rest, 0)), e.reduce(sums, e.mul(gain, gain), 1))
}

const pairSlack = 0x1p-19

// pairs is ‖Σ_p x_p ⊗ dy_p‖² of each example, and the slack, of operands x and F32
// dy.
func (g *filterGrad) pairs(e *emitter, x, dy value) value {
	each := product{leftBatch: []int{0}, rightBatch: []int{0}, leftSum: []int{2}, rightSum: []int{2}}
	terms := e.mul(e.dot(x, x, each, g.config.exact()), e.dot(dy, dy, each, true))
	return e.reduce(sums, e.add(terms, e.times(e.unary("abs", terms), pairSlack)), 1, 2)
}

// times is the product of operands x, [examples, places, in], and F32 [in, out],
// which goes in as the sum of two operands where one would be rounded.
func (g *filterGrad) times(e *emitter, x, unit value) value {
	p := product{leftSum: []int{2}, rightSum: []int{0}}
	high := g.config.operand(e, unit)
	y := e.dot(x, high, p, g.config.exact())
	if g.config.exact() {
		return y
	}
	low := g.config.operand(e, e.sub(unit, e.convert(high, F32)))
	return e.add(y, e.dot(x, low, p, false))
}
