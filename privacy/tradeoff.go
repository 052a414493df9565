package privacy

import (
	"errors"
	"fmt"
	"math"
)

// TruePositiveRate returns the most that any test for the presence of one unit
// can reach at the false-positive rate fpr, in (0, 1): what a membership inference
// attack may hope for. It is the f-DP trade-off curve of q, from δ(ε) by duality
// (Dong, Roth, Su 2019, arXiv:1905.02383, section 2):
//
//	TPR = min over ε ≥ 0 of min( e^ε·fpr + δ(ε), 1 - e^-ε·(1 - fpr - δ(ε)) )
//
// Any ε gives a bound, so that the search for the best errs upwards only.
func TruePositiveRate(q Question, fpr float64) (float64, error) {
	if !(fpr > 0 && fpr < 1) {
		return math.NaN(), fmt.Errorf("false-positive rate %v must lie between 0 and 1", fpr)
	}
	if err := q.check(); err != nil {
		return math.NaN(), err
	}
	// Where δ is negligible both lines only rise.
	_, most, err := certified{q}.epsilons(1e-9)
	if errors.Is(err, errNoNoise) || math.IsInf(most, 1) {
		return 1, nil
	}
	if err != nil {
		return math.NaN(), err
	}
	best := 1.0
	for _, line := range []func(t, δ float64) float64{
		func(t, δ float64) float64 { return t*fpr + δ },
		func(t, δ float64) float64 { return 1 - (1-fpr-δ)/t },
	} {
		rate, err := leastOver(q, most, line)
		if err != nil {
			return math.NaN(), err
		}
		best = min(best, rate)
	}
	return best, nil
}

// Curve returns the guarantee at each δ: the ε that [Certified] gives. It is q's
// whole privacy profile if deltas are many.
func Curve(q Question, deltas []float64) ([]Budget, error) {
	curve := make([]Budget, len(deltas))
	for i, δ := range deltas {
		ε, err := Certified.EpsilonOf(q, δ)
		if err != nil {
			return nil, err
		}
		curve[i] = Budget{ε, δ}
	}
	return curve, nil
}

// Advantage returns the largest difference between the true- and the
// false-positive rate of any test for the presence of one unit, δ(0).
func Advantage(q Question) (float64, error) { return Certified.DeltaOf(q, 0) }

// leastOver is about the least of line(e^ε, δ(ε)) for ε from 0 to most, by golden
// section, for it falls and then rises in ε.
func leastOver(q Question, most float64, line func(t, δ float64) float64) (float64, error) {
	const golden = 0.6180339887498949
	var failed error
	at := func(ε float64) float64 {
		_, δ, err := certified{q}.deltas(ε)
		if err != nil {
			failed = err
		}
		return line(math.Exp(ε), min(δ, 1))
	}
	lo, hi := 0.0, most
	a, b := hi-golden*(hi-lo), lo+golden*(hi-lo)
	atA, atB := at(a), at(b)
	best := min(at(0), atA, atB)
	for range 30 {
		if atA < atB {
			hi, b, atB = b, a, atA
			a = hi - golden*(hi-lo)
			atA = at(a)
		} else {
			lo, a, atA = a, b, atB
			b = lo + golden*(hi-lo)
			atB = at(b)
		}
		best = min(best, atA, atB)
	}
	return best, failed
}
