package privacy

import (
	"errors"
	"math"
	"testing"
)

// Values by another implementation of the contour integral, which agreed with a
// tilted FFT and lay inside the intervals of prv_accountant; they are printed
// to the digits given (shared/docs/accounting.md, sections 1 to 3). PLD of
// dp_accounting is wrong in the last two, by double-precision round-off.
func TestExactAgainstMeasuredPeers(t *testing.T) {
	for _, c := range []struct {
		event DPSGD
		delta float64
		want  float64
		tol   float64
	}{
		{DPSGD{4096. / 50000, 10, 875}, 1e-5, 0.902760, 5e-7},
		{DPSGD{16384. / 50000, 40, 906}, 1e-5, 0.913515, 5e-7},
		{DPSGD{16384. / 50000, 9.4, 2000}, 1e-5, 7.424379, 5e-7},
		{DPSGD{16384. / 1281167, 2.5, 71589}, 8e-7, 7.440152, 5e-7},
		{DPSGD{16384. / 50000, 21.1, 250}, 1e-5, 0.912116, 5e-7},
		{DPSGD{4096. / 50000, 3, 1000}, 1e-10, 5.915445, 5e-7},
		{DPSGD{0.001, 0.7, 10000}, 1e-10, 3.57319, 5e-6},
	} {
		got, err := Exact.Epsilon(c.event, c.delta)
		if err != nil || math.Abs(got-c.want) > c.tol {
			t.Errorf("%+v: ε = %.9g, %v; want %v", c.event, got, err, c.want)
		}
	}
}

// poissonDelta is δ(ε) of one Poisson-subsampled Gaussian step when an example
// is removed: amplification turns ε into ln(1 + (e^ε-1)/q) and δ into q·δ.
func poissonDelta(q, σ, ε float64) float64 {
	t := math.Log((math.Exp(ε) - 1 + q) / q)
	if math.Exp(ε) <= 1-q {
		return 1 - math.Exp(ε)
	}
	return q * gaussianDelta(σ, t)
}

func TestExactAgainstClosedForms(t *testing.T) {
	for _, e := range []DPSGD{{1, 0.3, 1}, {1, 3, 7}, {1, 100, 5000}, {0.2, 1, 1}, {1e-6, 0.5, 1}, {0.9, 20, 1}} {
		for _, ε := range []float64{0.01, 0.3, 1, 4} {
			want := poissonDelta(e.SampleRate, e.Noise/math.Sqrt(float64(e.Steps)), ε)
			if want < 1e-12 {
				continue // the closed form cancels
			}
			got, err := Exact.Delta(e, ε)
			if err != nil || math.Abs(got/want-1) > 1e-9+1e-15/want {
				t.Errorf("%+v: δ(%v) = %.12g, %v; want %.12g", e, ε, got, err, want)
			}
		}
	}
}

// Two steps are one integral of the closed form over the first step's loss.
func TestExactAgainstDirectIntegration(t *testing.T) {
	for _, e := range []DPSGD{{0.33, 9.4, 2}, {0.2, 3, 2}, {0.5, 1, 2}, {0.08, 2, 2}} {
		q, σ := e.SampleRate, e.Noise
		for _, ε := range []float64{0.05, 0.5} {
			var want float64
			h := σ / 200
			for x := -12 * σ; x < 1+12*σ; x += h {
				n := func(m float64) float64 { return math.Exp(-(x-m)*(x-m)/(2*σ*σ)) / (σ * math.Sqrt(2*math.Pi)) }
				loss := math.Log1p(q * math.Expm1((x-0.5)/(σ*σ)))
				want += h * ((1-q)*n(0) + q*n(1)) * poissonDelta(q, σ, ε-loss)
			}
			if want < 1e-10 {
				continue
			}
			got, err := Exact.Delta(e, ε)
			if errors.Is(err, ErrNotApplicable) {
				t.Logf("%+v: %v", e, err)
				continue
			}
			if err != nil || math.Abs(got/want-1) > 1e-7 {
				t.Errorf("%+v: δ(%v) = %.12g, %v; integration gives %.12g", e, ε, got, err, want)
			}
		}
	}
}

