package xla

import "sweep/trainerplugin/op"

// A prepared is one parameter as layers read it, computed once per step from the
// flat vector.
type prepared struct {
	param *op.Param

	// value is the weights in the shape that layers use: [height, width, in,
	// out] of a convolution and [in, out] of a dense layer, as operands of
	// products; F32 [channels] otherwise.
	value value

	// The rest is of weights under weight standardisation, value = gain·unit,
	// unit = (w - mean)·invStd. All are F32.
	unit   value // [height·width·in, out]
	scale  value // [out]: gain·invStd
	sloped value // [out]: 0 where the variance floor is in force, so that invStd is constant, else 1
}

func (p prepared) standardised() bool { return p.param.Standardised() }

// values are those of p, to be carried through a loop.
func (p prepared) values() []value {
	if p.standardised() {
		return []value{p.value, p.unit, p.scale, p.sloped}
	}
	return []value{p.value}
}

// with is p with the values that a loop's body has for them; it returns what is
// left of vs.
func (p prepared) with(vs []value) (prepared, []value) {
	if p.standardised() {
		p.value, p.unit, p.scale, p.sloped = vs[0], vs[1], vs[2], vs[3]
		return p, vs[4:]
	}
	p.value = vs[0]
	return p, vs[1:]
}

// prepare makes all parameters of the flat vectors of those that are trained and
// those that are frozen.
func prepare(e *emitter, c Config, params []*op.Param, trained, frozen value) []prepared {
	var out []prepared
	at := map[bool]int{}
	for _, p := range params {
		flat := trained
		if p.Frozen {
			flat = frozen
		}
		first := at[p.Frozen]
		at[p.Frozen] += p.Size()
		out = append(out, prepareOne(e, c, p, e.slice(flat, cut{first, at[p.Frozen], 1})))
	}
	return out
}

func prepareOne(e *emitter, c Config, p *op.Param, flat value) prepared {
	t := p.Tensors[0]
	switch {
	case p.Standardised():
		return standardise(e, c, p, flat)
	case len(t.Shape) > 1:
		return prepared{param: p, value: c.operand(e, e.reshape(flat, t.Shape...))}
	}
	return prepared{param: p, value: flat}
}

// standardise is [op.Builder.ConvStandardised]'s, in float64.
func standardise(e *emitter, c Config, p *op.Param, flat value) prepared {
	t := p.Tensors[0]
	n, out := t.Size(), t.Shape[3]
	fan := n / out
	flat = e.convert(flat, F64)
	w, gain := e.reshape(e.slice(flat, cut{0, n, 1}), fan, out), e.slice(flat, cut{n, n + out, 1})
	mean := e.times(e.reduce(sums, w, 0), 1/float64(fan))
	w = e.sub(w, e.along(mean, w, 1))
	squares := e.reduce(sums, e.mul(w, w), 0) // fan·variance
	floor := e.like(squares, op.VarianceFloor)
	invStd := e.unary("rsqrt", e.max(squares, floor))
	unit := e.mul(w, e.along(invStd, w, 1))
	scaled := e.convert(e.mul(unit, e.along(gain, unit, 1)), F32)
	return prepared{
		param:  p,
		value:  c.operand(e, e.reshape(scaled, t.Shape...)),
		unit:   e.convert(unit, F32),
		scale:  e.convert(e.mul(gain, invStd), F32),
		sloped: e.convert(e.compare("GT", squares, floor), F32),
	}
}

// packed is the shape of the sum of p's gradients, with respect to p.value.
func (p prepared) packed() []int {
	t := p.param.Tensors[0]
	switch len(t.Shape) {
	case 4:
		return []int{t.Size() / t.Shape[3], t.Shape[3]}
	case 2:
		return t.Shape
	}
	return []int{t.Size()}
}

// unpack is the gradient with respect to p's flat weights, given the one with
// respect to p.value. The Jacobian of weight standardisation is linear, and so
// is applied to the sum alone, in float64:
//
//	dw = scale · (g - Σg/n - unit·Σ g·unit),  dgain = Σ g·unit
//
// without the last term of dw where the variance floor is in force.
func (p prepared) unpack(e *emitter, g value) value {
	if !p.standardised() {
		return e.reshape(g, g.len())
	}
	g = e.convert(g, F64)
	unit := e.convert(p.unit, F64)
	mean := e.times(e.reduce(sums, g, 0), 1/float64(g.shape[0]))
	gain := e.reduce(sums, e.mul(g, unit), 0)
	slope := e.mul(gain, e.convert(p.sloped, F64))
	dw := e.sub(g, e.along(mean, g, 1))
	dw = e.sub(dw, e.mul(unit, e.along(slope, unit, 1)))
	dw = e.mul(dw, e.along(e.convert(p.scale, F64), dw, 1))
	return e.convert(e.concat(0, e.reshape(dw, dw.len()), gain), F32)
}
