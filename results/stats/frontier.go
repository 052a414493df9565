package stats

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// An Estimate is a point's accuracy as far as it was measured.
type Estimate struct {
	Epsilon  float64 // > 0; +Inf is not private
	Mean     float64 // of its repeats
	StdError float64 // of Mean; 0 takes it as exact
}

// A Chance is how likely a point's true mean is what its estimate makes it seem.
type Chance struct {
	Best     float64 // that it is the highest among the points of its epsilon
	Frontier float64 // that no point of at most its epsilon has a higher one
}

// Chances draws every mean about its estimate, as often as draws says, and counts.
// All standard errors come from one spread, known from so many degrees of freedom,
// so that each draw is of Student's t with one common scale: what the data say of
// means with a common unknown variance under the usual flat prior (Gelman et al.,
// Bayesian Data Analysis, 3rd ed., section 3.2). freedom of 0 takes the spread as
// known. A probability's standard error is at most 0.5/√draws. Points without a
// standard error beside points that have one count as exact, so give them a pooled
// one.
func Chances(points []Estimate, freedom, draws int, seed uint64) []Chance {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points[a].Epsilon, points[b].Epsilon) })
	random := rand.New(rand.NewPCG(seed, 1))
	chances, drawn := make([]Chance, len(points)), make([]float64, len(points))
	for range draws {
		scale := 1.0
		if freedom > 0 {
			scale = math.Sqrt(float64(freedom) / chiSquared(float64(freedom), random))
		}
		for i, p := range points {
			drawn[i] = p.Mean
			if p.StdError > 0 {
				drawn[i] += scale * p.StdError * random.NormFloat64()
			}
		}
		top := math.Inf(-1)
		for begin := 0; begin < len(order); {
			end, best := begin, order[begin]
			for ; end < len(order) && points[order[end]].Epsilon == points[order[begin]].Epsilon; end++ {
				if drawn[order[end]] > drawn[best] {
					best = order[end]
				}
			}
			chances[best].Best += 1 / float64(draws)
			if drawn[best] >= top {
				top = drawn[best]
				chances[best].Frontier += 1 / float64(draws)
			}
			begin = end
		}
	}
	return chances
}

// chiSquared draws by Marsaglia and Tsang 2000 (ACM TOMS 26:3), of Gamma(ν/2, 2).
func chiSquared(ν float64, random *rand.Rand) float64 {
	shape, boost := ν/2, 1.0
	if shape < 1 {
		boost = math.Pow(1-random.Float64(), 1/shape)
		shape++
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := random.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-random.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return 2 * d * v * boost
		}
	}
}

// Hypervolume is how much of the plane a frontier covers: the integral, over the
// natural logarithm of epsilon from low to high, of the highest accuracy that a
// point of at most that epsilon has, and 0 below the first. Divided by
// ln(high/low) it is a mean accuracy. low and high are positive and finite.
func Hypervolume(points []Estimate, low, high float64) float64 {
	sorted := slices.Clone(points)
	slices.SortFunc(sorted, func(a, b Estimate) int { return cmp.Compare(a.Epsilon, b.Epsilon) })
	volume, top, from := 0.0, 0.0, low
	for _, p := range sorted {
		if p.Epsilon > high {
			break
		}
		if p.Epsilon > from {
			volume += top * math.Log(p.Epsilon/from)
			from = p.Epsilon
		}
		top = max(top, p.Mean)
	}
	return volume + top*math.Log(high/from)
}
