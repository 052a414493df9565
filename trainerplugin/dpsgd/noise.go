package dpsgd

import (
	"crypto/aes"
	"encoding/binary"
	"math"
)

// noiseBytes is how much of the stream one coordinate takes: half of four
// 16-byte blocks, which make two coordinates.
const noiseBytes = 2 * aes.BlockSize

// fillNoise sets z[j] to coordinate first+j of the standard normal vector that
// g's key stands for. first is even. The result depends on the key and the
// coordinate's number alone.
//
// A coordinate is half the sum of four normal numbers, each by Box and Muller
// (1958): √(-2 ln u)·cos 2πv, and with the sine for the next coordinate. u has
// 64 random bits and is at least 2^-65, so one of the four reaches 9.49 and
// their half-sum twice that; the mass beyond, some 10^-20, is lost. v has 53
// bits. All arithmetic is in float64.
//
// Why four: a single number computed in floating point takes few values near
// any given one, and which ones tells the number apart from its neighbours and
// so undoes the noise (Mironov, CCS 2012, for Laplace; Holohan and Braghin,
// "Secure Random Sampling in Differential Privacy", ESORICS 2021, for
// Gaussian, who show that the sum of several makes the search infeasible, and
// whose remedy this is). What protects further: the noisy sum is never
// released, only weights that are the sums of many and rounded to float32.
// What remains is that accounting speaks of real numbers and this is
// floating-point: no proof covers the difference. Seeded and secure noise take
// the same road, so that what is tested is what protects; it costs 50 ns for a
// coordinate on one core (BenchmarkNoise).
//
// The conversions to float64 forbid fused multiply-add, so that processors of
// one architecture agree to the bit; math.Log differs in the last digit
// between architectures.
func (g generator) fillNoise(first int, z []float64) {
	buf := make([]byte, (len(z)+1)/2*2*noiseBytes)
	g.at(uint64(first)*2).XORKeyStream(buf, buf)
	for j := 0; j < len(z); j += 2 {
		even, odd := normalPair(buf[j*noiseBytes : (j+2)*noiseBytes])
		z[j] = even
		if j+1 < len(z) {
			z[j+1] = odd
		}
	}
}

// normalPair makes two independent standard normal numbers of 64 random bytes.
func normalPair(random []byte) (even, odd float64) {
	for ; len(random) > 0; random = random[aes.BlockSize:] {
		u := (float64(binary.LittleEndian.Uint64(random)) + 0.5) * 0x1p-64
		v := float64(binary.LittleEndian.Uint64(random[8:])>>11) * 0x1p-53
		r := math.Sqrt(-2 * math.Log(u))
		sin, cos := math.Sincos(2 * math.Pi * v)
		even += float64(r * cos)
		odd += float64(r * sin)
	}
	return even / 2, odd / 2
}
