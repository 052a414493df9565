package xla

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// λ and α of SELU (Klambauer et al. 2017, equation 14), and the constants of
// GELU in the form with tanh (Hendrycks and Gimpel 2016, section 2).
const (
	seluScale = 1.0507009873554804934193349852946
	seluAlpha = 1.6732632423543772848170429916717
	geluRoot  = 0.7978845608028654 // √(2/π)
	geluCube  = 0.044715
)

// activate: images → images.
func (l *lowering) activate(d op.Description, in G.Nodes) value {
	x := l.wide(l.of(in[0]))
	switch d.Function {
	case op.Tanh:
		return l.unary("tanh", x)
	case op.ReLU:
		return l.times(l.max(x, l.like(x, 0)), float64(d.Scale))
	case op.SELU:
		zero := l.like(x, 0)
		negative := l.times(l.unary("exponential_minus_one", l.min(x, zero)), seluAlpha)
		return l.times(l.add(l.max(x, zero), negative), seluScale)
	case op.GELUTanh:
		half := l.times(l.plus(l.geluTanh(x), 1), 0.5*float64(d.Scale))
		return l.mul(x, half)
	case op.GELU:
		return l.times(l.mul(x, l.normal(x)), float64(d.Scale))
	}
	panic(fmt.Sprintf("%s: no lowering for activation %d", d.Layer, d.Function))
}

// activateGrad: dy, images, result → images.
func (l *lowering) activateGrad(d op.Description, in G.Nodes) value {
	dy, x := l.wide(l.of(in[0])), l.wide(l.of(in[1]))
	zero := l.like(x, 0)
	positive := func(then, otherwise value) value { return l.choose(l.compare("GT", x, zero), then, otherwise) }
	switch d.Function {
	case op.Tanh:
		y := l.wide(l.of(in[2]))
		return l.mul(dy, l.sub(l.like(y, 1), l.mul(y, y)))
	case op.ReLU:
		return positive(l.times(dy, float64(d.Scale)), zero)
	case op.SELU:
		falling := l.times(l.unary("exponential", l.min(x, zero)), seluScale*seluAlpha)
		return l.mul(dy, positive(l.like(x, seluScale), falling))
	case op.GELUTanh:
		return l.times(l.mul(dy, l.geluTanhSlope(x)), float64(d.Scale))
	case op.GELU:
		density := l.times(l.unary("exponential", l.times(l.mul(x, x), -0.5)), 1/math.Sqrt(2*math.Pi))
		return l.times(l.mul(dy, l.add(l.normal(x), l.mul(x, density))), float64(d.Scale))
	}
	panic(fmt.Sprintf("%s: no lowering for the derivative of activation %d", d.Layer, d.Function))
}

// geluTanh is tanh(√(2/π)·(x + 0.044715·x³)).
func (l *lowering) geluTanh(x value) value {
	cube := l.times(l.mul(l.mul(x, x), x), geluCube)
	return l.unary("tanh", l.times(l.add(x, cube), geluRoot))
}

// geluTanhSlope is (1 + t + x·(1 - t²)·√(2/π)·(1 + 3·0.044715·x²))/2. Far out,
// where t is within a rounding of ±1, the square of x would blow up what is left
// of 1 - t²; there x is held at the place from which the slope is 0 or 1.
func (l *lowering) geluTanhSlope(x value) value {
	const end = 5.5
	x = l.max(l.min(x, l.like(x, end)), l.like(x, -end))
	t := l.geluTanh(x)
	inner := l.times(l.plus(l.times(l.mul(x, x), 3*geluCube), 1), geluRoot)
	bend := l.mul(l.mul(x, l.sub(l.like(t, 1), l.mul(t, t))), inner)
	return l.times(l.add(l.plus(t, 1), bend), 0.5)
}

// normal is the standard normal distribution function, Φ(x) = erfc(-x/√2)/2, with
//
//	erfc(z) ≈ t·exp(-z² + p(t)),  t = 1/(1 + z/2),  z ≥ 0
//
// and p of degree 9 from Press et al., "Numerical Recipes", section 6.2, whose
// relative error is below 1.2e-7.
func (l *lowering) normal(x value) value {
	z := l.times(l.unary("abs", x), 1/math.Sqrt2)
	t := l.div(l.like(z, 1), l.plus(l.times(z, 0.5), 1))
	p := l.like(t, 0.17087277)
	for _, c := range []float64{-0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223} {
		p = l.plus(l.mul(p, t), c)
	}
	tail := l.times(l.mul(t, l.unary("exponential", l.sub(p, l.mul(z, z)))), 0.5)
	return l.choose(l.compare("GT", x, l.like(x, 0)), l.sub(l.like(tail, 1), tail), tail)
}
