package main

import (
	"errors"
	"math"

	"sweep/privacy"
)

// A tradeoff bounds the true-positive rate of any attack on what was claimed, by
// (ε, δ) pairs that all hold. The more pairs, the closer it comes to the truth, from
// above; [privacy.TruePositiveRate] looks for the best pair of each point instead,
// which takes too long for a whole curve.
type tradeoff []privacy.Budget

// tradeoffPairs are enough for the curve to look smooth.
const tradeoffPairs = 64

// newTradeoff is the trade-off curve of e, or of the claim alone if e is nil; empty if
// nothing is claimed.
func newTradeoff(e privacy.Event, claimed privacy.Budget) (tradeoff, error) {
	if math.IsNaN(claimed.Epsilon) || math.IsInf(claimed.Epsilon, 1) {
		return nil, nil
	}
	if e == nil {
		return tradeoff{claimed}, nil
	}
	pairs, err := pairsBy(privacy.Exact, e)
	if errors.Is(err, privacy.ErrNotApplicable) {
		pairs, err = pairsBy(privacy.RDP, e) // looser, and fast for any event
	}
	return append(pairs, claimed), err
}

// pairsBy are pairs from ε = 0 to where δ is negligible: beyond, the bounds only rise.
func pairsBy(a privacy.Accountant, e privacy.Event) (pairs tradeoff, err error) {
	most, err := a.Epsilon(e, 1e-9)
	if err != nil {
		return nil, err
	}
	for i := range tradeoffPairs {
		ε := most * float64(i) / tradeoffPairs
		δ, err := a.Delta(e, ε)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, privacy.Budget{Epsilon: ε, Delta: δ})
	}
	return pairs, nil
}

// most is the most that an attack of false-positive rate fpr can reach: for each
// pair TPR ≤ e^ε·FPR + δ and 1-FPR ≤ e^ε·(1-TPR) + δ.
func (t tradeoff) most(fpr float64) float64 {
	best := 1.0
	for _, b := range t {
		e := math.Exp(b.Epsilon)
		best = min(best, e*fpr+b.Delta, 1-(1-b.Delta-fpr)/e)
	}
	return best
}
