package dataset

import "math/bits"

// philox is the counter-based generator Philox4x32-10 of Salmon, Moraes, Dror
// and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 3.3:
// 128 random bits that depend on counter and key alone, so any of them can be
// had in any order and from any thread.
func philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	const (
		mul0, mul1   = 0xD2511F53, 0xCD9E8D57 // the paper's multipliers
		weyl0, weyl1 = 0x9E3779B9, 0xBB67AE85 // golden ratio; √3 - 1
	)
	for range 10 {
		hi0, lo0 := bits.Mul32(mul0, counter[0])
		hi1, lo1 := bits.Mul32(mul1, counter[2])
		counter = [4]uint32{hi1 ^ counter[1] ^ key[0], lo1, hi0 ^ counter[3] ^ key[1], lo0}
		key[0] += weyl0
		key[1] += weyl1
	}
	return counter
}

// below maps a random word to 0 … n-1. No value's chance is off from 1/n by
// more than 2⁻³².
func below(word uint32, n int) int {
	hi, _ := bits.Mul32(word, uint32(n))
	return int(hi)
}
