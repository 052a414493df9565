package audit

import (
	"cmp"
	"fmt"
	"math"
	"slices"
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
// the k lowest were not, for every k. Equal scores count as if the attack had
// guessed the wrong ones first: fewer right guesses than in any order that does
// not look at the coins, so that the bounds hold for all.
func hits(canaries []Canary) (high, low []int) {
	m := len(canaries)
	high, low = make([]int, m+1), make([]int, m+1)
	sorted := slices.Clone(canaries)
	slices.SortFunc(sorted, func(a, b Canary) int { return cmp.Or(cmp.Compare(b.Score, a.Score), compareCoins(a, b)) })
	for k, c := range sorted {
		high[k+1] = high[k] + btoi(c.In)
	}
	slices.SortFunc(sorted, func(a, b Canary) int { return cmp.Or(cmp.Compare(a.Score, b.Score), compareCoins(b, a)) })
	for k, c := range sorted {
		low[k+1] = low[k] + btoi(!c.In)
	}
	return high, low
}

// compareCoins puts canaries that are out first.
func compareCoins(a, b Canary) int { return btoi(a.In) - btoi(b.In) }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// guessCounts are numbers of guesses to try: none, and from m downwards each half
// of the one before, to 8 at least. More of them find better ones, and cost more
// confidence than that is worth.
func guessCounts(m int) []int {
	counts := []int{0, m}
	for k := m / 2; k >= 8; k /= 2 {
		counts = append(counts, k)
	}
	return counts
}
