package strategy

import (
	"math"
	"slices"
)

// Rungs are shares of the full number of steps, the least first, each Factor
// times the one before; the last is 1.
type Rungs struct {
	Least  float64 // share of the first rung, in (0, 1]
	Factor float64 // how many of a rung's points there are for one that goes on; > 1
}

// shares lists the rungs, from the top down by Factor as far as Least allows.
func (r Rungs) shares() []float64 {
	shares := []float64{1}
	for next := 1 / r.Factor; next >= r.Least*(1-1e-9); next /= r.Factor {
		shares = append(shares, next)
	}
	slices.Reverse(shares)
	return shares
}

// Len is the number of rungs.
func (r Rungs) Len() int { return len(r.shares()) }

// ASHA gives many points few steps and the best of them more: asynchronous
// successive halving (Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht,
// Talwalkar 2020, MLSys, algorithm 2). A point goes on as soon as it is among the
// best 1/Factor of those that have ended on its rung.
type ASHA struct {
	Space  Space
	Trials int // points of the first rung
	Rungs  Rungs
	Seed   uint64
}

// Most is the number of asks, if no point goes on that later ones beat.
func (s ASHA) Most() int { return ladderSize(s.Trials, s.Rungs.shares(), s.Rungs.Factor) }

// ladderSize is how many asks a bracket of so many points makes.
func ladderSize(points int, shares []float64, factor float64) (n int) {
	for range shares {
		n += points
		points = int(float64(points)/factor + 1e-9)
	}
	return n
}

func (s ASHA) Next(tried []Tried, n int) ([]Ask, bool) {
	shares := s.Rungs.shares()
	l := ladderOf(tried, shares, 0)
	known := tried[:len(tried):len(tried)]
	var asks []Ask
	var seen *visited // made when a point is drawn
	exhausted := false
	for len(asks) < n {
		if a, ok := l.promote(known, s.Rungs.Factor); ok {
			known, asks = append(known, Tried{Ask: a}), append(asks, a)
			continue
		}
		if len(l.on[0]) >= s.Trials || exhausted {
			break
		}
		if seen == nil {
			seen = visitedOf(known)
		}
		r := seeded(s.Seed, len(l.on[0]))
		p, ok := s.Space.fresh(seen, func() Point { return s.Space.uniform(r) })
		if exhausted = !ok; exhausted {
			break
		}
		a := Ask{At: p, Share: shares[0]}
		l.on[0] = append(l.on[0], len(known))
		known, asks = append(known, Tried{Ask: a}), append(asks, a)
	}
	return asks, len(asks) == 0 && !running(tried)
}

// A ladder has, for each rung, which of the tried stand on it, and which points
// have gone on from it.
type ladder struct {
	shares []float64
	on     [][]int
	gone   []visited
}

func ladderOf(tried []Tried, shares []float64, bracket int) *ladder {
	l := &ladder{shares: shares, on: make([][]int, len(shares)), gone: make([]visited, len(shares))}
	for i, t := range tried {
		if t.Bracket != bracket {
			continue
		}
		if k := l.rung(t.share()); k >= 0 {
			l.on[k] = append(l.on[k], i)
			if k > 0 {
				l.gone[k-1].add(t.At)
			}
		}
	}
	return l
}

// rung is the index of a share, -1 if it is none of the ladder's.
func (l *ladder) rung(share float64) int {
	return slices.IndexFunc(l.shares, func(s float64) bool { return math.Abs(s-share) < 1e-9 })
}

// promote finds a point to go on, from the highest rung that has one, and notes
// that it has.
func (l *ladder) promote(known []Tried, factor float64) (Ask, bool) {
	for k := len(l.shares) - 2; k >= 0; k-- {
		s := l.scores(known, k)
		i, before := leader(s, l.hasGone(known, k))
		if i < 0 || before >= int(float64(ended(s))/factor) {
			continue
		}
		a := known[l.on[k][i]].Ask
		l.gone[k].add(a.At)
		a.Share = l.shares[k+1]
		l.on[k+1] = append(l.on[k+1], len(known))
		return a, true
	}
	return Ask{}, false
}

// scores are those of what stands on rung k, among itself.
func (l *ladder) scores(known []Tried, k int) []float64 {
	return scoresOf(len(l.on[k]), func(j int) *Tried { return &known[l.on[k][j]] })
}

