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
	return scoresOf(len(tried), func(i int) *Tried { return &tried[i] })
}

// scoresOf are the scores of n points among themselves.
func scoresOf(n int, tried func(int) *Tried) []float64 {
	s := make([]float64, n)
	one := true
	for i := range s {
		t := tried(i)
		one = one && t.Budget == tried(0).Budget
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
		aboveFrontier(func(i int) float64 { return tried(i).Budget }, s)
	}
	return s
}

// aboveFrontier replaces values by their distance to the frontier of the others.
func aboveFrontier(budget func(int) float64, s []float64) {
	var order []int
	for i := range s {
		if !math.IsNaN(s[i]) && !math.IsInf(s[i], -1) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(budget(a), budget(b)) })
	first, second := math.Inf(-1), math.Inf(-1) // the two best so far, by rising budget
	values := slices.Clone(s)
	for from := 0; from < len(order); {
		to := from
		for ; to < len(order) && budget(order[to]) == budget(order[from]); to++ {
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
func top(s []float64, n func(of int) int) (best []int, of int) {
	of = ended(s)
	most := n(of)
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
	return best, of
}

// leader is the first of what has ended, as [ranked] has it, that is not passed
// over, and how many stand before it; -1 if there is none. It takes no sorting.
func leader(s []float64, pass func(int) bool) (i, before int) {
	i = -1
	for j, v := range s {
		if (i < 0 || v > s[i]) && !math.IsNaN(v) && !pass(j) {
			i = j
		}
	}
	if i < 0 {
		return -1, 0
	}
	for j, v := range s {
		if v > s[i] || v == s[i] && j < i {
			before++
		}
	}
	return i, before
}

// ended counts the scores of what has ended.
func ended(s []float64) (n int) {
	for _, v := range s {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}
