package results

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// Two points at one epsilon with three seeds each: the better one is better with
// the probability that Student's t gives to their difference, with the four degrees
// of freedom of the two and the two of a third point.
func TestBestProbability(t *testing.T) {
	s := openTemp(t)
	trials := grid(3)
	add(t, s, file("sure"), trials)
	accuracies := [][]float64{{0.90, 0.91, 0.92}, {0.905, 0.915, 0.925}, {0.5, 0.51, 0.52}}
	for i, tr := range trials[:9] {
		run(t, s, file("sure").ID, tr.Params, accuracies[i/3][i%3])
	}
	f, err := s.Frontier(t.Context(), file("sure").ID)
	if err != nil || len(f.Points) != 1 || f.Points[0].BestProbability == nil {
		t.Fatalf("%+v, error %v", f, err)
	}
	want := distuv.StudentsT{Sigma: 1, Nu: 6}.CDF(0.005 / math.Sqrt(2*0.01*0.01/3))
	if got := *f.Points[0].BestProbability; math.Abs(got-want) > 0.03 { // four standard errors of 4,000 draws
		t.Errorf("probability %v, want %v", got, want)
	}
	if text := strings.Join(f.Doubts, "\n"); !strings.Contains(text, "and no win") {
		t.Errorf("doubts %s\nwant one that the lead is within the noise", text)
	}
}

// A point that is as accurate for less epsilon leaves the dearer one on the
// frontier with the probability of a coin; the cheaper one has no rival.
func TestFrontierProbability(t *testing.T) {
	s, trials := openTemp(t), grid(3)
	add(t, s, file("even"), trials)
	for _, tr := range trials {
		run(t, s, file("even").ID, tr.Params, 0.8+0.01*float64(tr.Repeat))
	}
	f := frontierOf(t, s, file("even").ID)
	if len(f.Points) != 2 {
		t.Fatalf("%+v", f.Points)
	}
	rivals := 0.0 // points of the lower target, all alike; and of the higher one
	for _, tr := range trials {
		if float64(tr.TargetEpsilon) == float64(f.Points[0].TargetEpsilon) && tr.Repeat == 0 {
			rivals++
		}
	}
	first, second := f.Points[0], f.Points[1]
	if got := *first.FrontierProbability; got != *first.BestProbability || math.Abs(got-1/rivals) > 0.03 {
		t.Errorf("the cheaper point is on the frontier with %v and the best with %v, want %v", got, *first.BestProbability, 1/rivals)
	}
	if got := *second.FrontierProbability; math.Abs(got-0.5/rivals) > 0.03 {
		t.Errorf("the dearer point is on the frontier with %v, want %v", got, 0.5/rivals)
	}
}

// The spread over seeds is √(Σ (x - mean of its point)² / Σ (repeats - 1)).
func TestSeedSpread(t *testing.T) {
	s, id, trials := openTemp(t), file("spread").ID, grid(3)
	add(t, s, file("spread"), trials)
	for i, accuracy := range []float64{0.1, 0.3, 0.2, 0.5} { // two points, of three repeats and of one
		run(t, s, id, trials[i].Params, accuracy)
	}
	std, freedom, err := s.SeedSpread(t.Context(), id)
	if err != nil || std != 0 || freedom != 0 {
		t.Errorf("%v over %d, error %v; want none: two degrees of freedom are too few", std, freedom, err)
	}
	run(t, s, id, trials[4].Params, 0.9)
	std, freedom, err = s.SeedSpread(t.Context(), id)
	if want := math.Sqrt((0.02 + 0.08) / 3); err != nil || !near(std, want, 1e-9) || freedom != 3 {
		t.Errorf("%v over %d, error %v; want %v over 3", std, freedom, err, want)
	}
}

// A point with one seed has an interval by the spread of all others: of twelve
// residuals of ±0.01 (widened by √2) their mean cannot be further than that away.
func TestIntervalOfOneSeed(t *testing.T) {
	s := openTemp(t)
	trials := grid(2)
	add(t, s, file("few"), trials)
	id := file("few").ID
	for i, tr := range trials {
		if i != 1 {
			run(t, s, id, tr.Params, 0.5+0.02*float64(tr.Repeat)+map[bool]float64{true: 0.3}[i == 0])
		}
	}
	extra := grid(2)
	for i := range extra {
		extra[i].Params.LearnRate *= 3
		extra[i].Index += len(trials)
	}
	r := file("more")
	add(t, s, r, append(trials, extra...))
	for _, tr := range extra {
		run(t, s, r.ID, tr.Params, 0.4+0.02*float64(tr.Repeat))
	}
	f := frontierOf(t, s, r.ID)
	for _, p := range f.Points {
		if p.N != 1 {
			continue
		}
		half := 0.01 * math.Sqrt2
		if p.Std != nil || p.Interval != ByBootstrap || !near(*p.Low, 0.8-half, 1e-9) || !near(*p.High, 0.8+half, 1e-9) {
			t.Errorf("interval %q from %v to %v, want a bootstrap of 0.8 ± %v", p.Interval, *p.Low, *p.High, half)
		}
		if text := strings.Join(f.Doubts, "\n"); !strings.Contains(text, "the interval of 2 points with one or two seeds, or seeds that agree exactly, is a bootstrap") {
			t.Errorf("doubts %s\nwant one that says where intervals are from", text)
		}
		return
	}
	t.Errorf("no point with one seed: %+v", f.Points)
}

// Repeats that agree to the last example have no interval of no width: it is of
// the other points' spread, and there is none where that is not known.
func TestIntervalOfEqualSeeds(t *testing.T) {
	zero := 0.0
	if low, high, by := (seedNoise{}).interval(0.36, &zero, 2); low != nil || high != nil || by != "" {
		t.Errorf("interval %q from %v to %v of two equal seeds, want none", by, low, high)
	}
	known := seedNoise{std: 0.01, freedom: 12, residuals: slices.Repeat([]float64{-0.01, 0.01}, 12)}
	for _, n := range []int{2, 5} {
		low, high, by := known.interval(0.36, &zero, n)
		if by != ByBootstrap || *high-*low < 0.005 || *low > 0.36 || *high < 0.36 {
			t.Errorf("interval %q from %v to %v of %d equal seeds, want a bootstrap around them", by, low, high, n)
		}
	}
	// Also where no point has fewer than three.
	s, trials := openTemp(t), grid(3)
	add(t, s, file("equal"), trials)
	for i, tr := range trials {
		run(t, s, file("equal").ID, tr.Params, map[bool]float64{true: 0.9, false: 0.4 + 0.02*float64(tr.Repeat)}[i < 3])
	}
	points := frontierOf(t, s, file("equal").ID).Points
	best := points[len(points)-1]
	ranked, err := s.Best(t.Context(), file("equal").ID, float64(best.TargetEpsilon), 1)
	if err != nil || best.Interval != ByBootstrap || ranked[0].Interval != ByBootstrap || *best.High-*best.Low < 0.005 || *best.Low != *ranked[0].Low {
		t.Errorf("%+v and %+v, error %v; want a bootstrap", best, ranked, err)
	}
}

// The held-out examples' own error: of 500 with an accuracy of 0.5 it is
// 1.96·√(0.25/500) = 4.4 points.
func TestSamplingErrorOfTheSplitIsSaid(t *testing.T) {
	s, id, trials := small(t)
	run(t, s, id, trials[0].Params, 0.5)
	if text := strings.Join(frontierOf(t, s, id).Doubts, "\n"); !strings.Contains(text, "of 500 held-out examples: others would move all of them by up to 4.4 points") {
		t.Errorf("doubts %s", text)
	}
}

// With one seed each nothing is said, and two targets have a mean accuracy.
func TestNoCertaintyFromOneSeed(t *testing.T) {
	s, id, trials := small(t)
	run(t, s, id, trials[0].Params, 0.9)
	run(t, s, id, trials[3].Params, 0.6)
	f, err := s.Frontier(t.Context(), id)
	if err != nil || len(f.Points) != 2 || f.Points[0].BestProbability != nil {
		t.Errorf("%+v, error %v", f, err)
	}
	if math.Abs(f.MeanAccuracy-0.6) > 1e-12 { // from ε 2 to 8 the step function is that of ε 2
		t.Errorf("mean accuracy %v, want 0.6", f.MeanAccuracy)
	}
}
