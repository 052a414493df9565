package privacy

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// testdata/reference.json holds δ(ε) in 25 digits, made by reference.py beside
// it with mpmath in 50-digit arithmetic.
func TestAgainstReference(t *testing.T) {
	data, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Q, Sigma, Epsilon float64
		Steps             int
		Delta             string
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	applied := 0
	for _, r := range rows {
		want, err := strconv.ParseFloat(r.Delta, 64)
		if err != nil {
			t.Fatal(err)
		}
		e := DPSGD{r.Q, r.Sigma, r.Steps}
		got, err := Exact.Delta(e, r.Epsilon)
		switch {
		case errors.Is(err, ErrNotApplicable):
		case err != nil || math.Abs(got/want-1) > 1e-8:
			t.Errorf("%+v: δ(%v) = %v, %v; want %v", e, r.Epsilon, got, err, want)
		default:
			applied++
		}
		b, err := DeltaBracket(Question{Event: e}, r.Epsilon)
		if err != nil || b.Lower > want*(1+1e-14) || b.Upper < want*(1-1e-14) {
			t.Errorf("%+v: δ(%v) in %+v, %v; want %v in it", e, r.Epsilon, b, err, want)
		}
		rdp, err := RDP.Delta(e, r.Epsilon)
		if err != nil || rdp < want {
			t.Errorf("%+v: δ(%v) = %v by rdp, %v; below the truth %v", e, r.Epsilon, rdp, err, want)
		}
	}
	if applied < 14 {
		t.Errorf("exact applies to %d of %d only", applied, len(rows))
	}
}

// testdata/grid.json holds δ(ε) in 25 digits over q from 1e-6 to 1, σ from 0.3 to
// 100, T from 1 to 1e6 and δ from 1e-12 to 1e-2, by removing and by adding, made by
// grid.py beside it in ball arithmetic of 60 digits.
func TestAgainstReferenceGrid(t *testing.T) {
	data, err := os.ReadFile("testdata/grid.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []gridRow
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	applied := 0
	for _, r := range rows {
		if r.check(t) {
			applied++
		}
	}
	if len(rows) < 60 || applied < len(rows)*9/10 {
		t.Errorf("exact applies to %d of %d", applied, len(rows))
	}
}

type gridRow struct {
	Phases []struct {
		Q, Sigma float64
		Steps    int
	}
	Add     bool
	Epsilon float64
	Delta   float64 `json:",string"`
}

// check compares both δ at ε and ε at δ, and reports whether exact applies.
func (r gridRow) check(t *testing.T) bool {
	t.Helper()
	var e Composed
	for _, p := range r.Phases {
		e = append(e, DPSGD{p.Q, p.Sigma, p.Steps})
	}
	ds, err := directions(Question{Event: e})
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	if r.Add {
		ds = ds[len(ds)-1:]
	} else {
		ds = ds[:1]
	}
	low, high, err := exact{ds}.deltas(r.Epsilon)
	if errors.Is(err, ErrNotApplicable) {
		low, high, err = pld{ds}.deltas(r.Epsilon)
		if err != nil || low > r.Delta || high < r.Delta {
			t.Errorf("%+v: δ in [%v, %v] by pld, %v", r, low, high, err)
		}
		return false
	}
	if err != nil || low > r.Delta*(1+1e-15) || high < r.Delta*(1-1e-15) || high-low > 1e-8*r.Delta {
		t.Errorf("%+v: δ in [%v, %v], %v; want it there and narrow", r, low, high, err)
	}
	low, high, err = exact{ds}.epsilons(r.Delta)
	if r.Epsilon > mostEpsilon {
		return errors.Is(err, ErrNotApplicable)
	}
	if err != nil || low > r.Epsilon*(1+1e-15) || high < r.Epsilon*(1-1e-15) || high-low > 1e-8*r.Epsilon {
		t.Errorf("%+v: ε in [%v, %v], %v; want it there and narrow", r, low, high, err)
	}
	return true
}

// Fuzzed: wherever exact applies, no accountant that is a bound is below it and
// pld's lower end not above; more steps, more sampling, less noise or a smaller
// δ never cost less; and composing is free of order.
func FuzzAccountantsAgree(f *testing.F) {
	r := rand.New(rand.NewPCG(29, 31))
	for range 6 {
		f.Add(math.Pow(10, -3*r.Float64()), math.Pow(10, 1.5*r.Float64()-0.2), 1+r.IntN(3000), math.Pow(10, -2-8*r.Float64()), 1+r.Float64())
	}
	f.Fuzz(func(t *testing.T, q, σ float64, steps int, δ, more float64) {
		if !(q > 1e-6 && q <= 1 && σ > 0.3 && σ < 100 && steps > 0 && steps < 1e5 && δ > 1e-12 && δ < 0.01 && more > 1.001 && more < 4) {
			t.Skip()
		}
		e := DPSGD{q, σ, steps}
		ds, err := directions(Question{Event: e})
		if err != nil {
			t.Fatal(err)
		}
		low, high, err := exact{ds}.epsilons(δ)
		if errors.Is(err, ErrNotApplicable) {
			t.Skip()
		}
		if err != nil || low > high {
			t.Fatalf("%+v δ %v: ε in [%v, %v], %v", e, δ, low, high, err)
		}
		rdp, err := RDP.Epsilon(e, δ)
		if err != nil || rdp < low {
			t.Errorf("%+v δ %v: rdp %v, %v, below the truth %v", e, δ, rdp, err, low)
		}
		under, over, err := pld{ds}.epsilons(δ)
		if err != nil || over < low || under > high {
			t.Errorf("%+v δ %v: pld [%v, %v], %v, does not hold the truth %v", e, δ, under, over, err, low)
		}
		if ε, err := Exact.Epsilon(e, δ/more); err == nil && ε < low {
			t.Errorf("%+v costs %v at δ %v, but only %v at %v", e, low, δ, ε, δ/more)
		}
		dearer := []Event{
			DPSGD{q, σ, int(float64(steps)*more) + 1}, DPSGD{min(q*more, 1), σ, steps}, DPSGD{q, σ / more, steps},
			Composed{DPSGD{q, σ * more, 3}, e},
		}
		for _, d := range dearer {
			if ε, err := Exact.Epsilon(d, δ); err == nil && ε < low {
				t.Errorf("%+v costs %v, but %+v only %v", e, low, d, ε)
			}
		}
		a, err1 := Exact.Epsilon(Composed{e, DPSGD{0.3, 5, 20}}, δ)
		b, err2 := Exact.Epsilon(Composed{DPSGD{0.3, 5, 20}, e}, δ)
		if err1 == nil && err2 == nil && math.Abs(a-b) > 1e-9*a {
			t.Errorf("%+v after or before another: %v and %v", e, a, b)
		}
	})
}

// Ten thousand trials with distinct settings, as a large sweep has them.
func BenchmarkTenThousandTrials(b *testing.B) {
	for b.Loop() {
		for i := range 10000 {
			e := DPSGD{float64(512+i%97*64) / 50000, 1 + float64(i%101)/10, 500 + i}
			if _, err := Certified.Epsilon(e, 1e-5); err != nil {
				b.Fatal(err)
			}
		}
	}
}
