package strategy

import (
	"math"
	"slices"
)

// TAN searches with stand-ins that have a Scale-th of the batch and of the noise,
// and one view, and confirms the best in full: what noise does to training
// depends on the ratio of the two and on the number of steps, not on the batch
// itself (Sander, Stock, Sablayrolles 2023, TAN without a burn, ICML,
// arXiv:2210.03403). A stand-in costs a Scale-th of the work, and is not private
// in any useful sense.
//
// The first half of the stand-ins cover the space; [TPE] puts the others where
// those were good. The best is not the one that measured most, which would be a
// lucky one: see [TAN.expected].
type TAN struct {
	Space   Space
	Trials  int // stand-ins; 0 is all points of a space of listed values
	Scale   float64
	Confirm int // of them, run in full
	Seed    uint64
	Memory  *Memory
}

// Most is the number of asks.
func (s TAN) Most() int {
	if s.all() {
		return len(s.cover()) + s.Confirm
	}
	return s.Trials + s.Confirm
}

// all reports whether every point gets a stand-in.
func (s TAN) all() bool { return s.Trials == 0 || float64(s.Trials) >= s.Space.size() }

// cover are the stand-ins that are known beforehand.
func (s TAN) cover() []Ask {
	if s.Memory != nil && s.Memory.searched != nil {
		return s.Memory.searched
	}
	var asks []Ask
	if s.all() {
		asks, _ = Grid{s.Space}.Next(nil, int(min(s.Space.size(), 1e6)))
	} else {
		asks, _ = Sobol{s.Space, (s.Trials + 1) / 2, s.Seed}.Next(nil, s.Trials)
	}
	for i := range asks {
		asks[i].Scale = s.Scale
	}
	if s.Memory != nil {
		s.Memory.searched = asks
	}
	return asks
}

func (s TAN) Next(tried []Tried, n int) ([]Ask, bool) {
	isFull := func(t Tried) bool { return t.Scale <= 1 }
	small, full := tried, []Tried(nil)
	if slices.ContainsFunc(tried, isFull) {
		small = slices.DeleteFunc(slices.Clone(tried), isFull)
		full = slices.DeleteFunc(slices.Clone(tried), func(t Tried) bool { return !isFull(t) })
	}
	if asks := s.search(small, n); len(asks) > 0 || running(small) {
		return asks, false
	}
	asks := s.confirm(small, visitedOf(full), n)
	return asks, len(asks) == 0
}

// search are the next stand-ins.
func (s TAN) search(small []Tried, n int) []Ask {
	seen := visitedOf(small)
	var asks []Ask
	for _, a := range s.cover() {
		if len(asks) < n && !seen.has(a.At) && (s.all() || len(small)+len(asks) < s.Trials) {
			asks = append(asks, a)
		}
	}
	if len(asks) == n || s.all() {
		return asks
	}
	known := small[:len(small):len(small)]
	for _, a := range asks {
		known = append(known, Tried{Ask: a})
	}
	more, _ := TPE{Space: s.Space, Trials: s.Trials, Seed: s.Seed}.Next(known, n-len(asks))
	for _, a := range more {
		a.Scale = s.Scale
		asks = append(asks, a)
	}
	return asks
}

// confirm are the points to be run in full next.
func (s TAN) confirm(small []Tried, confirmed *visited, n int) []Ask {
	left := min(n, s.Confirm-confirmed.n)
	if left <= 0 {
		return nil
	}
	raw := scores(small)
	expected := s.expected(small, raw)
	var asks []Ask
	for len(asks) < left {
		pass := func(j int) bool { return math.IsInf(raw[j], -1) || confirmed.has(small[j].At) }
		i, _ := leader(expected, pass)
		if i < 0 { // all that were fitted are confirmed
			i, _ = leader(raw, pass)
		}
		if i < 0 {
			break
		}
		confirmed.add(small[i].At)
		asks = append(asks, Ask{At: small[i].At})
	}
	return asks
}

// mostFitted is how many stand-ins, the best ones, a surface is fitted to.
const mostFitted = 1000

// expected are the scores of stand-ins, if each had measured half of what it did
// and half of what a quadratic surface through all of them has there; NaN of
// those beyond the best [mostFitted]. That is the mean of what is to be expected
// if a stand-in's luck varies as much as the true surface does about its
// quadratic part, which one measurement of each point cannot tell apart.
func (s TAN) expected(small []Tried, raw []float64) []float64 {
	best, _ := top(raw, func(of int) int { return min(of, mostFitted) })
	var in []Tried
	var places []int
	var x []Point
	var y []float64
	for _, i := range best {
		if v, ok := small[i].Value(); ok {
			in, places = append(in, small[i]), append(places, i)
			x, y = append(x, small[i].At), append(y, v)
		}
	}
	surface, ok := quadratic(s.Space.Dims, x, y)
	if !ok {
		return raw
	}
	for k := range in {
		in[k].Values = []float64{(y[k] + surface[k]) / 2}
	}
	expected := make([]float64, len(small))
	for i := range expected {
		expected[i] = math.NaN()
	}
	for k, v := range scores(in) {
		expected[places[k]] = v
	}
	return expected
}
