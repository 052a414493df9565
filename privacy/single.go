package privacy

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/integrate/quad"
)

// A single is δ(ε) of one step, without composition:
//
//	δ(ε) = ∫ max(p(x) - e^ε·q(x), 0) dx = ∫_{L(x)>ε} p(x)·(1 - exp(ε - L(x))) dx
//
// which has one smooth piece, since L is monotone. It is integrated from the
// threshold outwards, free of cancellation. What rounds are the logarithms of
// densities, of the size of ε - ln δ.
type single struct{ law law }

func (s single) delta(ε float64) (δ, slope, bound float64) {
	for _, b := range s.law {
		d, q := b.excess(ε)
		δ += b.weight * d
		slope -= b.weight * q
	}
	return δ, slope, (1e-12 + 1e-15*(math.Abs(ε)-math.Log(max(δ, 1e-300)))) * δ
}

// near is the loss at the normal quantile that belongs to delta, from the
// outermost component of P.
func (p pair) near(delta float64) float64 {
	least, most := p.p.means()
	x := p.σ * math.Sqrt(-2*math.Log(delta))
	if p.rising() {
		return p.loss(most + x)
	}
	return p.loss(least - x)
}

// excess is ∫ max(p - e^ε q, 0) and ∫ e^ε q over the same outputs.
func (p pair) excess(ε float64) (δ, weighted float64) {
	if ε >= p.most() {
		return 0, 0
	}
	from, outwards := p.threshold(ε), 1.0
	if !p.rising() {
		outwards = -1
	}
	// The integrand is a sum of normal densities, smooth on the scale σ, times a
	// factor that rises from 0 on the scale of the loss's slope; on an interval
	// over which the loss moves by 12 the rule errs by 1e-17 (of exp). Twelve
	// deviations beyond the threshold and off the components nothing is left.
	width, reach := min(p.σ/2, 12*p.σ*p.σ/p.steepness()), 12*p.σ
	for at := 0.0; ; at += width {
		if at > reach {
			if at = p.p.resume(at, reach, from, outwards); math.IsInf(at, 1) {
				return δ, weighted
			}
		}
		for _, g := range legendre() {
			x := from + outwards*(at+width*g.at)
			w := width * g.weight * math.Exp(p.logDensity(x))
			gap := ε - p.loss(x)
			δ += w * -math.Expm1(gap)
			weighted += w * math.Exp(gap)
		}
	}
}

// resume returns the first place from at onwards that is within reach of a
// component, +Inf if there is none. Places count outwards from from.
func (m mixture) resume(at, reach, from, outwards float64) float64 {
	next, rest := math.Inf(1), 1.0
	consider := func(mean float64) {
		if place := outwards * (mean - from); place+reach > at {
			next = min(next, max(at, place-reach))
		}
	}
	for _, c := range m {
		rest -= c.weight
		consider(c.mean)
	}
	if rest > 0 {
		consider(0)
	}
	return next
}

// threshold is the x where the loss is ε.
func (p pair) threshold(ε float64) float64 {
	sign := 1.0
	if !p.rising() {
		sign = -1
	}
	lo, hi := -p.σ, p.σ // of sign·x
	for p.loss(sign*lo) > ε && lo > -1e9*p.σ {
		lo *= 2
	}
	for p.loss(sign*hi) < ε && hi < 1e9*p.σ {
		hi *= 2
	}
	for range 200 {
		mid := (lo + hi) / 2
		if mid == lo || mid == hi {
			break
		}
		if p.loss(sign*mid) < ε {
			lo = mid
		} else {
			hi = mid
		}
	}
	return sign * hi
}

// A gaussNode is a node of the 16-point Gauss-Legendre rule on [0, 1].
type gaussNode struct{ at, weight float64 }

var legendre = sync.OnceValue(func() []gaussNode {
	const points = 16
	at, weight := make([]float64, points), make([]float64, points)
	quad.Legendre{}.FixedLocations(at, weight, 0, 1)
	nodes := make([]gaussNode, points)
	for i := range nodes {
		nodes[i] = gaussNode{at[i], weight[i]}
	}
	return nodes
})
