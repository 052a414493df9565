package dpsgd

import "math/bits"

// poissonBatch draws one Poisson batch: each of n examples enters
// independently with probability exactly batch/n. It returns their indices in
// ascending order; there may be none. 1 ≤ batch ≤ n.
//
// An example enters when a uniform number u in [0, 1) is below batch/n. Both
// are compared in binary, digit by digit, for 64 examples at once: one random
// word holds the next digit of 64 numbers u, and whichever differ from the
// digit of batch/n are decided. There is no rounding anywhere: integer
// arithmetic yields the digits of batch/n for as long as they are wanted, and
// after r words an example is undecided with probability 2^-r, so that 64
// examples take about 7.3 words.
//
// The cost is proportional to n, not to the batch, but small: 1 ns for an
// example, about 1 ms for ImageNet's 1.3 million (BenchmarkPoissonBatch). To
// skip from one member to the next by the logarithm of a uniform number would
// be quicker only where batch/n is below about 1/20, saves microseconds beside
// the seconds that gradients take there, and is not exact.
func poissonBatch(n, batch int, w *words) []int {
	var members []int
	for first := 0; first < n; first += 64 {
		in := bernoulli64(uint64(batch), uint64(n), w)
		if left := n - first; left < 64 {
			in &= 1<<left - 1
		}
		for ; in != 0; in &= in - 1 {
			members = append(members, first+bits.TrailingZeros64(in))
		}
	}
	return members
}

// bernoulli64 returns 64 independent bits, each 1 with probability exactly
// num/den. 0 < num ≤ den < 2^63.
func bernoulli64(num, den uint64, w *words) (in uint64) {
	undecided := ^uint64(0)
	for undecided != 0 && num != 0 {
		u := w.uint64()
		num *= 2
		if num >= den { // the next binary digit of the probability is 1
			num -= den
			in |= undecided &^ u
			undecided &= u
		} else {
			undecided &^= u
		}
	}
	return in // where num is 0 the rest of the digits are: no u is below them
}
