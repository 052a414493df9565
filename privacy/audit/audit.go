// Package audit finds lower bounds on ε from what attacks achieve: how private a
// trainer certainly is not. A lower bound above the ε that was claimed means
// that the trainer, or its accounting, is broken; one below it proves nothing.
//
// What an attack gives is a score for each of m canaries, examples that a fair
// coin put into the training set or left out. From them
//
//   - [Search] bounds ε by one training run, whatever the canaries have to do with
//     each other. Several runs with coins of their own may be given as one.
//   - [Rates] bounds ε by a fixed attack on independent runs; canaries of one run
//     are not quite independent, and what they give is a bound only as far as they are.
//   - [OneRun.GaussianEpsilon] and [Rates.GaussianEpsilon] find more, and are bounds
//     only as far as the trainer's trade-off curve is a Gaussian's.
//   - [Curve] and [Area] describe the attack and bound nothing.
//
// Every bound holds with the confidence 1 - significance over the randomness of
// the canaries and the training: it accuses a correct trainer in at most that share
// of audits. [ReadScores] reads scores of trainers that are not ours.
package audit

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// OneRun is what an attack achieved on a single run into which each of m
// canaries was put by a fair coin of its own. It guesses for some which way the
// coin fell, and abstains on the others.
type OneRun struct {
	Canaries int `json:"m"` // m: coins tossed; ≥ 1
	Guesses  int `json:"r"` // r: canaries guessed; 0 to m
	Correct  int `json:"v"` // v: guesses that were right; 0 to r
}

// Check complains about counts that cannot be.
func (o OneRun) Check() error {
	if o.Canaries < 1 || o.Guesses < 0 || o.Guesses > o.Canaries || o.Correct < 0 || o.Correct > o.Guesses {
		return fmt.Errorf("%d right out of %d guesses about %d canaries cannot be", o.Correct, o.Guesses, o.Canaries)
	}
	return nil
}

// PValue bounds the chance that an (epsilon, delta)-private trainer lets an attack
// guess so well (Steinke, Nasr, Jagielski 2023, arXiv:2305.08846): with
// W ~ Bin(r, e^ε/(1+e^ε)),
//
//	Pr[W ≥ v] + 2·m·δ·max over i ≥ 1 of Pr[v-i ≤ W < v]/i
func (o OneRun) PValue(epsilon, delta float64) float64 {
	r, v := o.Guesses, o.Correct
	q := 1 / (1 + math.Exp(-epsilon))
	β := atLeast(r, q, v)
	α, below := 0.0, 0.0 // below is Pr[v-i ≤ W < v]
	if delta > 0 && v > 0 {
		mass := logExactly(r, epsilon, v-1)             // in logarithms: far out it is smaller than numbers are
		for i := 1; i <= v && float64(i)*α < 1-β; i++ { // beyond, no i can give more
			below += math.Exp(mass)
			α = max(α, below/float64(i))
			k := float64(v - i)
			mass += math.Log(k/(float64(r)-k+1)) - epsilon // Pr[W = k-1] from Pr[W = k]
		}
	}
	return min(1, β+2*float64(o.Canaries)*delta*α)
}

// logExactly is ln Pr[Bin(n, e^ε/(1+e^ε)) = k].
func logExactly(n int, epsilon float64, k int) float64 {
	lgamma := func(x int) float64 { y, _ := math.Lgamma(float64(x + 1)); return y }
	logQ := -math.Log1p(math.Exp(-epsilon))
	return lgamma(n) - lgamma(k) - lgamma(n-k) + float64(n)*logQ - float64(n-k)*epsilon
}

// Epsilon returns the largest ε, of about six digits and rounded down, that is
// refuted at the significance: a trainer that is (ε, delta)-private would do
// this in less than that share of cases. 0 if none is.
func (o OneRun) Epsilon(delta, significance float64) (float64, error) {
	if err := o.Check(); err != nil {
		return 0, err
	}
	if err := checkRates(delta, significance); err != nil {
		return 0, err
	}
	return largest(func(ε float64) bool { return o.PValue(ε, delta) < significance }), nil
}

func checkRates(delta, significance float64) error {
	if !(delta >= 0 && delta < 1) {
		return fmt.Errorf("delta %v is not a probability below 1", delta)
	}
	if !(significance > 0 && significance < 1) {
		return fmt.Errorf("significance %v must lie between 0 and 1; 0.05 gives 95 %% confidence", significance)
	}
	return nil
}

// largest is about the largest ε ≥ 0 that is refuted; the larger ε, the harder
// that is.
func largest(refuted func(ε float64) bool) float64 {
	if !refuted(0) {
		return 0
	}
	lo, hi := 0.0, 1.0
	for refuted(hi) && hi < 700 {
		lo, hi = hi, 2*hi
	}
	for hi-lo > 1e-7*(1+hi) {
		if mid := (lo + hi) / 2; refuted(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// atLeast is Pr[Bin(n, q) ≥ k].
func atLeast(n int, q float64, k int) float64 {
	switch {
	case k <= 0 || q >= 1 && k <= n:
		return 1
	case k > n || q <= 0:
		return 0
	}
	return mathext.RegIncBeta(float64(k), float64(n-k+1), q)
}
