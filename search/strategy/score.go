package strategy

import (
	"cmp"
	"math"
	"slices"
)

// scores are how good the tried points are, the higher the better; NaN while
// one runs, -Inf if it failed. Where all have one budget it is their value.
// Otherwise it is how far above, or below, the frontier of the others a point
// stands: its value less the best of any other of its budget or a smaller one.
// So a small epsilon is not neglected because a large one gives more.
func scores(tried []Tried) []float64 {
	s := make([]float64, len(tried))
	one := true
	for i, t := range tried {
		one = one && t.Budget == tried[0].Budget
		switch v, ok := t.Value(); {
		case ok:
			s[i] = v
		case t.Done:
			s[i] = math.Inf(-1)
		default:
			s[i] = math.NaN()
		}
	}
	if !one {
		aboveFrontier(tried, s)
	}
	return s
}

// aboveFrontier replaces values by their distance to the frontier of the others.
func aboveFrontier(tried []Tried, s []float64) {
	var order []int
	for i := range tried {
		if !math.IsNaN(s[i]) && !math.IsInf(s[i], -1) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(tried[a].Budget, tried[b].Budget) })
	first, second := math.Inf(-1), math.Inf(-1) // the two best so far, by rising budget
	values := slices.Clone(s)
	for from := 0; from < len(order); {
		to := from
		for ; to < len(order) && tried[order[to]].Budget == tried[order[from]].Budget; to++ {
			v := values[order[to]]
			if v > first {
				first, second = v, first
			} else {
				second = max(second, v)
			}
		}
		for _, i := range order[from:to] {
			others := first
			if values[i] == first {
				others = second
			}
			if math.IsInf(others, -1) {
				s[i] = 0 // it is alone
			} else {
				s[i] = values[i] - others
			}
		}
		from = to
	}
}

// ranked are the indices of what has ended, the best first; of equals, the one
// that was asked for first.
func ranked(s []float64) []int {
	var order []int
	for i, v := range s {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s[b], s[a]) })
	return order
}

// top are the indices of the n best, as [ranked] has them, and how many there are
// to choose from.
func top(s []float64, n func(ended int) int) (best []int, ended int) {
	for _, v := range s {
		if !math.IsNaN(v) {
			ended++
		}
	}
	most := n(ended)
	for i, v := range s {
		if math.IsNaN(v) || most == 0 || len(best) == most && v <= s[best[most-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, v, func(j int, v float64) int {
			if s[j] >= v {
				return -1
			}
			return 1
		})
		best = slices.Insert(best, at, i)
		best = best[:min(len(best), most)]
	}
	return best, ended
}
