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
// threshold outwards, free of cancellation.
type single struct{ law law }

func (s single) delta(ε float64) (δ, slope, bound float64) {
	for _, b := range s.law {
		d, q := b.pair.excess(ε)
		δ += b.weight * d
		slope -= b.weight * q
	}
	return δ, slope, 1e-12 * δ
}

// guess is where to start looking for ε: the threshold's loss at a normal
// quantile that belongs to delta.
func (d direction) guess(delta float64) float64 {
	p := d[0].law[0].pair
	x := p.σ * math.Sqrt(-2*math.Log(delta))
	if !p.rising() {
		x = -x
	}
	return max(p.loss(x), 0)
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
	// Panels are short enough for the loss's curvature, which has the scale σ².
	width := min(p.σ, p.σ*p.σ/p.steepness()) / 2
	for at := 0.0; at < 100*p.σ; at += width {
		var sum float64
		for _, g := range legendre() {
			x := from + outwards*(at+width*g.at)
			w := width * g.weight * math.Exp(p.logDensity(x))
			gap := ε - p.loss(x)
			sum += w * -math.Expm1(gap)
			weighted += w * math.Exp(gap)
		}
		δ += sum
		if at > 8*p.σ && sum < 1e-18*δ || sum == 0 && at > 40*p.σ {
			break
		}
	}
	return δ, weighted
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
