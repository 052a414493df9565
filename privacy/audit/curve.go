package audit

import (
	"cmp"
	"math"
	"slices"
)

// A Point is one threshold of an attack: it calls a share of those that were
// trained on, and a share of those that were not, trained on.
type Point struct {
	FalsePositiveRate float64 `json:"fpr"`
	TruePositiveRate  float64 `json:"tpr"`
}

// Curve is the attack's receiver operating characteristic, from (0, 0) to (1, 1) by
// falling threshold, one point for each score that occurs. It describes these
// canaries; it bounds nothing. Without canaries of both kinds there is none.
func Curve(canaries []Canary) []Point {
	sorted := slices.Clone(canaries)
	slices.SortFunc(sorted, func(a, b Canary) int { return cmp.Compare(b.Score, a.Score) })
	var in, out int
	for _, c := range sorted {
		in += btoi(c.In)
		out += btoi(!c.In)
	}
	if in == 0 || out == 0 {
		return nil
	}
	points := []Point{{0, 0}}
	var hit, missed int
	for i, c := range sorted {
		hit += btoi(c.In)
		missed += btoi(!c.In)
		if i == len(sorted)-1 || sorted[i+1].Score != c.Score {
			points = append(points, Point{float64(missed) / float64(out), float64(hit) / float64(in)})
		}
	}
	return points
}

// Area is the area under a curve: the chance that a canary that was trained on
// scores above one that was not, ties counting half. 0.5 is guessing; NaN if there
// is no curve.
func Area(curve []Point) float64 {
	if len(curve) == 0 {
		return math.NaN()
	}
	area := 0.0
	for i := range curve[1:] {
		a, b := curve[i], curve[i+1]
		area += (b.FalsePositiveRate - a.FalsePositiveRate) * (a.TruePositiveRate + b.TruePositiveRate) / 2
	}
	return area
}

// RateAt is the true-positive rate that a curve reaches at a false-positive rate of
// at most fpr.
func RateAt(curve []Point, fpr float64) float64 {
	best := 0.0
	for _, p := range curve {
		if p.FalsePositiveRate <= fpr {
			best = p.TruePositiveRate
		}
	}
	return best
}

// Thresholds are the scores at which f's attack guesses: "trained on" from atLeast
// upwards, "not" from atMost downwards. Where it never guesses so they are
// infinite.
func (f Finding) Thresholds(canaries []Canary) (atLeast, atMost float64) {
	scores := make([]float64, len(canaries))
	for i, c := range canaries {
		scores[i] = c.Score
	}
	slices.Sort(scores)
	atLeast, atMost = math.Inf(1), math.Inf(-1)
	if f.Positive > 0 {
		atLeast = scores[len(scores)-f.Positive]
	}
	if f.Negative > 0 {
		atMost = scores[f.Negative-1]
	}
	return atLeast, atMost
}

// Repeated chooses on the first of several runs the threshold that proves most
// there, and returns what it achieves on the others: the rates of an attack that
// was fixed before it was tried. There must be two runs at least.
func Repeated(runs [][]Canary, delta, significance float64) (threshold float64, r Rates, err error) {
	best := -1.0
	for _, k := range guessCounts(len(runs[0]))[1:] {
		at, _ := Finding{Positive: k}.Thresholds(runs[0])
		ε, err := RatesAt(runs[0], at).Epsilon(delta, significance)
		if err != nil {
			return 0, Rates{}, err
		}
		if ε > best {
			best, threshold = ε, at
		}
	}
	return threshold, RatesAt(slices.Concat(runs[1:]...), threshold), nil
}
