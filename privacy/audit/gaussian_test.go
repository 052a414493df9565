package audit

import (
	"math/rand/v2"
	"testing"

	"sweep/privacy"
)

// Canaries whose scores are a Gaussian release of strength μ each: the truth is
// known. Bounds above it may come with a chance of 5 %, so more than 6 of 40 with
// one below 1 %, and the seed is fixed; they must be larger than without the
// assumption.
func TestGaussianOneRunIsSoundAndFindsMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	for _, μ := range []float64{0.5, 2} {
		truth, err := privacy.Exact.Epsilon(privacy.Gaussian{Noise: 1 / μ, Count: 1}, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		const m, k, runs = 1000, 100, 40
		var above int
		var assumed, plain float64
		for range runs {
			high, low := hits(sample(rng, m, μ))
			o := OneRun{m, 2 * k, high[k] + low[k]}
			a, err1 := o.GaussianEpsilon(1e-5, 0.05)
			b, err2 := o.Epsilon(1e-5, 0.05)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			assumed, plain = assumed+a/runs, plain+b/runs
			if a > truth {
				above++
			}
		}
		if above > 6 || assumed < 1.2*plain {
			t.Errorf("μ %v: %d of %d bounds above %.3g; mean %.3g, without the assumption %.3g", μ, above, runs, truth, assumed, plain)
		}
	}
}

// Guesses no better than coins refute nothing.
func TestGaussianOneRunOfCoins(t *testing.T) {
	if ε, err := (OneRun{1000, 200, 100}).GaussianEpsilon(1e-5, 0.05); ε != 0 || err != nil {
		t.Errorf("ε = %v, %v", ε, err)
	}
}
