package strategy

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// patience is how often a point that may not be tried, or was, is drawn again
// before a space counts as exhausted.
const patience = 2000

// seeded is the generator of one suggestion: the i-th of a sweep has its own, so
// that a call which asks for two at once draws what two calls would.
func seeded(seed uint64, i int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(i)))
}

// uniform draws a point.
func (s Space) uniform(r *rand.Rand) Point {
	p := make(Point, len(s.Dims))
	for i := range p {
		p[i] = r.Float64()
	}
	return p
}

// fresh draws until a point may be tried and is not in seen, and adds it there.
func (s Space) fresh(seen *visited, draw func() Point) (Point, bool) {
	for range patience {
		if p, ok := s.Snap(draw()); ok && seen.add(p) {
			return p, true
		}
	}
	return nil, false
}

// size is the number of points, constraints not counted; +Inf if there is a range.
func (s Space) size() float64 {
	n := 1.0
	for _, d := range s.Dims {
		if d.Levels == 0 {
			return math.Inf(1)
		}
		n *= float64(d.Levels)
	}
	return n
}

// all lists every point that can be tried, of a space without ranges, the last
// dimension fastest.
func (s Space) all() []Point {
	var points []Point
	var seen visited
	for i := range int(s.size()) {
		p := make(Point, len(s.Dims))
		for d := len(p) - 1; d >= 0; d-- {
			l := s.Dims[d].Levels
			p[d] = (float64(i%l) + 0.5) / float64(l)
			i /= l
		}
		if p, ok := s.Snap(p); ok && seen.add(p) {
			points = append(points, p)
		}
	}
	return points
}

// visited is a set of points, by a hash of their bits: of ten thousand points
// two collide with probability 3e-12. It is a table that is probed from a hash's
// place on, since sets of all that was tried are made for each suggestion. The
// zero visited is empty.
type visited struct {
	slots []uint64 // a power of two of them, half of them 0, which is free
	n     int
}

// newVisited has room for n points.
func newVisited(n int) *visited {
	return &visited{slots: make([]uint64, 1<<bits.Len(uint(2*n+16)))}
}

// add reports whether p was not there.
func (v *visited) add(p Point) bool { return v.addHash(hash(p)) }

func (v *visited) addHash(h uint64) bool {
	if 2*v.n >= len(v.slots) {
		v.grow()
	}
	i, there := v.find(h)
	if !there {
		v.slots[i] = max(h, 1)
		v.n++
	}
	return !there
}

func (v *visited) has(p Point) bool {
	if v.n == 0 {
		return false
	}
	_, there := v.find(hash(p))
	return there
}

// find is where h is, or would be.
func (v *visited) find(h uint64) (int, bool) {
	h = max(h, 1)
	for i := h; ; i++ {
		i &= uint64(len(v.slots) - 1)
		if v.slots[i] == h || v.slots[i] == 0 {
			return int(i), v.slots[i] == h
		}
	}
}

func (v *visited) grow() {
	old := v.slots
	*v = *newVisited(2 * v.n)
	for _, h := range old {
		if h != 0 {
			v.addHash(h)
		}
	}
}

// hash mixes p's bits as SplitMix64 does (Steele, Lea, Flood 2014).
func hash(p Point) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, x := range p {
		h = mix(h ^ math.Float64bits(x))
	}
	return h
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// visitedOf is the set of what was tried.
func visitedOf(tried []Tried) *visited {
	v := newVisited(len(tried))
	for i := range tried {
		v.add(tried[i].At)
	}
	return v
}
