package audit

import (
	"math"
	"math/rand/v2"
	"testing"

	"sweep/privacy"
)

// When all r guesses are right the p-value is q^r, so ε = ln(q/(1-q)) at
// q = significance^(1/r).
func TestEpsilonWhenAllAreRight(t *testing.T) {
	for _, r := range []int{5, 100, 2000} {
		q := math.Pow(0.05, 1/float64(r))
		want := math.Log(q / (1 - q))
		got, err := OneRun{r, r, r}.Epsilon(0, 0.05)
		if err != nil || math.Abs(got-want) > 1e-5*(1+want) || got > want+1e-9 {
			t.Errorf("%d right guesses: ε = %v, %v; want %v", r, got, err, want)
		}
	}
}

// The p-value, by summing binomial probabilities one by one.
func TestPValueAgainstSums(t *testing.T) {
	pmf := func(r int, q float64, k int) float64 {
		a, _ := math.Lgamma(float64(r + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(r - k + 1))
		return math.Exp(a - b - c + float64(k)*math.Log(q) + float64(r-k)*math.Log1p(-q))
	}
	o := OneRun{200, 60, 48}
	for _, ε := range []float64{0.1, 0.7, 1.2} {
		const δ = 1e-4
		q := math.Exp(ε) / (1 + math.Exp(ε))
		var β, α, below float64
		for k := o.Correct; k <= o.Guesses; k++ {
			β += pmf(o.Guesses, q, k)
		}
		for i := 1; i <= o.Correct; i++ {
			below += pmf(o.Guesses, q, o.Correct-i)
			α = max(α, below/float64(i))
		}
		want := β + 2*float64(o.Canaries)*δ*α
		if got := o.PValue(ε, δ); math.Abs(got/want-1) > 1e-9 {
			t.Errorf("ε %v: p = %v, the sum gives %v", ε, got, want)
		}
	}
}

// Where v right guesses are so unlikely that their chance is no number any more, δ
// still explains them: the mass below v, by the incomplete beta function.
func TestPValueFarOut(t *testing.T) {
	const m, δ = 3000, 0.01
	var α float64
	for i := 1; i <= m; i++ {
		α = max(α, (atLeast(m, 0.5, m-i)-atLeast(m, 0.5, m))/float64(i))
	}
	want := 2 * m * δ * α
	if got := (OneRun{m, m, m}).PValue(0, δ); math.Abs(got/want-1) > 1e-6 {
		t.Errorf("p = %v; want %v", got, want)
	}
}

// An attack on randomized response of ε guesses right with the probability
// e^ε/(1+e^ε), the most there can be. The bound may exceed ε in 5 % of runs; in
// 400 runs more than 40 exceed it with a chance below 1e-5, and the seed is fixed.
func TestOneRunIsSoundAndSharp(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	const ε, m, runs = 1.5, 500, 400
	q := 1 / (1 + math.Exp(-ε))
	exceeded, sum := 0, 0.0
	for range runs {
		v := 0
		for range m {
			if rng.Float64() < q {
				v++
			}
		}
		got, err := OneRun{m, m, v}.Epsilon(0, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		sum += got
		if got > ε {
			exceeded++
		}
	}
	if exceeded > 40 || exceeded == 0 || sum/runs < 1.2 {
		t.Errorf("%d of %d bounds exceed ε, mean bound %v; want about 5 %% and above 1.2", exceeded, runs, sum/runs)
	}
}

// Scores that tell nothing refute nothing, in all but 5 % of audits: more than 12
// of 100 have a chance below 0.2 %, and the seed is fixed.
func TestSearchPaysForItsChoice(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	found := 0
	for range 100 {
		f, err := Search(sample(rng, 300, 0), 0, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		if f.Epsilon > 0 {
			found++
		}
	}
	if found > 12 {
		t.Errorf("%d of 100 audits of noise find something", found)
	}
}

// Scores that tell much are found out, with abstention better than without.
func TestSearchAbstains(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 17))
	f, err := Search(sample(rng, 1000, 2), 1e-5, 0.05)
	if err != nil || f.Epsilon < 1 || f.Guesses == f.Canaries {
		t.Errorf("found %+v, %v; want ε above 1 by guessing some", f, err)
	}
	all, err := Search([]Canary{{1, true}, {0, false}}, 0, 0.05)
	if err != nil || all.Epsilon != 0 {
		t.Errorf("two canaries prove %+v, %v", all, err)
	}
}

// sample draws canaries whose scores differ by shift standard deviations.
func sample(rng *rand.Rand, m int, shift float64) []Canary {
	out := make([]Canary, m)
	for i := range out {
		out[i] = Canary{rng.NormFloat64(), rng.IntN(2) == 0}
		if out[i].In {
			out[i].Score += shift
		}
	}
	return out
}

// 0 false and all true positives of n: both rates' bounds are (α/2)^(1/n) away.
func TestRatesAgainstClosedForm(t *testing.T) {
	const n = 500
	edge := 1 - math.Pow(0.025, 1./n)
	want := math.Log((1 - edge) / edge)
	got, err := Rates{In: n, TruePositives: n, Out: n, FalsePositives: 0}.Epsilon(0, 0.05)
	if err != nil || math.Abs(got-want) > 1e-9 {
		t.Errorf("ε = %v, %v; want %v", got, err, want)
	}
	if ε, err := (Rates{100, 50, 100, 50}).Epsilon(1e-5, 0.05); ε != 0 || err != nil {
		t.Errorf("an attack that knows nothing proves ε = %v, %v", ε, err)
	}
}

// For a Gaussian release the Gaussian audit comes closer to the truth, from
// below: too high with a chance of 5 %, and the seed is fixed.
func TestGaussianAudit(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 23))
	const n, μ = 20000, 2.0
	var r Rates
	r.In, r.Out = n, n
	for range n {
		if rng.NormFloat64()+μ > 1 {
			r.TruePositives++
		}
		if rng.NormFloat64() > 1 {
			r.FalsePositives++
		}
	}
	plain, err1 := r.Epsilon(1e-5, 0.05)
	gauss, err2 := r.GaussianEpsilon(1e-5, 0.05)
	truth, err3 := privacy.Exact.Epsilon(privacy.Gaussian{Noise: 1 / μ, Count: 1}, 1e-5)
	if err1 != nil || err2 != nil || err3 != nil || plain <= 0 || gauss <= plain || gauss > truth {
		t.Errorf("plain %v (%v), Gaussian %v (%v), truth %v", plain, err1, gauss, err2, truth)
	}
}

func TestRefuses(t *testing.T) {
	for _, o := range []OneRun{{0, 0, 0}, {10, 11, 3}, {10, 5, 6}, {10, 5, -1}} {
		if _, err := o.Epsilon(0, 0.05); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if _, err := (OneRun{10, 5, 5}).Epsilon(1e-5, 0); err == nil {
		t.Error("significance 0 is accepted")
	}
	if _, err := Search([]Canary{{math.NaN(), true}}, 0, 0.05); err == nil {
		t.Error("a score of NaN is accepted")
	}
	if _, err := Search(nil, 0, 0.05); err == nil {
		t.Error("no canaries are accepted")
	}
	if _, err := (Rates{10, 11, 10, 0}).Epsilon(0, 0.05); err == nil {
		t.Error("more true positives than runs are accepted")
	}
}
