package privacy

import "math"

// largestWithin returns the largest i in [0, n] whose cost is at most target,
// where cost does not fall in i; -1 if cost(0) is above it. It brackets the
// answer from guess outwards in growing strides and closes in by false position
// on ln cost with the Illinois weights, for every evaluation may take
// milliseconds.
func largestWithin(target float64, n, guess, stride int, cost func(int) (float64, error)) (int, error) {
	var err error
	excess := func(i int) float64 { // ln(cost/target), finite so that it can be interpolated
		c, e := cost(i)
		if e != nil {
			err = e
			return 0
		}
		return math.Log(min(max(c, 1e-300), 1e300)) - math.Log(max(target, 1e-300))
	}
	lo, hi := -1, n+1 // within, above
	var atLo, atHi float64
	for step, i := stride, min(max(guess, 0), n); err == nil; step *= 4 {
		if x := excess(i); x <= 0 {
			lo, atLo = i, x
		} else {
			hi, atHi = i, x
		}
		if lo == n || hi == 0 || (lo >= 0 && hi <= n) {
			break
		}
		if hi > n {
			i = min(i+step, n)
		} else {
			i = max(i-step, 0)
		}
	}
	for side := 0; hi-lo > 1 && hi != 0 && err == nil; {
		at := float64(lo) + float64(hi-lo)*atLo/(atLo-atHi)
		i := min(max(int(math.Round(at)), lo+1), hi-1)
		if x := excess(i); x <= 0 {
			lo, atLo = i, x
			if side == -1 {
				atHi /= 2
			}
			side = -1
		} else {
			hi, atHi = i, x
			if side == 1 {
				atLo /= 2
			}
			side = 1
		}
	}
	return lo, err
}

// Decimals of seven significant digits are numbered in rising order, nine million
// to each power of ten, so that they can be searched like integers.
const (
	perDecade   = 9_000_000
	pastDecimal = 100_000 // first stride of a search, some per cent
)

// decimalAt is the decimal with the given number; number 0 is 1.0000.
func decimalAt(index int) float64 {
	e := int(math.Floor(float64(index) / perDecade))
	return decimal(int64(index-e*perDecade+perDecade/9), e-6)
}

// decimalIndex is the number of the decimal nearest to x.
func decimalIndex(x float64) int {
	e := int(math.Floor(math.Log10(x)))
	return e*perDecade + int(math.Round(x*math.Pow10(6-e))) - perDecade/9
}
