package privacy

import "math"

// A mixture is a distribution of N(mean, σ²) components. What the listed
// components leave of the weight 1 is at mean 0.
type mixture []component

type component struct {
	weight float64 // (0, 1]
	mean   float64 // in clipping norms; not 0
}

// A pair is two mixtures of normal distributions with common σ whose hockey-stick
// divergence bounds that of a step's outputs on neighbouring data sets, in one
// direction (a dominating pair: Zhu, Dong, Wang 2022, arXiv:2106.08567). Its
// privacy loss L(x) = ln p(x)/q(x) is monotone in x.
type pair struct {
	p, q mixture
	σ    float64
}

// logRatio is ln of m's density at x over that of N(0, σ²). It keeps its digits
// where the ratio is near 1, as for tiny weights.
func (m mixture) logRatio(x, σ float64) float64 {
	var sum float64 // ratio - 1
	top := math.Inf(-1)
	for _, c := range m {
		e := c.mean * (x - c.mean/2) / (σ * σ)
		sum += c.weight * math.Expm1(e)
		top = max(top, e)
	}
	if sum > -0.5 && top < 700 {
		return math.Log1p(sum)
	}
	rest, s := 1.0, newLogSum()
	for _, c := range m {
		rest -= c.weight
		s.add(math.Log(c.weight) + c.mean*(x-c.mean/2)/(σ*σ))
	}
	if rest > 0 {
		s.add(math.Log(rest))
	}
	return s.log()
}

// loss is L(x).
func (p pair) loss(x float64) float64 {
	return p.p.logRatio(x, p.σ) - p.q.logRatio(x, p.σ)
}

// logDensity is ln p(x).
func (p pair) logDensity(x float64) float64 {
	return -x*x/(2*p.σ*p.σ) - math.Log(p.σ*math.Sqrt(2*math.Pi)) + p.p.logRatio(x, p.σ)
}

// rising says whether the loss grows with x.
func (p pair) rising() bool { return p.loss(1) > p.loss(-1) }

// means are the least and the largest mean of m's components.
func (m mixture) means() (least, most float64) {
	rest := 1.0
	least, most = math.Inf(1), math.Inf(-1)
	for _, c := range m {
		rest -= c.weight
		least, most = min(least, c.mean), max(most, c.mean)
	}
	if rest > 0 {
		least, most = min(least, 0), max(most, 0)
	}
	return least, most
}

// gaussianPair is the pair of a Gaussian release of sensitivity μ and noise 1.
func gaussianPair(μ float64) pair { return pair{p: mixture{{1, 1}}, σ: 1 / μ} }

// gaussian returns μ if the pair is that of a plain Gaussian release.
func (p pair) gaussian() (μ float64, ok bool) {
	a, ok := p.p.single()
	b, okQ := p.q.single()
	return math.Abs(a-b) / p.σ, ok && okQ
}

// single returns the mean of m if m has one component only.
func (m mixture) single() (mean float64, ok bool) {
	switch {
	case len(m) == 0:
		return 0, true
	case len(m) == 1 && m[0].weight == 1:
		return m[0].mean, true
	}
	return 0, false
}

// most is the supremum of the loss: +Inf, unless the outermost component of Q
// lies as far out as that of P.
func (p pair) most() float64 {
	pl, pm := p.p.means()
	ql, qm := p.q.means()
	switch {
	case p.rising() && pm > qm, !p.rising() && pl < ql:
		return math.Inf(1)
	case p.rising():
		return math.Log(p.p.weightAt(pm) / p.q.weightAt(qm))
	}
	return math.Log(p.p.weightAt(pl) / p.q.weightAt(ql))
}

// weightAt is the weight of the component of m with the given mean.
func (m mixture) weightAt(mean float64) float64 {
	rest := 1.0
	for _, c := range m {
		if c.mean == mean {
			return c.weight
		}
		rest -= c.weight
	}
	return rest
}
