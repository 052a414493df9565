package strategy

import (
	"cmp"
	"math"
	"slices"
)

// LinearScaling finds the best product r = η·T of learning rate and steps at two
// small budgets, fits a line to it over epsilon, and runs each target with the r
// that the line has there (Panda, Tang, Mahloujifar, Sehwag, Mittal 2024, A new
// linear scaling rule for private adaptive hyper-parameter optimization, ICML,
// arXiv:2212.04486). Every run is charged.
//
// The r of a target is made of the most steps that the space lists, and all else
// is as at the best point of the larger budget.
type LinearScaling struct {
	Space     Space // of listed values
	Low, High float64
	Budget    func(Point) float64 // the target of a point
	LearnRate func(Point) float64
	Steps     func(Point) float64
	Memory    *Memory
}

// Most is the number of asks.
func (s LinearScaling) Most() int {
	d := s.divide()
	return 2*len(d.points) + len(d.targets)
}

// A division is a space at one target, a point for each target, and the most
// steps that it lists.
type division struct {
	points, targets []Point
	steps           float64
}

func (s LinearScaling) divide() *division {
	if s.Memory != nil && s.Memory.divided != nil {
		return s.Memory.divided
	}
	d := &division{}
	seen := map[float64]bool{}
	first := math.NaN()
	for _, p := range s.Space.all() {
		ε := s.Budget(p)
		if math.IsNaN(first) {
			first = ε
		}
		if ε == first {
			d.points = append(d.points, p)
			d.steps = max(d.steps, s.Steps(p))
		}
		if !seen[ε] {
			seen[ε] = true
			d.targets = append(d.targets, p)
		}
	}
	if s.Memory != nil {
		s.Memory.divided = d
	}
	return d
}

func (s LinearScaling) Next(tried []Tried, n int) ([]Ask, bool) {
	d := s.divide()
	var asks []Ask
	at := map[float64][]Tried{}
	var finished visited
	for _, t := range tried {
		if _, extrapolated := t.Set["learning_rate"]; extrapolated {
			finished.add(t.At)
		} else {
			at[t.Set["epsilon"]] = append(at[t.Set["epsilon"]], t)
		}
	}
	for _, ε := range []float64{s.Low, s.High} {
		seen := visitedOf(at[ε])
		for _, p := range d.points {
			if !seen.has(p) && len(asks) < n {
				asks = append(asks, Ask{At: p, Set: map[string]float64{"epsilon": ε}})
			}
		}
	}
	if len(asks) > 0 || running(tried) {
		return asks, false
	}
	low, high := winner(at[s.Low]), winner(at[s.High])
	if low == nil || high == nil {
		return nil, true // everything failed
	}
	for _, p := range d.targets {
		a := s.extrapolate(p, low, high, d.steps)
		if !finished.has(a.At) && len(asks) < n {
			asks = append(asks, a)
		}
	}
	return asks, len(asks) == 0
}

// winner is the best point of what has ended, nil if there is none.
func winner(tried []Tried) Point {
	tried = slices.DeleteFunc(slices.Clone(tried), func(t Tried) bool { _, ok := t.Value(); return !ok })
	if len(tried) == 0 {
		return nil
	}
	return slices.MaxFunc(tried, func(a, b Tried) int {
		x, _ := a.Value()
		y, _ := b.Value()
		return cmp.Compare(x, y)
	}).At
}

// extrapolate is the ask for the target of p.
func (s LinearScaling) extrapolate(p, low, high Point, most float64) Ask {
	r0, r1 := s.LearnRate(low)*s.Steps(low), s.LearnRate(high)*s.Steps(high)
	ε := s.Budget(p)
	slope := (r1 - r0) / (s.High - s.Low)
	r := max(r0+slope*(ε-s.Low), min(r0, r1)) // a falling line stops at what was seen
	η := r / most
	// Four digits are enough, and what a record can repeat.
	digits := math.Pow(10, 3-math.Floor(math.Log10(η)))
	return Ask{At: p, Set: map[string]float64{"learning_rate": math.Round(η*digits) / digits, "steps": most}}
}
