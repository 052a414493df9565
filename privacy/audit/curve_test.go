package audit

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The area is the chance of the right order, counted pair by pair.
func TestAreaCountsPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(43, 47))
	canaries := sample(rng, 200, 1)
	for i := range canaries {
		canaries[i].Score = math.Round(2 * canaries[i].Score) // many ties
	}
	var pairs, right float64
	for _, a := range canaries {
		for _, b := range canaries {
			if a.In && !b.In {
				pairs++
				switch {
				case a.Score > b.Score:
					right++
				case a.Score == b.Score:
					right += 0.5
				}
			}
		}
	}
	curve := Curve(canaries)
	if got := Area(curve); math.Abs(got-right/pairs) > 1e-12 {
		t.Errorf("area %v; %v of the pairs are in order", got, right/pairs)
	}
	for _, fpr := range []float64{0, 0.1, 1} {
		best := 0.0
		for _, c := range canaries {
			r := RatesAt(canaries, c.Score)
			if float64(r.FalsePositives) <= fpr*float64(r.Out) {
				best = max(best, float64(r.TruePositives)/float64(r.In))
			}
		}
		if got := RateAt(curve, fpr); math.Abs(got-best) > 1e-12 {
			t.Errorf("true-positive rate at %v: %v; want %v", fpr, got, best)
		}
	}
	if c := Curve([]Canary{{1, true}}); c != nil || !math.IsNaN(Area(c)) {
		t.Errorf("one canary has the curve %v", c)
	}
}

// The thresholds split off as many canaries as were guessed.
func TestThresholds(t *testing.T) {
	canaries := []Canary{{3, true}, {1, false}, {2, true}, {0, false}}
	high, low := Finding{Positive: 2, Negative: 1}.Thresholds(canaries)
	if high != 2 || low != 0 {
		t.Errorf("thresholds %v and %v; want 2 and 0", high, low)
	}
	if high, low = (Finding{}).Thresholds(canaries); !math.IsInf(high, 1) || !math.IsInf(low, -1) {
		t.Errorf("thresholds %v and %v of no guess", high, low)
	}
}

// A score that is the same for all tells nothing, in whatever order the canaries
// come.
func TestTiesTellNothing(t *testing.T) {
	var canaries []Canary
	for i := range 1000 {
		canaries = append(canaries, Canary{Score: 1, In: i < 500})
	}
	f, err := Search(canaries, 0, 0.05)
	if err != nil || f.Epsilon != 0 {
		t.Errorf("ε ≥ %v, %v, from scores that are all the same", f.Epsilon, err)
	}
}
