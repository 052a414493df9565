package privacy

import (
	"fmt"
	"math"
)

// A tilt is the loss of one step under the exponentially tilted measure
// P(x)·exp(c·L(x)) / E_P[exp(c·L)], as nodes of the trapezoid rule over x.
type tilt struct {
	weights    []float64 // of the nodes; they sum to 1
	losses     []float64 // L at the nodes
	k          float64   // K(c) = ln E_P[exp(c·L)]
	mean, vari float64   // K'(c), K''(c)
	size       float64   // E|L|
}

const (
	rounded    = 40    // in nats: a quadrature good to e^-40 = 4e-18 is good to rounding
	negligible = 42    // in nats: mass below e^-42 = 6e-19 of the whole is left out
	mostNodes  = 30000 // beyond it a quadrature is given up
)

// A node stands for a small interval of outputs.
type node struct {
	logMass float64 // ln of its mass under P
	loss    float64
}

// nodes is the trapezoid rule over x, on a grid fine enough for characteristic
// functions up to frequency u.
//
// The grid's step h follows from the strip |Im x| ≤ y in which the integrand
// P^(1+z) Q^-z is analytic: the trapezoid rule errs by about
//
//	exp(-2πy/h + y²/(2σ²) + u·κ·y/σ²)
//
// where κ/σ² bounds the loss's slope (Trefethen, Weideman 2014, SIAM Review 56,
// Theorem 5.1). The mixtures' zeros are at Im x = ±πσ²/κ; half of that is used.
// Where none is near, a Gaussian's error exp(-2π²σ²/h²) would fall so much faster
// that the half of the grid, from which [tilt.characteristic] estimates what is
// left, said nothing; it is made good to e^(-nats/2).
func (p pair) nodes(to []node, c, u, nats float64) ([]node, error) {
	from, end, err := p.support(c)
	if err != nil {
		return nil, err
	}
	κ := p.steepness()
	y := math.Min(math.Pi*p.σ*p.σ/(2*κ), 8.7*p.σ)
	fine := max(rounded/y+y/(2*p.σ*p.σ), 2*math.Sqrt(nats)/p.σ)
	h := 2 * math.Pi / (fine + 2*u*κ/(p.σ*p.σ))
	n := math.Ceil((end - from) / h)
	if !(n <= mostNodes) {
		return nil, fmt.Errorf("%w: the quadrature would need %.0f nodes", ErrNotApplicable, n)
	}
	shift := math.Log(h)
	for i := range int(n) + 1 {
		x := from + float64(i)*h
		to = append(to, node{p.logDensity(x) + shift, p.loss(x)})
	}
	return to, nil
}

// steepness is κ: the loss's slope is at most κ/σ².
func (p pair) steepness() float64 {
	pl, pm := p.p.means()
	ql, qm := p.q.means()
	return max(pm-pl, 0) + max(qm-ql, 0) + math.Abs((pl+pm)-(ql+qm))/2
}

// support is where P or its tilt has mass worth counting.
func (p pair) support(c float64) (from, to float64, err error) {
	pl, pm := p.p.means()
	ql, qm := p.q.means()
	const tails = 9.2 // normal deviations beyond which e^-42 is left
	lo := min(pl, (1+c)*pl-c*qm) - tails*p.σ
	hi := max(pm, (1+c)*pm-c*ql) + tails*p.σ
	step := p.σ / 2
	n := math.Ceil((hi - lo) / step)
	if !(n <= mostNodes) {
		return 0, 0, fmt.Errorf("%w: the tilt %.3g is too strong", ErrNotApplicable, c)
	}
	plain, tilted := make([]float64, int(n)+1), make([]float64, int(n)+1)
	topPlain, topTilted := math.Inf(-1), math.Inf(-1)
	for i := range plain {
		x := lo + float64(i)*step
		plain[i] = p.logDensity(x)
		tilted[i] = plain[i] + c*p.loss(x)
		topPlain, topTilted = max(topPlain, plain[i]), max(topTilted, tilted[i])
	}
	first, last := -1, 0
	for i := range plain {
		if plain[i] > topPlain-negligible || tilted[i] > topTilted-negligible {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	return lo + float64(first-1)*step, lo + float64(last+1)*step, nil
}

// summarize tilts the nodes by c. K(c) is computed from E[exp(cL) - 1], which
// keeps its digits when the loss is tiny, unless that overflows.
func summarize(nodes []node, c float64) tilt {
	t := tilt{weights: make([]float64, len(nodes)), losses: make([]float64, len(nodes))}
	top := math.Inf(-1)
	for _, n := range nodes {
		top = max(top, n.logMass+c*n.loss)
	}
	var sum, excess float64
	for i, n := range nodes {
		w := math.Exp(n.logMass + c*n.loss - top)
		t.weights[i], t.losses[i] = w, n.loss
		sum += w
		t.mean += w * n.loss
		t.size += w * math.Abs(n.loss)
		if top < 300 {
			excess += math.Exp(n.logMass) * math.Expm1(c*n.loss)
		}
	}
	t.k = top + math.Log(sum)
	if top < 300 && math.Abs(excess) < 0.5 {
		t.k = math.Log1p(excess)
	}
	t.mean, t.size = t.mean/sum, t.size/sum
	for i := range t.weights {
		t.weights[i] /= sum
		d := t.losses[i] - t.mean
		t.vari += t.weights[i] * d * d
	}
	return t
}
