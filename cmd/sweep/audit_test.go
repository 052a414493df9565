package main

import (
	"math"
	"testing"

	"sweep/privacy"
)

// For one Gaussian release of strength 1 the curve is Φ(Φ⁻¹(FPR) + 1) (Dong, Roth,
// Su 2019, section 2.3); bounds by a few pairs are not below it and close.
func TestTradeoffOfGaussian(t *testing.T) {
	curve, err := newTradeoff(privacy.DPSGD{SampleRate: 1, Noise: 1, Steps: 1}, privacy.Budget{Epsilon: 4.3766, Delta: 1e-5})
	if err != nil {
		t.Fatal(err)
	}
	for _, fpr := range []float64{0.001, 0.01, 0.1, 0.5, 0.9} {
		want := 0.5 * math.Erfc(-(1-math.Sqrt2*math.Erfcinv(2*fpr))/math.Sqrt2)
		if got := curve.most(fpr); got < want-1e-9 || got > want*1.01 {
			t.Errorf("at most %v at the false-positive rate %v; the truth is %v", got, fpr, want)
		}
	}
}

func TestTradeoffOfClaim(t *testing.T) {
	curve, err := newTradeoff(nil, privacy.Budget{Epsilon: math.Log(3), Delta: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	// 3·0.1 + 0.01 below the corner, 1 - (1 - 0.01 - 0.9)/3 beyond it.
	if a, b := curve.most(0.1), curve.most(0.9); math.Abs(a-0.31) > 1e-12 || math.Abs(b-0.97) > 1e-12 {
		t.Errorf("at most %v and %v; want 0.31 and 0.97", a, b)
	}
	none, err := newTradeoff(privacy.DPSGD{SampleRate: 1, Steps: 1}, privacy.Budget{Epsilon: math.Inf(1)})
	if err != nil || none.most(0.1) != 1 {
		t.Errorf("without noise at most %v, %v; want 1", none.most(0.1), err)
	}
}
