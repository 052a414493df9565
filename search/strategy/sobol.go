package strategy

import (
	"fmt"
	"math/bits"
)

// Sobol covers the space evenly with a scrambled Sobol' sequence: Joe and Kuo's
// direction numbers (2008, SIAM J. Sci. Comput. 30, new-joe-kuo-6.21201) and
// Owen's nested uniform scrambling, by hashing (Burley 2020, JCGT 9(4)). Of 2^m
// points each elementary interval that a net has to fill holds its share
// exactly, scrambled or not.
//
// Points that a constraint forbids, or that are the same after snapping, are
// passed over, and the sequence goes on.
type Sobol struct {
	Space  Space
	Trials int
	Seed   uint64
}

// MaxSobol is how many dimensions there are direction numbers for.
const MaxSobol = 40

// Most is the number of asks.
func (s Sobol) Most() int { return s.Trials }

func (s Sobol) Next(tried []Tried, n int) ([]Ask, bool) {
	d := len(s.Space.Dims)
	if d > MaxSobol {
		panic(fmt.Sprintf("strategy: Sobol in %d dimensions; there are directions for %d", d, MaxSobol))
	}
	seen := visitedOf(tried)
	var asks []Ask
	next := s.points(d)
	for passed := 0; len(tried)+len(asks) < s.Trials && len(asks) < n; {
		p, ok := s.Space.Snap(next())
		if !ok || !seen.add(p) {
			// What was tried stands at the head of the sequence, and is no
			// sign of exhaustion.
			if passed++; passed > patience+len(tried) {
				return asks, true
			}
			continue
		}
		passed = 0
		asks = append(asks, Ask{At: p})
	}
	return asks, len(tried)+len(asks) >= s.Trials
}

// points returns what gives the scrambled points one after another, without
// snapping. The point is reused.
func (s Sobol) points(dims int) func() Point {
	p, next, seeds := make(Point, dims), sobol(dims), make([]uint32, dims)
	for j := range seeds {
		seeds[j] = uint32(mix(s.Seed ^ mix(uint64(j))))
	}
	return func() Point {
		for j, x := range next() {
			p[j] = (float64(scramble(x, seeds[j])) + 0.5) / (1 << 32)
		}
		return p
	}
}

// sobol returns what gives the points of the sequence in Gray-code order, each
// coordinate as 32 binary digits behind the point: from one point to the next a
// single direction number is added to each (Antonov, Saleev 1979). The slice is
// reused.
func sobol(dims int) func() []uint32 {
	x := make([]uint32, dims)
	i := uint32(0)
	return func() []uint32 {
		for j := range x {
			if i > 0 {
				x[j] ^= directions[j][bits.TrailingZeros32(i)]
			}
		}
		i++
		return x
	}
}

// scramble permutes the subtrees of x's binary digits, each by a hash of the
// digits before it. Bits are reversed so that carries of the multiplications
// run from the more significant digit to the less (Laine and Karras 2011; the
// constants are Burley's).
func scramble(x, seed uint32) uint32 {
	x = bits.Reverse32(x)
	x += seed
	x ^= x * 0x6c50b47c
	x ^= x * 0xb82f1e52
	x ^= x * 0xc7afe638
	x ^= x * 0x8d22f6e6
	return bits.Reverse32(x)
}

// directions[j][b] is direction number b of dimension j, scaled by 2^32.
var directions = makeDirections()

func makeDirections() (v [MaxSobol][32]uint32) {
	for b := range 32 {
		v[0][b] = 1 << (31 - b)
	}
	for j, d := range joeKuo {
		degree := len(d.m)
		for b := range 32 {
			if b < degree {
				v[j+1][b] = d.m[b] << (31 - b)
				continue
			}
			x := v[j+1][b-degree]
			x ^= x >> degree
			for k := 1; k < degree; k++ {
				if d.polynomial>>(degree-k)&1 != 0 {
					x ^= v[j+1][b-k]
				}
			}
			v[j+1][b] = x
		}
	}
	return v
}
