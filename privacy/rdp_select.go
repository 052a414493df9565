package privacy

import (
	"fmt"
	"math"
)

// selectDivergence bounds the divergence of a private selection. With r that
// of one run and K a truncated negative binomial of shape η (Papernot, Steinke
// 2022, arXiv:2110.03620, Theorem 2), for any order β,
//
//	r(α) + (1+η)(1-1/β)·r(β) + (1+η)·ln(1/γ)/β + ln(E[K])/(α-1)
//
// and for a Poisson K (Theorem 6), with a run (ε, δ)-private at e^ε = 1 + 1/(α-1),
//
//	r(α) + E[K]·δ + ln(E[K])/(α-1)
func selectDivergence(e Select, rel Relation) (func(α float64) float64, error) {
	run, err := newRenyi(Question{Event: e.Run, Relation: rel})
	if err != nil {
		return nil, err
	}
	if e.Count == Poisson {
		return func(α float64) float64 {
			δ, _ := run.delta(math.Log1p(1 / (α - 1))) // fails never
			return run.at(α) + e.Mean*δ + math.Log(e.Mean)/(α-1)
		}, nil
	}
	if e.Mean == 1 { // K is 1 for sure
		return run.at, nil
	}
	η, logγ := e.shape(), math.Log(e.stopping())
	orders := renyiOrders()
	extra := minimum(len(orders), run.guess(orders, -logγ), func(i int) float64 {
		β := orders[i]
		return (1 + η) * ((1-1/β)*run.at(β) - logγ/β)
	})
	return func(α float64) float64 { return run.at(α) + extra + math.Log(e.Mean)/(α-1) }, nil
}

// mostSubsetOrders bounds the orders of a subset's divergence, each of which
// needs all integer orders below it of what was done to it.
const mostSubsetOrders = 1 << 9

// subsetDivergence bounds the divergence of whatever is done to a Poisson
// sample at the rate γ, with r that of what is done (Zhu, Wang 2019, ICML,
// Theorem 5): for integer α,
//
//	(α-1)·D ≤ ln( (1-γ)^(α-1)·(1-γ+αγ) + C(α,2)γ²(1-γ)^(α-2)·e^r(2)
//	            + 3·Σ_{j≥3} C(α,j)·γ^j·(1-γ)^(α-j)·e^((j-1)·r(j)) )
//
// and the chord in between. It is never more than without sampling.
func subsetDivergence(e Subset, rel Relation) (func(α float64) float64, error) {
	if rel == ReplaceOne {
		return nil, fmt.Errorf("%w: sampling a subset is priced for adding and removing only", ErrNotApplicable)
	}
	whole, err := newRenyi(Question{Event: e.Event, Relation: rel})
	if err != nil {
		return nil, err
	}
	if e.Rate == 1 {
		return whole.at, nil
	}
	moments := make([]float64, mostSubsetOrders+1) // (j-1)·r(j), as far as asked for
	moment := func(j int) float64 {
		if moments[j] == 0 {
			moments[j] = float64(j-1) * whole.at(float64(j))
		}
		return moments[j]
	}
	sums := make([]float64, mostSubsetOrders+1)
	at := func(α int) float64 {
		if sums[α] == 0 && α > 1 {
			sums[α] = logSubset(e.Rate, α, moment)
		}
		return sums[α]
	}
	return func(α float64) float64 {
		if α >= mostSubsetOrders {
			return whole.at(α)
		}
		lo := int(α)
		chord := at(lo) + (α-float64(lo))*(at(lo+1)-at(lo))
		return min(chord/(α-1), whole.at(α))
	}, nil
}

func logSubset(γ float64, α int, moment func(j int) float64) float64 {
	logγ, log1γ, a := math.Log(γ), math.Log1p(-γ), float64(α)
	s := newLogSum()
	s.add((a-1)*log1γ + math.Log1p((a-1)*γ))
	logC := math.Log(a)
	for j := 2; j <= α; j++ {
		logC += math.Log(float64(α-j+1) / float64(j))
		term := logC + float64(j)*logγ + (a-float64(j))*log1γ + moment(j)
		if j > 2 {
			term += math.Log(3)
		}
		s.add(term)
	}
	return max(s.log(), 0) + rounding
}
