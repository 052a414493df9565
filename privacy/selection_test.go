package privacy

import (
	"errors"
	"math"
	"testing"
)

// One trial at ε = 0.988 by RDP. Sources: accounting.md, sections 3 and 4.
var selected = DPSGD{4096. / 50000, 10, 875}

// A search that releases all of its ten trials costs 3.51, one that releases
// the best of a logarithmic number with mean ten 1.74; by profiles it is less.
func TestPitfallSearchIsNotFree(t *testing.T) {
	all := Composed{}
	for range 10 {
		all = append(all, selected)
	}
	for _, c := range []struct {
		what  string
		event Event
		want  float64
	}{
		{"all of ten", all, 3.51},
		{"logarithmic, mean 10", Select{selected, Logarithmic, 10, 0}, 1.74},
		{"logarithmic, mean 100", Select{selected, Logarithmic, 100, 0}, 2.08},
		{"geometric, mean 100", Select{selected, Geometric, 100, 0}, 2.65},
		{"Poisson, mean 100", Select{selected, Poisson, 100, 0}, 8.12},
	} {
		rdp, err := RDP.Epsilon(c.event, 1e-5)
		near(t, c.what, rdp, err, c.want, 5e-3)
		ε, err := Certified.Epsilon(c.event, 1e-5)
		if err != nil || ε > rdp || ε < 0.9 {
			t.Errorf("%s: certified says %v, %v; rdp says %v", c.what, ε, err, rdp)
		}
	}
}

// With one run for sure selection is that run: 0.9877, not 1.0287.
func TestPitfallSelectionOfOneRun(t *testing.T) {
	for _, a := range []Accountant{RDP, Certified} {
		want, err1 := a.Epsilon(selected, 1e-5)
		for _, k := range []RunCount{Logarithmic, Geometric} {
			got, err2 := a.Epsilon(Select{selected, k, 1, 0}, 1e-5)
			if err1 != nil || err2 != nil || math.Abs(got-want) > 1e-9 {
				t.Errorf("%s, %s: %v, %v; the run alone is %v, %v", a, k, got, err2, want, err1)
			}
		}
	}
}

// For runs that are (ε, 0)-private the cost is (2+η)·ε (Papernot, Steinke 2022,
// Corollary 3), whatever the mean.
func TestSelectionOfPureRuns(t *testing.T) {
	run := Laplace{10, 1} // (0.1, 0)-private
	for _, c := range []struct {
		count RunCount
		shape float64
		want  float64
	}{{Logarithmic, 0, 0.2}, {Geometric, 0, 0.3}, {NegativeBinomial, -0.5, 0.15}, {NegativeBinomial, 2, 0.4}} {
		ε, err := Certified.Epsilon(Select{run, c.count, 1e6, c.shape}, 0)
		if err != nil || ε < c.want-1e-9 || ε > 1.01*c.want {
			t.Errorf("%s %v: ε = %v, %v; want %v", c.count, c.shape, ε, err, c.want)
		}
	}
}

// The stopping probabilities that belong to a mean, against sums over K.
func TestRunCountMeans(t *testing.T) {
	for _, e := range []Select{
		{selected, Logarithmic, 10, 0}, {selected, Geometric, 10, 0},
		{selected, NegativeBinomial, 7, -0.5}, {selected, NegativeBinomial, 30, 3},
	} {
		γ, η := e.stopping(), e.shape()
		// Pr[K=k] ∝ (1-γ)^k·Γ(k+η)/(Γ(η)·k!), and (1-γ)^k/k for η = 0.
		var mass, mean float64
		weight := 1.0
		for k := 1; k < 100000; k++ {
			if k > 1 {
				weight *= (1 - γ) * (float64(k) - 1 + η) / float64(k)
			}
			mass += weight
			mean += weight * float64(k)
		}
		if math.Abs(mean/mass/e.Mean-1) > 1e-9 {
			t.Errorf("%s %v: γ %v gives mean %v, want %v", e.Count, e.Shape, γ, mean/mass, e.Mean)
		}
	}
}

// Tuning on a tenth of the data and one final run cost little more than the run.
func TestTuningOnASubset(t *testing.T) {
	alone, err1 := RDP.Epsilon(selected, 1e-5)
	both, err2 := RDP.Epsilon(Composed{Subset{0.1, Select{selected, Logarithmic, 10, 0}}, selected}, 1e-5)
	if err1 != nil || err2 != nil || both < alone || both > 1.3 {
		t.Errorf("with tuning %v, %v; without %v, %v", both, err2, alone, err1)
	}
	// A subset of everything is everything, and of nothing nothing.
	whole, _ := RDP.Epsilon(Subset{1, selected}, 1e-5)
	none, _ := RDP.Epsilon(Subset{0, selected}, 1e-5)
	if whole != alone || none != 0 {
		t.Errorf("subset of everything %v, of nothing %v; want %v and 0", whole, none, alone)
	}
}

// A Gaussian release of a Poisson subset is a Poisson-subsampled Gaussian, whose
// divergence is known: the general bound must lie above.
func TestSubsetIsSound(t *testing.T) {
	for _, q := range []float64{0.01, 0.2} {
		d, err := subsetDivergence(Subset{q, Gaussian{2, 1}}, AddRemove)
		if err != nil {
			t.Fatal(err)
		}
		for _, α := range []float64{1.5, 2, 3.3, 8, 40} {
			if truth, got := poissonDivergence(q, 2, α), d(α); got < truth || got > 6*truth {
				t.Errorf("q %v, α %v: bound %v, truth %v", q, α, got, truth)
			}
		}
	}
}

func TestSelectRefuses(t *testing.T) {
	for _, e := range []Event{
		Select{selected, "fixed", 10, 0}, Select{selected, Poisson, 0.5, 0}, Select{nil, Poisson, 2, 0},
		Select{selected, Geometric, 2, 3}, Select{selected, NegativeBinomial, 2, -1}, Subset{2, selected}, Subset{0.5, nil},
	} {
		if _, err := RDP.Epsilon(e, 1e-5); err == nil || errors.Is(err, ErrNotApplicable) {
			t.Errorf("%+v: error %v, want a complaint", e, err)
		}
	}
}
