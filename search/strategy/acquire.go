package strategy

import (
	"cmp"
	"math"
	"slices"
)

// expectedImprovement is E[max(0, Y - best)] of a normal Y (Jones, Schonlau,
// Welch 1998, J. Global Optim. 13, eq. 15).
func expectedImprovement(μ, σ, best float64) float64 {
	if σ <= 0 {
		return max(0, μ-best)
	}
	z := (μ - best) / σ
	return (μ-best)*normalCDF(z) + σ*normalPDF(z)
}

func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
func normalPDF(z float64) float64 { return math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) }

// A front is the best value at each budget or a smaller one: a staircase over the
// logarithm of budgets, from each step to the next and, from the last, to end.
// Area counts above floor.
type front struct {
	steps      []step // by rising x and rising y
	end, floor float64
}

type step struct{ x, y float64 }

// frontOf keeps of the points those that no other beats at the same x or less.
func frontOf(points []step, floor, end float64) front {
	f := front{end: end, floor: floor}
	points = slices.Clone(points)
	slices.SortFunc(points, func(a, b step) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(b.y, a.y)) })
	top := floor
	for _, p := range points {
		if p.y > top {
			f.steps, top = append(f.steps, p), p.y
		}
	}
	return f
}

// expectedImprovement is how much a point at x, whose value is normal, is
// expected to add to the area under the front. A trial's epsilon is known before
// it runs, so that only its value is random: each piece of the staircase is then
// an expected improvement of its own, and their sum weighted by the pieces'
// lengths is the expected hypervolume improvement (Emmerich, Deutz, Klinkenberg
// 2011, CEC) exactly.
func (f front) expectedImprovement(x, μ, σ float64) float64 {
	sum, height, from := 0.0, f.floor, x
	for _, s := range f.steps {
		if s.x > from {
			sum += (s.x - from) * expectedImprovement(μ, σ, height)
			from = s.x
		}
		height = s.y
	}
	return sum + max(0, f.end-from)*expectedImprovement(μ, σ, height)
}