// At ε = 0 both directions are the total variation distance.
func TestExactDirectionsMeetAtZero(t *testing.T) {
	for _, e := range []DPSGD{{4096. / 50000, 10, 875}, {0.02, 1, 300}, {0.3, 2, 50}} {
		ds, err := directions(Question{Event: e})
		if err != nil {
			t.Fatal(err)
		}
		var δ [2]float64
		for i, d := range ds {
			at, err := d.curve(0)
			if err != nil {
				t.Fatal(err)
			}
			δ[i], _, _ = at.delta(0)
		}
		if math.Abs(δ[0]/δ[1]-1) > 1e-9 {
			t.Errorf("%+v: δ(0) = %.12g when removing, %.12g when adding", e, δ[0], δ[1])
		}
	}
}

// PRV and RDP price removing only, which is right, but taking adding alone would
// understate: 0.8914 against 0.9028, and 0.36 against 4.70 for small σ.
func TestPitfallRemovingDominatesAdding(t *testing.T) {
	ds, err := directions(Question{Event: DPSGD{4096. / 50000, 10, 875}})
	if err != nil {
		t.Fatal(err)
	}
	_, remove, err1 := ds[0].epsilon(1e-5)
	_, add, err2 := ds[1].epsilon(1e-5)
	if err1 != nil || err2 != nil || math.Abs(remove-0.9028) > 5e-5 || math.Abs(add-0.8914) > 5e-5 {
		t.Errorf("removing %.4f (%v), adding %.4f (%v); want 0.9028 and 0.8914", remove, err1, add, err2)
	}
}

// The integral does not depend on where the contour crosses the real axis, and
// its error bound covers what difference there is.
func TestContourMayBeMoved(t *testing.T) {
	for _, e := range []DPSGD{{4096. / 50000, 10, 875}, {0.01, 1, 1000}, {0.001, 0.7, 10000}} {
		ds, _ := directions(Question{Event: e})
		c, ε, err := saddleFor(ds[0].cumulant, math.Log(1e-6))
		if err != nil {
			t.Fatal(err)
		}
		at, err := ds[0].lay(c, ε, math.Log(1e-6))
		if err != nil {
			t.Fatal(err)
		}
		want, _, bound := at.delta(ε)
		for _, f := range []float64{0.7, 0.9, 1.2, 1.4} {
			moved, err := ds[0].lay(c*f, ε, math.Log(1e-6))
			if err != nil {
				t.Fatal(err)
			}
			got, _, b := moved.delta(ε)
			if math.Abs(got-want) > bound+b {
				t.Errorf("%+v: contour moved to %v·c: δ = %.14g ± %.2g, before %.14g ± %.2g", e, f, got, b, want, bound)
			}
		}
	}
}

func TestExactSaysWhereItDoesNotApply(t *testing.T) {
	_, err := Exact.Epsilon(DPSGD{0.0001, 0.5, 3}, 1e-5)
	if !errors.Is(err, ErrNotApplicable) {
		t.Errorf("error %v, want ErrNotApplicable", err)
	}
}

func TestExactAtTinyDelta(t *testing.T) {
	// FFT accountants have a floor near 1e-15; the truth is 3.5e-35 for some ε.
	e := DPSGD{4096. / 50000, 3, 1000}
	ε, err := Exact.Epsilon(e, 3.5e-35)
	if err != nil {
		t.Fatal(err)
	}
	δ, err := Exact.Delta(e, ε)
	if err != nil || math.Abs(δ/3.5e-35-1) > 1e-7 {
		t.Errorf("δ(ε(3.5e-35)) = %g, %v", δ, err)
	}
	if rdp, _ := RDP.Epsilon(e, 3.5e-35); ε > rdp || ε < 0.8*rdp {
		t.Errorf("ε = %v, by RDP %v", ε, rdp)
	}
}

func BenchmarkEpsilonExact(b *testing.B) {
	for b.Loop() {
		Exact.Epsilon(DPSGD{4096. / 50000, 10, 875}, 1e-5)
	}
}
