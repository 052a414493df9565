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
	for i, passed := uint32(0), 0; len(tried)+len(asks) < s.Trials && len(asks) < n; i++ {
		p, ok := s.Space.Snap(s.point(i, d))
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

// point is the i-th scrambled point, without snapping.
func (s Sobol) point(i uint32, dims int) Point {
	p := make(Point, dims)
	for j := range p {
		x := scramble(sobol(i, j), uint32(mix(s.Seed^mix(uint64(j)))))
		p[j] = (float64(x) + 0.5) / (1 << 32)
	}
	return p
}

// sobol is coordinate j of the i-th point, in Gray-code order, as 32 binary
// digits behind the point.
func sobol(i uint32, j int) uint32 {
	var x uint32
	for g, b := i^i>>1, 0; g != 0; g, b = g>>1, b+1 {
		if g&1 != 0 {
			x ^= directions[j][b]
		}
	}
	return x
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
