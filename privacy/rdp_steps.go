package privacy

import (
	"errors"
	"fmt"
	"math"
)

// divergence is the Rényi divergence of one step as a function of its order
// α > 1, the larger of both directions.
func divergence(step Event, r Relation) (func(α float64) float64, error) {
	switch e := step.(type) {
	case DPSGD:
		if r != ReplaceOne {
			return func(α float64) float64 { return poissonDivergence(e.SampleRate, e.Noise, α) }, nil
		}
	case Gaussian:
		μ := 1 / e.Noise
		if r == ReplaceOne {
			μ *= 2
		}
		return func(α float64) float64 { return α * μ * μ / 2 }, nil
	case FixedSize:
		if r != ReplaceOne {
			return nil, fmt.Errorf("%w: batches of fixed size are priced for the relation %s only", ErrNotApplicable, ReplaceOne)
		}
		return func(α float64) float64 { return fixedSizeDivergence(e.rate(), e.Noise, α) }, nil
	case Select:
		return selectDivergence(e, r)
	case OneOf:
		return oneOfDivergence(e, r)
	case Subset:
		return subsetDivergence(e, r)
	}
	there, back, err := lawsOf(step, r)
	if err != nil {
		if errors.Is(err, errNoNoise) {
			return func(float64) float64 { return math.Inf(1) }, nil
		}
		return nil, err
	}
	return func(α float64) float64 {
		d := there.divergence(α)
		if back != nil {
			d = max(d, back.divergence(α))
		}
		return d
	}, nil
}

// divergence is D_α(P‖Q) = ln E_P[exp((α-1)·L)] / (α-1), by the quadratures
// that the other accountants use.
func (l law) divergence(α float64) float64 {
	logMoment := newLogSum()
	for _, b := range l {
		logMoment.add(math.Log(b.weight) + b.logMoment(α-1))
	}
	return (max(logMoment.log(), 0) + rounding) / (α - 1)
}

// logMoment is ln E_P[exp(c·L)], +Inf where the quadrature gives up.
func (p pair) logMoment(c float64) float64 {
	nodes, err := p.nodes(nil, c, 0, rounded)
	if err != nil {
		return math.Inf(1)
	}
	return summarize(nodes, c).k
}

func (o outcomes) logMoment(c float64) float64 {
	s := newLogSum()
	for _, x := range o {
		s.add(math.Log(x.mass) + c*x.loss)
	}
	return s.log()
}

// logMoment is that of the order α = c+1 (Mironov 2017, arXiv:1702.07476, Table II):
//
//	ln( α/(2α-1)·exp((α-1)/b) + (α-1)/(2α-1)·exp(-α/b) )
func (l laplace) logMoment(c float64) float64 {
	α := c + 1
	return logAdd(math.Log(α/(2*α-1))+c/l.b, math.Log(c/(2*α-1))-α/l.b)
}

// fixedSizeDivergence bounds the divergence of a Gaussian release of a sample
// without replacement at the rate γ, between neighbours that replace one unit
// (Wang, Balle, Kasiviswanathan 2019, arXiv:1808.00087, Theorem 9), where the
// sensitivity is 2 and so ε(j) = 2j/σ²:
//
//	1 + γ²·C(α,2)·min(4(exp ε(2) - 1), 2·exp ε(2)) + Σ_{j≥3} 2·γ^j·C(α,j)·exp((j-1)·ε(j))
//
// for integer α; between integers, (α-1)·D_α is convex in α and so below its
// chord. Passing σ over the clipping norm to an accountant that expects it
// over the sensitivity understates ε severalfold.
func fixedSizeDivergence(γ, σ, α float64) float64 {
	if σ == 0 || α > largestSum {
		return math.Inf(1)
	}
	if γ == 1 {
		return 2 * α / (σ * σ)
	}
	lo := math.Floor(α)
	at := func(n float64) float64 {
		if n == 1 {
			return 0
		}
		return logFixedSize(γ, σ, int(n))
	}
	chord := at(lo)
	if α > lo {
		chord += (α - lo) * (at(lo+1) - at(lo))
	}
	return min((chord+rounding)/(α-1), 2*α/(σ*σ))
}

func logFixedSize(γ, σ float64, α int) float64 {
	s := newLogSum()
	logC := math.Log(float64(α))
	for j := 2; j <= α; j++ {
		logC += math.Log(float64(α-j+1) / float64(j))
		x := 2 * float64(j) * float64(j-1) / (σ * σ) // (j-1)·ε(j)
		last := math.Ln2 + x
		if j == 2 {
			last = min(math.Log(4)+logExpm1(x), last)
		}
		s.add(logC + float64(j)*math.Log(γ) + last)
	}
	return log1pExp(s.log())
}
