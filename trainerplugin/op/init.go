package op

import (
	"math"
	"math/rand/v2"
)

// GlorotUniform draws from ±√(6/(fan in + fan out)) (Glorot and Bengio 2010,
// equation 16).
func GlorotUniform(fanIn, fanOut int) func(*rand.Rand, []float32) {
	limit := math.Sqrt(6 / float64(fanIn+fanOut))
	return func(r *rand.Rand, w []float32) {
		for i := range w {
			w[i] = float32((2*r.Float64() - 1) * limit)
		}
	}
}

// Zeros starts at zero.
func Zeros(int, int) func(*rand.Rand, []float32) {
	return func(_ *rand.Rand, w []float32) { clear(w) }
}
