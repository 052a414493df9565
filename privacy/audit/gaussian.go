package audit

import (
	"math"

	"sweep/privacy"
)

// GaussianEpsilon is like [OneRun.Epsilon], but takes the trainer's trade-off curve
// for that of a Gaussian release of strength μ (Mahloujifar, Melis, Chaudhuri
// 2024, arXiv:2410.22235): it returns the ε at delta of the largest μ that is
// refuted. It finds more than Epsilon, and is a bound only as far as that
// assumption holds; for many small steps it nearly does.
func (o OneRun) GaussianEpsilon(delta, significance float64) (float64, error) {
	if err := o.Check(); err != nil {
		return 0, err
	}
	if err := checkRates(delta, significance); err != nil {
		return 0, err
	}
	μ := largest(func(μ float64) bool { return o.refutesGaussian(μ, significance) })
	if μ == 0 {
		return 0, nil
	}
	return privacy.GDP.Epsilon(privacy.Gaussian{Noise: 1 / μ, Count: 1}, delta)
}

// refutesGaussian reports whether so many right guesses have less than the
// chance significance under a trade-off curve of strength μ. Backwards from v
// right guesses, it bounds how likely any smaller number must be if v or more had
// that chance, and refutes if they add up to more than there is: with h_i and
// r_i the mass of i or more right guesses in which one given guess is wrong, or
// right,
//
//	h_i ≥ Φ(Φ⁻¹(r_{i+1}) - μ),   r_i = r_{i+1} + i/(r-i)·(h_i - h_{i+1})
func (o OneRun) refutesGaussian(μ, significance float64) bool {
	total := float64(o.Guesses) / float64(o.Canaries)
	right := significance * float64(o.Correct) / float64(o.Canaries)
	wrong := significance * float64(o.Guesses-o.Correct) / float64(o.Canaries)
	for i := o.Correct - 1; i >= 0; i-- {
		next := max(wrong, normal(quantile(min(right, 1))-μ))
		right += float64(i) / float64(o.Guesses-i) * (next - wrong)
		wrong = next
		if right+wrong > total {
			return true
		}
	}
	return false
}

// normal is Φ(x).
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
