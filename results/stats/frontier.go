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
	Freedom  float64 // degrees of freedom behind StdError; 0 or +Inf is a normal distribution
}

// BestProbabilities returns, for each point, the probability that its true mean
// is the highest among the points of its epsilon: by drawing every mean from
// Student's t about its estimate, as often as draws says. Its standard error is
// at most 0.5/√draws. Points without a standard error beside points that have
// one are taken as exact, so give them a pooled one (see [PooledStd]).
func BestProbabilities(points []Estimate, draws int, seed uint64) []float64 {
	groups := make(map[float64][]int)
	for i, p := range points {
		groups[p.Epsilon] = append(groups[p.Epsilon], i)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	share := make([]float64, len(points))
	for _, ε := range sortedKeys(groups) { // in one order, for the seed's sake
		group := groups[ε]
		for range draws {
			best, top := -1, math.Inf(-1)
			for _, i := range group {
				if x := points[i].draw(random); x > top {
					best, top = i, x
				}
			}
			share[best] += 1 / float64(draws)
		}
	}
	return share
}

// FrontierProbabilities returns, for each point, the probability that no point of
// at most its epsilon has a higher true mean, drawn as [BestProbabilities] does.
func FrontierProbabilities(points []Estimate, draws int, seed uint64) []float64 {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points[a].Epsilon, points[b].Epsilon) })
	random := rand.New(rand.NewPCG(seed, 2))
	share, drawn := make([]float64, len(points)), make([]float64, len(points))
	for range draws {
		for i, p := range points {
			drawn[i] = p.draw(random)
		}
		top := math.Inf(-1)
		for begin := 0; begin < len(order); {
			end := begin
			for end < len(order) && points[order[end]].Epsilon == points[order[begin]].Epsilon {
				top = max(top, drawn[order[end]])
				end++
			}
			for _, i := range order[begin:end] {
				if drawn[i] == top {
					share[i] += 1 / float64(draws)
				}
			}
			begin = end
		}
	}
	return share
}

func (e Estimate) draw(random *rand.Rand) float64 {
	if e.StdError == 0 {
		return e.Mean
	}
	z := random.NormFloat64()
	if e.Freedom > 0 && !math.IsInf(e.Freedom, 1) {
		z /= math.Sqrt(chiSquared(e.Freedom, random) / e.Freedom)
	}
	return e.Mean + e.StdError*z
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

func sortedKeys[V any](m map[float64]V) []float64 {
	keys := make([]float64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
