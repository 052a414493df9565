package privacy

import (
	"fmt"
	"math"
)

// A gdp approximates a composition by one Gaussian release of the strength μ,
// by the central limit theorem of Dong, Roth, Su 2019 (arXiv:1905.02383), for
// Poisson sampling in the form of Bu, Dong, Long, Su 2019 (arXiv:1911.11607):
// μ² = Σ T·q²·(exp(1/σ²) - 1). It errs to the low side.
type gdp struct{ μ float64 }

func newGDP(q Question) (gdp, error) {
	scale := 1.0
	if q.relation() == ReplaceOne {
		scale = 2
	}
	var μ2 float64
	for _, p := range phases(q.Event) {
		var one float64
		switch e := p.step.(type) {
		case Gaussian:
			one = scale * scale / (e.Noise * e.Noise)
		case DPSGD:
			s := scale / e.Noise
			one = e.SampleRate * e.SampleRate * math.Expm1(s*s)
			if e.SampleRate == 1 {
				one = s * s
			}
		default:
			return gdp{}, fmt.Errorf("%w: it knows no limit for the event %s", ErrNotApplicable, p.step.kind())
		}
		μ2 += float64(p.times) * one
	}
	return gdp{math.Sqrt(μ2)}, nil
}

// curve is δ(ε) of the Gaussian release.
func (g gdp) curve() single { return single{law{{1, gaussianPair(g.μ)}}} }

func (g gdp) delta(epsilon float64) (float64, error) {
	switch {
	case g.μ == 0:
		return 0, nil
	case math.IsInf(g.μ, 1):
		return 1, nil
	}
	δ, _, _ := g.curve().delta(epsilon)
	return δ, nil
}

func (g gdp) epsilon(delta float64) (float64, error) {
	switch {
	case g.μ == 0:
		return 0, nil
	case math.IsInf(g.μ, 1) || delta == 0:
		return math.Inf(1), nil
	}
	ε, _, err := solve(g.curve(), max(gaussianPair(g.μ).near(delta), 0), delta)
	return ε, err
}
