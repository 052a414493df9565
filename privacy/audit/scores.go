package audit

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"sweep/privacy"
)

// A Canary is one example that only the auditor knows whether it was trained on.
type Canary struct {
	Score float64 // higher where the model looks more as if trained on it
	In    bool    // how its coin fell
}

// A Finding is the best of the attacks that were tried.
type Finding struct {
	OneRun
	Positive int     `json:"positive"` // guesses "trained on", of the highest scores
	Negative int     `json:"negative"` // guesses "not trained on", of the lowest
	Tried    int     `json:"tried"`    // attacks tried, which the confidence has paid for
	Epsilon  float64 `json:"epsilon"`  // lower bound on ε; 0 if nothing was found
}

// Search guesses "trained on" for the highest scores and "not" for the lowest,
// in many combinations of numbers, and returns the attack with the largest
// lower bound. The combinations depend on the number of canaries alone, and
// each is tested at significance / Tried (Bonferroni), so that the best holds at
// significance.
func Search(canaries []Canary, delta, significance float64) (Finding, error) {
	if len(canaries) == 0 {
		return Finding{}, fmt.Errorf("there are no canaries to audit with")
	}
	if err := checkRates(delta, significance); err != nil {
		return Finding{}, err
	}
	if err := finite(canaries); err != nil {
		return Finding{}, err
	}
	m := len(canaries)
	hitsHigh, hitsLow := hits(canaries)
	counts := guessCounts(m)
	var pairs [][2]int
	for _, high := range counts {
		for _, low := range counts {
			if high+low > 0 && high+low <= m && (high == 0 || low == 0 || high == low) {
				pairs = append(pairs, [2]int{high, low})
			}
		}
	}
	best := Finding{OneRun: OneRun{Canaries: m}, Tried: len(pairs)}
	for _, p := range pairs {
		o := OneRun{m, p[0] + p[1], hitsHigh[p[0]] + hitsLow[p[1]]}
		ε, err := o.Epsilon(delta, significance/float64(len(pairs)))
		if err != nil {
			return Finding{}, err
		}
		if ε > best.Epsilon {
			best = Finding{o, p[0], p[1], len(pairs), ε}
		}
	}
	return best, nil
}

func finite(canaries []Canary) error {
	for i, c := range canaries {
		if math.IsNaN(c.Score) {
			return fmt.Errorf("canary %d has no score (NaN); give it the lowest instead", i)
		}
	}
	return nil
}

// hits returns how many of the k highest scores were trained on, and how many of
// the k lowest were not, for every k. Ties are broken by the order given.
func hits(canaries []Canary) (high, low []int) {
	sorted := slices.Clone(canaries)
	slices.SortStableFunc(sorted, func(a, b Canary) int { return cmp.Compare(b.Score, a.Score) })
	m := len(sorted)
	high, low = make([]int, m+1), make([]int, m+1)
	for k := range m {
		high[k+1], low[k+1] = high[k], low[k]
		if sorted[k].In {
			high[k+1]++
		}
		if !sorted[m-1-k].In {
			low[k+1]++
		}
	}
	return high, low
}

// guessCounts are numbers of guesses to try: none, and from m downwards each
// about 0.7 of the one before, to 8 at least.
func guessCounts(m int) []int {
	counts := []int{0}
	for k := float64(m); k >= min(8, float64(m)); k *= 0.7 {
		counts = append(counts, int(k))
	}
	return slices.Compact(counts)
}

// Rates is what a fixed attack achieved on independent runs, or on the many
// canaries of one run taken for independent: how often it said "trained on"
// when that was so and when not.
type Rates struct {
	In, TruePositives   int // runs with the canary, and how many the attack called so
	Out, FalsePositives int // runs without it, and how many it called so all the same
}

func (r Rates) check() error {
	if r.In < 1 || r.Out < 1 || r.TruePositives < 0 || r.TruePositives > r.In || r.FalsePositives < 0 || r.FalsePositives > r.Out {
		return fmt.Errorf("%d of %d true and %d of %d false positives cannot be", r.TruePositives, r.In, r.FalsePositives, r.Out)
	}
	return nil
}

// bounds are a lower bound of the true-positive rate and an upper one of the
// false-positive rate that both hold at the significance (Clopper, Pearson 1934).
func (r Rates) bounds(significance float64) (tpr, fpr float64) {
	return clopperPearson(r.TruePositives, r.In, significance/2), 1 - clopperPearson(r.Out-r.FalsePositives, r.Out, significance/2)
}

// clopperPearson is the lower bound of a probability after k successes in n.
func clopperPearson(k, n int, significance float64) float64 {
	if k == 0 {
		return 0
	}
	lo, hi := 0.0, 1.0
	for range 60 {
		if mid := (lo + hi) / 2; atLeast(n, mid, k) < significance {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// Epsilon returns a lower bound on ε at delta: since TPR ≤ e^ε·FPR + δ and
// 1-FPR ≤ e^ε·(1-TPR) + δ,
//
//	ε ≥ max( ln((TPR - δ)/FPR), ln((1-FPR - δ)/(1-TPR)) )
//
// at the bounds of both rates. 0 if nothing is refuted.
func (r Rates) Epsilon(delta, significance float64) (float64, error) {
	if err := r.check(); err != nil {
		return 0, err
	}
	if err := checkRates(delta, significance); err != nil {
		return 0, err
	}
	tpr, fpr := r.bounds(significance)
	ε := 0.0
	if tpr > delta {
		ε = max(ε, math.Log((tpr-delta)/fpr))
	}
	if 1-fpr > delta {
		ε = max(ε, math.Log((1-fpr-delta)/(1-tpr)))
	}
	return ε, nil
}

// GaussianEpsilon is like [Rates.Epsilon], but takes the trainer's trade-off curve
// for that of a Gaussian release, as it is for full batches and nearly so for
// many small steps: with μ = Φ⁻¹(TPR) - Φ⁻¹(FPR), the ε of μ at delta. It finds more
// than Epsilon, and is a bound only as far as that assumption holds.
func (r Rates) GaussianEpsilon(delta, significance float64) (float64, error) {
	if err := r.check(); err != nil {
		return 0, err
	}
	if err := checkRates(delta, significance); err != nil {
		return 0, err
	}
	tpr, fpr := r.bounds(significance)
	μ := quantile(tpr) - quantile(fpr)
	if !(μ > 0) {
		return 0, nil
	}
	return privacy.GDP.Epsilon(privacy.Gaussian{Noise: 1 / μ, Count: 1}, delta)
}

// quantile is Φ⁻¹(p).
func quantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }
