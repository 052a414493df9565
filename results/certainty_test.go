package results

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// Two points at one epsilon with three seeds each: the probability that the
// better one is better is that of a difference of two means with a common spread
// known from four degrees of freedom, Student's t but for how the two means draw
// theirs apart, and lies between that of 4 degrees and the normal one's.
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
	got, z := *f.Points[0].BestProbability, 0.005/math.Sqrt(2*0.01*0.01/3)
	low, high := distuv.StudentsT{Sigma: 1, Nu: 4}.CDF(z), distuv.UnitNormal.CDF(z)
	if got < low-0.03 || got > high+0.03 {
		t.Errorf("probability %v, want about %v to %v", got, low, high)
	}
	if text := strings.Join(f.Doubts, "\n"); !strings.Contains(text, "and no win") {
		t.Errorf("doubts %s\nwant one that the lead is within the noise", text)
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
