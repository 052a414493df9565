package privacy

import (
	"math"
	"testing"
)

// Selections of runs that are (ε, 0)-private cost (2+η)·ε each (Papernot, Steinke
// 2022, Corollary 3) and together the sum, with the runs beside them.
func TestSelectionsOfPureRunsAddUp(t *testing.T) {
	few, many := Select{Laplace{10, 1}, Logarithmic, 1e6, 0}, Select{Laplace{5, 1}, Geometric, 1e6, 0}
	for _, c := range []struct {
		event Composed
		want  float64
	}{
		{Composed{few, many}, 2*0.1 + 3*0.2},
		{Composed{few, few, few}, 3 * 2 * 0.1},
		{Composed{few, Laplace{4, 3}}, 2*0.1 + 3*0.25},
		{Composed{OneOf{Laplace{10, 1}, Laplace{2, 1}}, few}, 0.5 + 2*0.1},
	} {
		ε, err := Certified.Epsilon(c.event, 0)
		if err != nil || ε < c.want-1e-9 || ε > 1.01*c.want {
			t.Errorf("%+v: ε = %v, %v; want %v", c.event, ε, err, c.want)
		}
	}
}

// Two selections cost no more than both do at half of δ each, however much dearer
// one is, no less than either alone, and never more than by RDP; and δ is
// the inverse of ε.
func TestSelectionsTogether(t *testing.T) {
	const δ = 1e-5
	cheap := Select{DPSGD{0.025, 2.046849, 100}, Geometric, 8, 0}
	dear := Select{DPSGD{0.05, 1.3445, 100}, Geometric, 8, 0}
	steps := DPSGD{0.02, 1.5, 300}
	price := func(e Event, δ float64) float64 {
		t.Helper()
		ε, err := Certified.Epsilon(e, δ)
		if err != nil {
			t.Fatal(err)
		}
		return ε
	}
	for _, parts := range []Composed{{cheap, dear}, {cheap, dear, steps, DPSGD{0.01, 3, 20}}} {
		n := min(len(parts), 3) // steps are one part, however many kinds
		var most, alone float64
		for i, e := range parts {
			if i < n-1 {
				most += price(e, δ/float64(n))
			}
			alone = max(alone, price(e, δ))
		}
		most += price(parts[n-1:], δ/float64(n))
		rdp, err := RDP.Epsilon(parts, δ)
		if err != nil {
			t.Fatal(err)
		}
		ε := price(parts, δ)
		if ε > most*(1+1e-6) || ε > rdp || ε < alone {
			t.Errorf("%+v: ε = %v; want from %v to %v, and rdp says %v", parts, ε, alone, most, rdp)
		}
		if len(parts) > 2 {
			continue // the way back takes a while
		}
		back, err := Certified.Delta(parts, ε)
		if err != nil || back > δ*1.01 || back < δ/1.01 {
			t.Errorf("%+v: δ(%v) = %v, %v; want %v", parts, ε, back, err, δ)
		}
	}
	var sixty Composed
	for range 60 {
		sixty = append(sixty, cheap)
	}
	rdp, err := RDP.Epsilon(sixty, δ)
	if got := price(sixty, δ); err != nil || math.Abs(got-rdp) > 1e-9 {
		t.Errorf("sixty: %v, %v; want rdp's %v", got, err, rdp)
	}
	if ε := price(Composed{cheap, DPSGD{0.1, 0, 1}}, δ); !math.IsInf(ε, 1) {
		t.Errorf("with a step without noise %v, want infinity", ε)
	}
}