// hasGone says which of those on rung k have gone on.
func (l *ladder) hasGone(known []Tried, k int) func(int) bool {
	return func(j int) bool { return l.gone[k].has(known[l.on[k][j]].At) }
}

func running(tried []Tried) bool {
	return slices.ContainsFunc(tried, func(t Tried) bool { return !t.Done })
}

// Halving is successive halving (Jamieson, Talwalkar 2016, AISTATS): a rung ends
// before the best 1/Factor of its points go on together.
type Halving struct {
	Space  Space
	Trials int // points of the first rung
	Rungs  Rungs
	Seed   uint64
}

// Most is the number of asks.
func (s Halving) Most() int { return ladderSize(s.Trials, s.Rungs.shares(), s.Rungs.Factor) }

func (s Halving) Next(tried []Tried, n int) ([]Ask, bool) {
	b := bracket{points: s.Trials, shares: s.Rungs.shares(), factor: s.Rungs.Factor}
	asks, _, done := b.next(s.Space, s.Seed, tried, visitedOf(tried), n)
	return asks, done
}

// Hyperband runs brackets of successive halving that trade the number of points
// against the steps of the first rung (Li, Jamieson, DeSalvo, Rostamizadeh,
// Talwalkar 2018, JMLR 18, algorithm 1).
type Hyperband struct {
	Space Space
	Rungs Rungs
	Seed  uint64
}

// brackets are the table of the paper: of bracket s, ⌈(m+1)/(s+1)·Factor^s⌉
// points begin with Factor^-s of the steps, where m is the number of rungs less 1.
func (s Hyperband) brackets() []bracket {
	shares := s.Rungs.shares()
	var all []bracket
	for k := range shares {
		up := len(shares) - 1 - k // s of the paper
		points := int(math.Ceil(float64(len(shares)) / float64(up+1) * math.Pow(s.Rungs.Factor, float64(up))))
		all = append(all, bracket{number: k, points: points, shares: shares[k:], factor: s.Rungs.Factor})
	}
	return all
}

// Most is the number of asks.
func (s Hyperband) Most() (n int) {
	for _, b := range s.brackets() {
		n += ladderSize(b.points, b.shares, b.factor)
	}
	return n
}

func (s Hyperband) Next(tried []Tried, n int) ([]Ask, bool) {
	seen := visitedOf(tried)
	var asks []Ask
	done := true
	known := tried[:len(tried):len(tried)]
	for _, b := range s.brackets() {
		if len(asks) > 0 && len(asks) == n {
			break
		}
		more, _, over := b.next(s.Space, s.Seed, known, seen, n-len(asks))
		for _, a := range more {
			known = append(known, Tried{Ask: a})
		}
		asks = append(asks, more...)
		done = done && over
	}
	return asks, done
}

// A bracket is one run of successive halving.
type bracket struct {
	number int
	points int // of its first rung
	shares []float64
	factor float64
}

// next returns up to n asks of the bracket, and whether it is over. Points that
// it draws are added to seen.
func (b bracket) next(space Space, seed uint64, tried []Tried, seen *visited, n int) (asks []Ask, exhausted, done bool) {
	l := ladderOf(tried, b.shares, b.number)
	for i := len(l.on[0]); i < b.points && len(asks) < n; i++ {
		r := seeded(mix(seed+uint64(b.number)), i)
		p, ok := space.fresh(seen, func() Point { return space.uniform(r) })
		if !ok {
			exhausted = true
			break
		}
		asks = append(asks, Ask{At: p, Share: b.shares[0], Bracket: b.number})
	}
	if len(asks) > 0 || !exhausted && len(l.on[0]) < b.points {
		return asks, exhausted, false
	}
	for k := 1; k < len(b.shares); k++ {
		below := l.scores(tried, k-1)
		if ended(below) < len(below) {
			return asks, exhausted, false // a rung ends before the next begins
		}
		most := int(float64(len(below))/b.factor + 1e-9)
		for {
			i, before := leader(below, l.hasGone(tried, k-1))
			if i < 0 || before >= most {
				break
			}
			if len(asks) == n {
				return asks, exhausted, false
			}
			at := tried[l.on[k-1][i]].At
			l.gone[k-1].add(at)
			asks = append(asks, Ask{At: at, Share: b.shares[k], Bracket: b.number})
		}
		if len(asks) > 0 {
			return asks, exhausted, false
		}
	}
	last := l.scores(tried, len(b.shares)-1)
	return asks, exhausted, ended(last) == len(last)
}
