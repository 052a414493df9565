package strategy

import (
	"cmp"
	"math"
	"slices"
)

// TPE models where good points are and where the others are, and tries what is
// likelier under the first density than under the second: the tree-structured
// Parzen estimator (Bergstra, Bardenet, Bengio, Kégl 2011, NeurIPS 24) with
// joint kernels ([parzen]). Points that still run count among the others, so
// that trials side by side spread out.
//
// Of several budgets a point is as good as it stands above the frontier that the
// others draw; see scores.
type TPE struct {
	Space   Space
	Trials  int // points in all
	Startup int // of them, drawn at random first; 0 is 10
	Seed    uint64
}

const (
	tpeStartup    = 10
	tpeCandidates = 24  // drawn from the good density for each suggestion
	tpeGood       = 25  // most points that count as good
	tpeOthers     = 400 // most kernels of the other density: a sample of them at even distances, so that a suggestion stays under 5 ms
	tpeRecent     = 25  // newest points of a group, which have full weight
)

// Most is the number of asks.
func (s TPE) Most() int { return s.Trials }

func (s TPE) Next(tried []Tried, n int) ([]Ask, bool) {
	seen := visitedOf(tried)
	startup := s.Startup
	if startup == 0 {
		startup = tpeStartup
	}
	known := tried[:len(tried):len(tried)]
	var asks []Ask
	for len(tried)+len(asks) < s.Trials && len(asks) < n {
		if len(asks) > 0 {
			known = append(known, Tried{Ask: asks[len(asks)-1]})
		}
		p, ok := s.suggest(known, seen, startup)
		if !ok {
			return asks, true
		}
		asks = append(asks, Ask{At: p})
	}
	return asks, len(tried)+len(asks) >= s.Trials
}

func (s TPE) suggest(known []Tried, seen *visited, startup int) (Point, bool) {
	r := seeded(s.Seed, len(known))
	uniform := func() (Point, bool) { return s.Space.fresh(seen, func() Point { return s.Space.uniform(r) }) }
	sc := scores(known)
	best, ended := top(sc, gamma)
	if ended < startup {
		return uniform()
	}
	good, others := split(known, best)
	l, g := newParzen(s.Space, good.points, good.weights), newParzen(s.Space, others.points, others.weights)
	type candidate struct {
		p     Point
		ratio float64
	}
	for range 10 { // of a nearly exhausted space, the likeliest points have been tried
		var all []candidate
		for range tpeCandidates {
			if p, ok := s.Space.Snap(l.draw(r)); ok && !seen.has(p) {
				all = append(all, candidate{p, l.logDensity(p) - g.logDensity(p)})
			}
		}
		if len(all) > 0 {
			most := slices.MaxFunc(all, func(a, b candidate) int { return cmp.Compare(a.ratio, b.ratio) })
			seen.add(most.p)
			return most.p, true
		}
	}
	return uniform()
}

// gamma is how many of n points are good: a tenth, at most [tpeGood].
func gamma(n int) int { return min(int(math.Ceil(0.1*float64(n))), tpeGood) }

// A group is one side of the split, in the order in which points were asked for.
type group struct {
	points  []Point
	weights []float64
}

// split divides the known points into the best and all others; what runs or has
// failed is among the others.
func split(known []Tried, best []int) (good, others group) {
	isGood := make([]bool, len(known))
	for _, i := range best {
		isGood[i] = true
	}
	others.points = make([]Point, 0, len(known))
	for i := range known {
		if isGood[i] {
			good.points = append(good.points, known[i].At)
		} else {
			others.points = append(others.points, known[i].At)
		}
	}
	good.weigh(len(good.points))
	others.weigh(tpeOthers)
	return good, others
}

// weigh gives the newest points full weight and older ones less, evenly down to
// 1/n for the oldest, as Optuna does by default, and keeps at most so many.
func (g *group) weigh(most int) {
	n := len(g.points)
	weight := func(i int) float64 {
		if ramp := n - tpeRecent; i < ramp {
			if ramp == 1 {
				return 1 / float64(n)
			}
			return 1/float64(n) + (1-1/float64(n))*float64(i)/float64(ramp-1)
		}
		return 1
	}
	if n <= most {
		for i := range n {
			g.weights = append(g.weights, weight(i))
		}
		return
	}
	points := make([]Point, most)
	for k := range points {
		i := (2*k + 1) * n / (2 * most)
		points[k] = g.points[i]
		g.weights = append(g.weights, weight(i)*float64(n)/float64(most))
	}
	g.points = points
}
