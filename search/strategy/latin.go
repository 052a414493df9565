package strategy

import (
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distmv"
	"gonum.org/v1/gonum/stat/samplemv"
)

// LatinHypercube divides every coordinate into as many strata as there are
// trials, and has one trial in each (McKay, Beckman, Conover 1979, Technometrics
// 21). Where snapping or a constraint loses some, random points take their place.
type LatinHypercube struct {
	Space  Space
	Trials int
	Seed   uint64
	Memory *Memory
}

// Most is the number of asks.
func (s LatinHypercube) Most() int { return s.Trials }

func (s LatinHypercube) Next(tried []Tried, n int) ([]Ask, bool) {
	seen := visitedOf(tried)
	var asks []Ask
	if s.Trials > 0 && len(s.Space.Dims) > 0 {
		for _, p := range s.sample() {
			if len(tried)+len(asks) >= s.Trials || len(asks) == n {
				break
			}
			if p, ok := s.Space.Snap(p); ok && seen.add(p) {
				asks = append(asks, Ask{At: p})
			}
		}
	}
	return s.fill(tried, asks, n)
}

// fill adds random points to asks.
func (s LatinHypercube) fill(tried []Tried, asks []Ask, n int) ([]Ask, bool) {
	known := tried
	for _, a := range asks {
		known = append(known[:len(known):len(known)], Tried{Ask: a})
	}
	more, done := Random{s.Space, s.Trials, s.Seed}.Next(known, n-len(asks))
	return append(asks, more...), done
}

func (s LatinHypercube) sample() []Point {
	if s.Memory != nil && s.Memory.stratified != nil {
		return s.Memory.stratified
	}
	d := len(s.Space.Dims)
	batch := mat.NewDense(s.Trials, d, nil)
	r := seeded(s.Seed, 0)
	samplemv.LatinHypercube{Q: distmv.NewUnitUniform(d, nil), Src: r}.Sample(batch)
	points := make([]Point, s.Trials)
	for i := range points {
		points[i] = batch.RawRowView(i)
	}
	if s.Memory != nil {
		s.Memory.stratified = points
	}
	return points
}
