package privacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// testdata/selection.json holds what Google's dp_accounting 0.6.0 says of private
// selections, by selection.py beside it. Our orders are denser, so ours may be
// below by a little; never above.
func TestSelectionAgreesWithAnotherImplementation(t *testing.T) {
	data, err := os.ReadFile("testdata/selection.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Count                 RunCount
		Mean, Shape, Q, Sigma float64
		Steps                 int
		Delta, Epsilon        float64
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 10 {
		t.Fatalf("%d cases, want at least 10", len(rows))
	}
	for _, r := range rows {
		run := DPSGD{r.Q, r.Sigma, r.Steps}
		e := Select{run, r.Count, r.Mean, r.Shape}
		rdp, err := RDP.Epsilon(e, r.Delta)
		if err != nil || rdp > r.Epsilon*(1+1e-9) || rdp < 0.98*r.Epsilon {
			t.Errorf("%+v: rdp says %v, %v; dp_accounting %v", e, rdp, err, r.Epsilon)
		}
		if r.Steps != 875 {
			continue // certified takes a second or two where exact does not apply
		}
		certified, err := Certified.Epsilon(e, r.Delta)
		alone, err2 := Certified.Epsilon(run, r.Delta)
		if err != nil || err2 != nil || certified > rdp || certified < alone {
			t.Errorf("%+v: certified says %v, %v; want between the run's %v and rdp's %v", e, certified, err, alone, rdp)
		}
	}
}

// Draws follow their distribution: χ² over cells of at least 20 expected draws, at
// a level of 1e-6 each; the seed is fixed.
func TestDrawFollowsItsDistribution(t *testing.T) {
	source := rand.NewChaCha8([32]byte{1})
	run := DPSGD{0.01, 1, 10}
	const n = 20000
	for _, e := range []Select{
		{run, Logarithmic, 10, 0}, {run, Geometric, 20, 0}, {run, NegativeBinomial, 7, -0.5}, {run, NegativeBinomial, 30, 3},
		{run, Poisson, 4, 0}, {run, Poisson, 60, 0}, {run, Geometric, 1, 0},
	} {
		seen := map[int]int{}
		var sum float64
		for range n {
			k, err := e.Draw(source)
			if err != nil {
				t.Fatal(err)
			}
			seen[k]++
			sum += float64(k)
		}
		var χ2, left float64
		cells, drawn := 0, 0
		left = n
		for k := e.least(); left > 20; k++ {
			want := n * massOf(e, k)
			if want < 20 {
				if k > int(e.Mean) {
					break
				}
				continue
			}
			χ2 += (float64(seen[k]) - want) * (float64(seen[k]) - want) / want
			left -= want
			drawn += seen[k]
			cells++
		}
		if cells > 1 {
			if p := 1 - (distuv.ChiSquared{K: float64(cells)}).CDF(χ2); p < 1e-6 {
				t.Errorf("%s %v: χ² = %.1f over %d cells, p = %.2g", e.Count, e.Mean, χ2, cells, p)
			}
		}
		if math.Abs(sum/n/e.Mean-1) > 0.06 {
			t.Errorf("%s: mean of the draws %v, want %v", e.Count, sum/n, e.Mean)
		}
	}
}

// massOf is Pr[K=k] by gamma functions, another road than Draw's recurrence.
func massOf(e Select, k int) float64 {
	x := float64(k)
	if e.Count == Poisson {
		return distuv.Poisson{Lambda: e.Mean}.Prob(x)
	}
	γ, η := e.stopping(), e.shape()
	if e.Mean == 1 {
		return map[bool]float64{true: 1}[k == 1]
	}
	if η == 0 {
		return math.Pow(1-γ, x) / (x * -math.Log(γ))
	}
	a, sign := math.Lgamma(x + η)
	b, signη := math.Lgamma(η)
	c, _ := math.Lgamma(x + 1)
	return float64(sign*signη) * math.Exp(a-b-c+x*math.Log(1-γ)) / (math.Pow(γ, -η) - 1)
}

func TestDrawRefuses(t *testing.T) {
	run := DPSGD{0.01, 1, 10}
	if _, err := (Select{run, Geometric, 20, 0}).Draw(bytes.NewReader(nil)); err == nil {
		t.Error("a number was drawn without randomness")
	}
	if _, err := (Select{run, Poisson, 1e4, 0}).Draw(rand.NewChaCha8([32]byte{})); err == nil {
		t.Error("a Poisson number of mean 1e4 was drawn")
	}
}

// One of several costs what the dearest does; and a selection among runs that
// differ lies between that of the cheapest and that of the dearest.
func TestOneOf(t *testing.T) {
	cheap, dear := DPSGD{0.02, 2, 500}, DPSGD{0.04, 1.5, 400}
	e := OneOf{cheap, dear}
	for _, a := range []Accountant{Certified, RDP} {
		low, err1 := a.Epsilon(cheap, 1e-5)
		want, err2 := a.Epsilon(dear, 1e-5)
		got, err3 := a.Epsilon(e, 1e-5)
		if errors.Join(err1, err2, err3) != nil || math.Abs(got-want) > 1e-9 || got < low {
			t.Errorf("%s: %v, want the dearer %v, above %v (%v)", a, got, want, low, errors.Join(err1, err2, err3))
		}
		few, err1 := a.Epsilon(Select{cheap, Geometric, 10, 0}, 1e-5)
		many, err2 := a.Epsilon(Select{dear, Geometric, 10, 0}, 1e-5)
		mixed, err3 := a.Epsilon(Select{e, Geometric, 10, 0}, 1e-5)
		if errors.Join(err1, err2, err3) != nil || mixed < few || mixed < many*(1-1e-9) || mixed > many*1.02 {
			t.Errorf("%s: selection costs %v, want from %v to little more than %v (%v)", a, mixed, few, many, errors.Join(err1, err2, err3))
		}
	}
	text, err := MarshalEvent(Select{e, Geometric, 10, 0})
	if err != nil {
		t.Fatal(err)
	}
	back, err := UnmarshalEvent(text)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := MarshalEvent(back); err != nil || string(again) != string(text) {
		t.Errorf("%s came back as %s, %v", text, again, err)
	}
	if ε, err := Certified.Epsilon(OneOf{cheap, DPSGD{0.1, 0, 1}}, 1e-5); err != nil || !math.IsInf(ε, 1) {
		t.Errorf("a choice that may be bare costs %v, %v; want infinity", ε, err)
	}
	for _, bad := range []Event{OneOf{}, OneOf{nil}, OneOf{DPSGD{2, 1, 1}}} {
		if bad.Check() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

// A Tally is above the certified ε and near it, forgets what is taken back, and
// is infinite exactly while a step without noise is in it.
func TestTally(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var tally Tally
	if got := tally.Epsilon(1e-5); got != 0 {
		t.Errorf("nothing costs %v", got)
	}
	var all Composed
	for range 12 {
		e := DPSGD{0.005 + 0.05*r.Float64(), 1 + 4*r.Float64(), 1 + r.IntN(500)}
		all = append(all, e)
		if err := tally.Add(e, 1); err != nil {
			t.Fatal(err)
		}
		truth, err := Certified.Epsilon(all, 1e-5)
		if got := tally.Epsilon(1e-5); err != nil || got < truth || got > 1.6*truth {
			t.Errorf("after %d: %v, certified says %v, %v", len(all), got, truth, err)
		}
	}
	before := tally.Epsilon(1e-5)
	for _, e := range []Event{DPSGD{0.3, 0, 2}, DPSGD{0.1, 1, 50}, Select{DPSGD{0.01, 1, 100}, Geometric, 10, 0}} {
		if err := errors.Join(tally.Add(e, 3), tally.Add(e, -3)); err != nil {
			t.Fatal(err)
		}
		if got := tally.Epsilon(1e-5); math.Abs(got/before-1) > 1e-8 {
			t.Errorf("%+v left %v behind, was %v", e, got, before)
		}
	}
	if err := tally.Add(DPSGD{0.3, 0, 2}, 1); err != nil || !math.IsInf(tally.Epsilon(1e-5), 1) || !math.IsInf(tally.Epsilon(0), 1) {
		t.Errorf("with bare steps %v, %v; want infinity", tally.Epsilon(1e-5), err)
	}
	if err := tally.Add(FixedSize{100, 10, 1, 1}, 1); !errors.Is(err, ErrNotApplicable) {
		t.Errorf("batches of fixed size: %v, want ErrNotApplicable", err)
	}
}

func BenchmarkTally(b *testing.B) {
	var tally Tally
	for b.Loop() {
		if err := tally.Add(DPSGD{0.01, 1.5, 100}, 1); err != nil || tally.Epsilon(1e-5) <= 0 {
			b.Fatal(err)
		}
	}
}

// Quantiles against closed forms: Pr[K ≤ k] = 1-(1-γ)^k of a geometric number, and
// sums of the Poisson probabilities.
func TestQuantile(t *testing.T) {
	run := DPSGD{0.1, 3, 10}
	for _, p := range []float64{0, 0.3, 0.5, 0.95, 0.999} {
		geometric, err := Select{run, Geometric, 8, 0}.Quantile(p)
		want := max(1, int(math.Ceil(math.Log1p(-p)/math.Log1p(-1./8)-1e-9)))
		if err != nil || geometric != want {
			t.Errorf("geometric, %v: %d, %v; want %d", p, geometric, err, want)
		}
		poisson, err := Select{run, Poisson, 8, 0}.Quantile(p)
		k, term, sum := 0, math.Exp(-8), math.Exp(-8)
		for sum < p {
			k++
			term *= 8 / float64(k)
			sum += term
		}
		if err != nil || poisson != k {
			t.Errorf("poisson, %v: %d, %v; want %d", p, poisson, err, k)
		}
	}
	for _, p := range []float64{-0.1, 1, math.NaN()} {
		if k, err := (Select{run, Geometric, 8, 0}).Quantile(p); err == nil {
			t.Errorf("quantile at %v is %d", p, k)
		}
	}
}
