package kernel

// The functions of this file serve the standardisation of filters, which is
// computed in float64: what it takes from a filter's weights is small beside
// them.

// A Wide is one float64 for each channel of a block.
type Wide = [Lanes]float64

// ShiftedSums adds to s the sums of x - shift, and to q those of its squares, by
// channel.
//
// Where shift is one of n numbers x, their mean m is shift + s/n, and q - s²/n,
// which is Σ(x - m)², loses at most a factor of n of its digits: (shift - m)² is
// one of the squares that it sums up.
func ShiftedSums(s, q *Wide, x []float32, shift *Vector) {
	whole(len(x))
	use.shiftedSums(s, q, x, shift)
}

// Standardise sets unit to (x - mean)·invStd, and y to gain times that.
func Standardise(unit, y, x []float32, mean, invStd, gain *Wide) {
	whole(len(x), len(y), len(unit))
	use.standardise(unit, y, x, mean, invStd, gain)
}

// StandardiseGrad adds scale·(g - mean - unit·along) to dw.
func StandardiseGrad(dw, g, unit []float32, mean, along, scale *Wide) {
	whole(len(dw), len(g), len(unit))
	use.standardiseGrad(dw, g, unit, mean, along, scale)
}
