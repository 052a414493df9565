package strategy

import (
	"cmp"
	"math"
	"slices"
)

// GP models accuracy by a Gaussian process and tries the point of the largest
// expected improvement over the best (Jones, Schonlau, Welch 1998; Snoek,
// Larochelle, Adams 2012), or of the area under the epsilon/accuracy frontier.
//
// The model is made of 200 trials at most, the best and the newest: its time
// grows with their third power, and a suggestion with more would take too long.
type GP struct {
	Space    Space
	Trials   int
	Startup  int // first points, of a Sobol' sequence; 0 is two for each dimension, and five
	Seed     uint64
	Frontier bool                // maximise the area under the frontier
	Budget   func(Point) float64 // of a point, for the frontier; > 0
}

const (
	gpMost       = 200  // observations of a model
	gpAll        = 2000 // most points of a space that are all looked at
	gpRandom     = 800  // candidates elsewhere, beside those around the best
	gpNeighbours = 400
)

// Most is the number of asks.
func (s GP) Most() int { return s.Trials }

func (s GP) Next(tried []Tried, n int) ([]Ask, bool) {
	seen := visitedOf(tried)
	known := tried[:len(tried):len(tried)]
	for len(known) < s.Trials && len(known)-len(tried) < n {
		p, ok := s.suggest(known, seen)
		if !ok {
			return asked(known[len(tried):]), true
		}
		known = append(known, Tried{Ask: Ask{At: p}})
		seen.add(p)
	}
	return asked(known[len(tried):]), len(known) >= s.Trials
}

func asked(tried []Tried) []Ask {
	asks := make([]Ask, len(tried))
	for i, t := range tried {
		asks[i] = t.Ask
	}
	return asks
}

func (s GP) suggest(known []Tried, seen *visited) (Point, bool) {
	startup := s.Startup
	if startup == 0 {
		startup = max(5, 2*len(s.Space.Dims))
	}
	ended := 0
	for _, t := range known {
		if _, ok := t.Value(); ok {
			ended++
		}
	}
	if len(known) < startup || ended < 2 {
		if asks, _ := (Sobol{s.Space, len(known) + 1, s.Seed}).Next(known, 1); len(s.Space.Dims) <= MaxSobol && len(asks) > 0 {
			return asks[0].At, true
		}
		r := seeded(s.Seed, len(known))
		return s.Space.fresh(visitedOf(known), func() Point { return s.Space.uniform(r) })
	}
	model, gain := s.model(known)
	var bestPoint Point
	bestGain := math.Inf(-1)
	for _, p := range s.candidates(known, model, seen) {
		if g := gain(p); g > bestGain {
			bestPoint, bestGain = p, g
		}
	}
	return bestPoint, bestPoint != nil
}

// model fits a process to what has ended, and returns it with the acquisition.
func (s GP) model(known []Tried) (*process, func(Point) float64) {
	chosen, pending := s.observations(known)
	x, y := make([]Point, len(chosen)), make([]float64, len(chosen))
	for i, t := range chosen {
		x[i] = t.At
		y[i], _ = t.Value()
	}
	m := fit(s.Space.Dims, x, y)
	m.believe(pending)
	// The best is what the model expects there: a lucky seed is no record.
	best := math.Inf(-1)
	var steps []step
	for i := range chosen {
		μ, _ := m.predict(x[i])
		best = max(best, μ)
		if s.Frontier {
			steps = append(steps, step{math.Log(s.Budget(x[i])), μ})
		}
	}
	if !s.Frontier {
		return m, func(p Point) float64 {
			μ, σ := m.predict(p)
			return expectedImprovement(μ, σ, best)
		}
	}
	low := slices.MinFunc(steps, func(a, b step) int { return cmp.Compare(a.x, b.x) }).x
	high := slices.MaxFunc(steps, func(a, b step) int { return cmp.Compare(a.x, b.x) }).x
	floor := slices.MinFunc(steps, func(a, b step) int { return cmp.Compare(a.y, b.y) }).y
	margin := (high - low) / 10
	if margin == 0 {
		margin = 1
	}
	f := frontOf(steps, floor, high+margin)
	return m, func(p Point) float64 {
		μ, σ := m.predict(p)
		return f.expectedImprovement(math.Log(s.Budget(p)), μ, σ)
	}
}

// observations are the trials that make the model, gpMost at most: one half the
// best and the rest the newest. Pending are the points that still run; one that
// failed is believed to be as bad as the worst.
func (s GP) observations(known []Tried) (chosen []Tried, pending []Point) {
	worst := math.Inf(1)
	for _, t := range known {
		if v, ok := t.Value(); ok {
			worst = min(worst, v)
		}
	}
	for _, t := range known {
		switch _, ok := t.Value(); {
		case ok:
			chosen = append(chosen, t)
		case t.Done:
			t.Values = []float64{worst}
			chosen = append(chosen, t)
		default:
			pending = append(pending, t.At)
		}
	}
	if len(chosen) > gpMost {
		order := ranked(scores(chosen))
		keep := make([]bool, len(chosen))
		for _, i := range order[:gpMost/2] {
			keep[i] = true
		}
		for i, kept := len(chosen)-1, gpMost/2; kept < gpMost; i-- {
			if !keep[i] {
				keep[i] = true
				kept++
			}
		}
		var some []Tried
		for i, t := range chosen {
			if keep[i] {
				some = append(some, t)
			}
		}
		chosen = some
	}
	return chosen, pending[max(0, len(pending)-gpMost):]
}

// candidates are points that were not tried: all of a small space, or random
// ones and neighbours of the best.
func (s GP) candidates(known []Tried, m *process, seen *visited) []Point {
	if s.Space.size() <= gpAll {
		return slices.DeleteFunc(s.Space.all(), seen.has)
	}
	r := seeded(s.Seed, len(known))
	var drawn visited
	var points []Point
	add := func(p Point) {
		if p, ok := s.Space.Snap(p); ok && !seen.has(p) && drawn.add(p) {
			points = append(points, p)
		}
	}
	for range gpRandom {
		add(s.Space.uniform(r))
	}
	order := ranked(scores(known))
	for i := range gpNeighbours {
		centre := known[order[i%min(len(order), 5)]].At
		width := math.Pow(2, -float64(i%5)) / 2
		p := slices.Clone(centre)
		for d := range p {
			if r.IntN(2) == 0 {
				p[d] = min(max(p[d]+width*r.NormFloat64(), 0), 1)
			}
		}
		add(p)
	}
	if len(points) == 0 { // nearly all was tried
		if p, ok := s.Space.fresh(visitedOf(known), func() Point { return s.Space.uniform(r) }); ok {
			points = append(points, p)
		}
	}
	return points
}
