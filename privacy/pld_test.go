package privacy

import (
	"math"
	"testing"
)

// The truth by the contour integral, which shares no code with lattices, must
// lie in the bracket, and the upper end within 1e-4 of it. The last two are
// where dp_accounting's PLD says 5.915432..5.915434, and 3.5713: below the truth,
// because an FFT without tilting has an absolute floor of rounding.
func TestPLDBracketsTheTruth(t *testing.T) {
	for _, c := range []struct {
		event Event
		delta float64
	}{
		{DPSGD{4096. / 50000, 10, 875}, 1e-5},
		{DPSGD{16384. / 50000, 9.4, 2000}, 1e-5},
		{DPSGD{0.01, 1, 1}, 1e-5},
		{DPSGD{0.01, 1, 100}, 1e-5},
		{DPSGD{4096. / 50000, 0.7, 18}, 1e-5},
		{DPSGD{1, 10, 100}, 1e-5},
		{DPSGD{0.5, 100, 1000}, 1e-12},
		{Composed{DPSGD{0.05, 2, 200}, DPSGD{0.2, 5, 100}, DPSGD{1, 30, 2}}, 1e-6},
		{DPSGD{4096. / 50000, 3, 1000}, 1e-10},
		{DPSGD{0.005, 0.8, 2000}, 1e-10},
	} {
		truth, err := Exact.Epsilon(c.event, c.delta)
		if err != nil {
			t.Fatal(err)
		}
		p, err := newPLD(Question{Event: c.event})
		if err != nil {
			t.Fatal(err)
		}
		lower, upper, err := p.epsilons(c.delta)
		if err != nil || lower > truth || upper < truth*(1-1e-9) || upper > truth*1.0001 {
			t.Errorf("%+v: ε in [%.7g, %.7g], %v; the truth is %.7g", c.event, lower, upper, err, truth)
		}
		low, high, err := p.deltas(truth)
		if err != nil || low > c.delta*(1+1e-8) || high < c.delta*(1-1e-8) || high > 1.01*c.delta {
			t.Errorf("%+v: δ in [%.7g, %.7g], %v; the truth is %.7g", c.event, low, high, err, c.delta)
		}
	}
}

// Few steps at small q are what the contour integral leaves to lattices. Two
// steps are one integral of the closed form over the first step's loss.
func TestPLDBracketsDirectIntegration(t *testing.T) {
	const q, σ = 0.01, 1.0
	p, err := newPLD(Question{Event: DPSGD{q, σ, 2}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ε := range []float64{0.02, 0.2, 1} {
		var want float64
		const h = σ / 20000
		for x := -12 * σ; x < 1+12*σ; x += h {
			n := func(m float64) float64 { return math.Exp(-(x-m)*(x-m)/(2*σ*σ)) / (σ * math.Sqrt(2*math.Pi)) }
			loss := math.Log1p(q * math.Expm1((x-0.5)/(σ*σ)))
			want += h * ((1-q)*n(0) + q*n(1)) * poissonDelta(q, σ, ε-loss)
		}
		lower, upper, err := p.deltas(ε)
		if err != nil || lower > want || upper < want || upper-lower > 0.005*want {
			t.Errorf("δ(%v) in [%.9g, %.9g], %v; integration gives %.9g", ε, lower, upper, err, want)
		}
	}
}

// A composition at δ far below what floating point can add to 1.
func TestPitfallTinyDelta(t *testing.T) {
	p, err := newPLD(Question{Event: DPSGD{4096. / 50000, 3, 1000}})
	if err != nil {
		t.Fatal(err)
	}
	truth, err := Exact.Epsilon(DPSGD{4096. / 50000, 3, 1000}, 3.5e-35)
	if err != nil {
		t.Fatal(err)
	}
	lower, upper, err := p.deltas(truth)
	if err != nil || lower > 3.5e-35 || upper < 3.49999e-35 || upper > 3.6e-35 || lower < 3.4e-35 {
		t.Errorf("δ in [%g, %g], %v; the truth is 3.5e-35", lower, upper, err)
	}
}

// Dents on the way to a dominated lattice are bridged from below: δ of the
// result stays below that of the cells for every ε.
func TestDominatedIsBelowAndDominatingAbove(t *testing.T) {
	// Three outputs whose losses lie between lattice points.
	cells := []cell{{lo: -0.731, hi: -0.731, mass: 0.2}, {lo: 0.0312, hi: 0.0312, mass: 0.5}, {lo: 1.017, hi: 1.017, mass: 0.3}}
	for _, h := range []float64{0.5, 0.1, 0.013} {
		over, under := dominating(h, cells, 0), dominated(h, cells)
		for ε := -1.5; ε < 1.5; ε += 0.001 {
			var truth float64
			for _, c := range cells {
				truth += c.mass * max(0, -math.Expm1(ε-c.lo))
			}
			if got := over.delta(ε); got < truth-1e-15 {
				t.Fatalf("h %v: dominating δ(%v) = %v, below %v", h, ε, got, truth)
			}
			if got := under.delta(ε); got > truth+1e-15 {
				t.Fatalf("h %v: dominated δ(%v) = %v, above %v", h, ε, got, truth)
			}
		}
	}
}

// delta is δ(ε) of one lattice, by its definition.
func (l lattice) delta(ε float64) float64 {
	sum := l.infinite
	for i, m := range l.mass {
		sum += m * max(0, -math.Expm1(ε-l.loss(i)))
	}
	return sum
}

func BenchmarkEpsilonPLD(b *testing.B) {
	for b.Loop() {
		PLD.Epsilon(DPSGD{4096. / 50000, 10, 875}, 1e-5)
	}
}
