package privacy

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// The trade-off curve of a Gaussian release is known: Φ(Φ⁻¹(fpr) + μ).
func TestTruePositiveRateOfGaussian(t *testing.T) {
	for _, μ := range []float64{0.3, 1, 3} {
		for _, fpr := range []float64{0.001, 0.01, 0.1, 0.6} {
			want := distuv.UnitNormal.CDF(distuv.UnitNormal.Quantile(fpr) + μ)
			got, err := TruePositiveRate(Question{Event: Gaussian{1 / μ, 1}}, fpr)
			if err != nil || got < want*(1-1e-9) || got > want*1.0005 {
				t.Errorf("μ %v: TPR at %v is %v, %v; want %v", μ, fpr, got, err, want)
			}
		}
	}
}

func TestAdvantage(t *testing.T) {
	μ := 0.7
	want := 2*distuv.UnitNormal.CDF(μ/2) - 1 // total variation of N(0,1) and N(μ,1)
	got, err := Advantage(Question{Event: Gaussian{1 / μ, 1}})
	near(t, "advantage", got, err, want, 1e-9)
	got, err = TruePositiveRate(Question{Event: Gaussian{0, 1}}, 0.01)
	near(t, "without noise", got, err, 1, 0)
	if got, err := TruePositiveRate(Question{Event: Gaussian{1, 1}}, 0); err == nil || !math.IsNaN(got) {
		t.Errorf("at a false-positive rate of 0: %v, %v", got, err)
	}
}

// An attack on training at ε = 0.9 may not find one member in fifty at one false
// alarm in a hundred; (ε, δ) alone would allow e^0.9·0.01 = 2.5 %.
func TestTruePositiveRateOfTraining(t *testing.T) {
	got, err := TruePositiveRate(Question{Event: selected}, 0.01)
	if err != nil || got < 0.01 || got > 0.02 {
		t.Errorf("TPR at 1 %% FPR: %v, %v", got, err)
	}
}
