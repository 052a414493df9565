package strategy

import (
	"cmp"
	"math"
	"slices"
)

// Repeats runs a strategy and then gives more repeats to the points that they can
// matter for: at each budget, to those whose mean is not surely below the best
// one's. A point that is surely dominated stays with the repeats it has.
type Repeats struct {
	Of       Strategy
	Min, Max int // repeats that every point gets, and that a point may get
}

// Most is the number of asks of the strategy itself.
func (s Repeats) Most() int { return s.Of.Most() }

// surely is the quantile of the normal law beyond which a difference of means is
// taken for real: two-sided at 95 %.
const surely = 1.959964

func (s Repeats) Next(tried []Tried, n int) ([]Ask, bool) {
	// The strategy sees of each point what it would have seen without this.
	plain := slices.Clone(tried)
	for i := range plain {
		plain[i].Values = plain[i].Values[:min(len(plain[i].Values), s.Min)]
		plain[i].Done = plain[i].Done || plain[i].Again >= s.Min
		plain[i].Again = 0
	}
	asks, done := s.Of.Next(plain, n)
	if !done || len(asks) > 0 {
		return asks, false
	}
	var again []Ask
	for _, group := range byBudget(tried) {
		again = append(again, s.contenders(tried, group)...)
	}
	slices.SortStableFunc(again, func(a, b Ask) int { return cmp.Compare(a.Again, b.Again) })
	return again[:min(n, len(again))], len(again) == 0 && !running(tried)
}

// byBudget are the indices of points in full, those of each budget together.
func byBudget(tried []Tried) [][]int {
	var groups [][]int
	at := map[float64]int{}
	for i, t := range tried {
		if t.Scale > 1 {
			continue
		}
		g, ok := at[t.Budget]
		if !ok {
			g = len(groups)
			at[t.Budget] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// contenders asks for one more repeat of each point of the group that may be the
// best and has room. The standard deviation of a seed is pooled over all points;
// before any has two repeats nothing is sure, and the best alone get a second.
func (s Repeats) contenders(tried []Tried, group []int) []Ask {
	best := math.Inf(-1)
	bestN := 1.0
	for _, i := range group {
		if v, ok := tried[i].Value(); ok && v > best {
			best, bestN = v, float64(len(tried[i].Values))
		}
	}
	σ, ok := pooled(tried)
	var asks []Ask
	for _, i := range group {
		t := tried[i]
		v, ended := t.Value()
		if !ended || len(t.Values) >= s.Max || t.Again+1 >= s.Max {
			continue
		}
		margin := surely * σ * math.Sqrt(1/bestN+1/float64(len(t.Values)))
		if v == best || ok && v > best-margin {
			a := t.Ask
			a.Again++
			asks = append(asks, a)
		}
	}
	return asks
}

// pooled is the standard deviation of one repeat about its point's mean; ok is
// false while no point has two.
func pooled(tried []Tried) (σ float64, ok bool) {
	sum, free := 0.0, 0
	for _, t := range tried {
		mean, ended := t.Value()
		if !ended || len(t.Values) < 2 {
			continue
		}
		for _, v := range t.Values {
			sum += (v - mean) * (v - mean)
		}
		free += len(t.Values) - 1
	}
	if free == 0 {
		return 0, false
	}
	return math.Sqrt(sum / float64(free)), true
}

// Listed is the strategy of a sweep whose points were all known beforehand.
type Listed struct{}

func (Listed) Next([]Tried, int) ([]Ask, bool) { return nil, true }

// Most is none.
func (Listed) Most() int { return 0 }
