package audit

import (
	"fmt"
	"math"

	"sweep/privacy"
)

// Rates is what a fixed attack achieved on independent runs, or on the many
// canaries of one run taken for independent: how often it said "trained on"
// when that was so and when not.
type Rates struct {
	In, TruePositives   int // runs with the canary, and how many the attack called so
	Out, FalsePositives int // runs without it, and how many it called so all the same
}

// RatesAt is what an attack achieved that says "trained on" where a score is at
// least threshold.
func RatesAt(canaries []Canary, threshold float64) Rates {
	var r Rates
	for _, c := range canaries {
		called := btoi(c.Score >= threshold)
		if c.In {
			r.In++
			r.TruePositives += called
		} else {
			r.Out++
			r.FalsePositives += called
		}
	}
	return r
}

func (r Rates) check() error {
	if r.In < 1 || r.Out < 1 || r.TruePositives < 0 || r.TruePositives > r.In || r.FalsePositives < 0 || r.FalsePositives > r.Out {
		return fmt.Errorf("%d of %d true and %d of %d false positives cannot be", r.TruePositives, r.In, r.FalsePositives, r.Out)
	}
	return nil
}

// bounds are a lower bound of the true-positive rate and an upper one of the
// false-positive rate that both hold at the significance (Clopper, Pearson 1934).
func (r Rates) bounds(significance float64) (tpr, fpr float64) {
	return clopperPearson(r.TruePositives, r.In, significance/2), 1 - clopperPearson(r.Out-r.FalsePositives, r.Out, significance/2)
}

// clopperPearson is the lower bound of a probability after k successes in n.
func clopperPearson(k, n int, significance float64) float64 {
	if k == 0 {
		return 0
	}
	lo, hi := 0.0, 1.0
	for range 60 {
		if mid := (lo + hi) / 2; atLeast(n, mid, k) < significance {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// Epsilon returns a lower bound on ε at delta: since TPR ≤ e^ε·FPR + δ and
// 1-FPR ≤ e^ε·(1-TPR) + δ,
//
//	ε ≥ max( ln((TPR - δ)/FPR), ln((1-FPR - δ)/(1-TPR)) )
//
// at the bounds of both rates. 0 if nothing is refuted.
func (r Rates) Epsilon(delta, significance float64) (float64, error) {
	if err := r.check(); err != nil {
		return 0, err
	}
	if err := checkRates(delta, significance); err != nil {
		return 0, err
	}
	tpr, fpr := r.bounds(significance)
	ε := 0.0
	if tpr > delta {
		ε = max(ε, math.Log((tpr-delta)/fpr))
	}
	if 1-fpr > delta {
		ε = max(ε, math.Log((1-fpr-delta)/(1-tpr)))
	}
	return ε, nil
}

// GaussianEpsilon is like [Rates.Epsilon], but takes the trainer's trade-off curve
// for that of a Gaussian release, as it is for full batches and nearly so for
// many small steps: with μ = Φ⁻¹(TPR) - Φ⁻¹(FPR), the ε of μ at delta. It finds more
// than Epsilon, and is a bound only as far as that assumption holds.
func (r Rates) GaussianEpsilon(delta, significance float64) (float64, error) {
	if err := r.check(); err != nil {
		return 0, err
	}
	if err := checkRates(delta, significance); err != nil {
		return 0, err
	}
	tpr, fpr := r.bounds(significance)
	μ := quantile(tpr) - quantile(fpr)
	if !(μ > 0) {
		return 0, nil
	}
	return privacy.GDP.Epsilon(privacy.Gaussian{Noise: 1 / μ, Count: 1}, delta)
}

// quantile is Φ⁻¹(p).
func quantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }
