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

// Ones starts at one.
func Ones(int, int) func(*rand.Rand, []float32) {
	return func(_ *rand.Rand, w []float32) {
		for i := range w {
			w[i] = 1
		}
	}
}

// FanInNormal draws from N(0, 1/fan in).
func FanInNormal(fanIn, _ int) func(*rand.Rand, []float32) {
	std := 1 / math.Sqrt(float64(fanIn))
	return func(r *rand.Rand, w []float32) {
		for i := range w {
			w[i] = float32(r.NormFloat64() * std)
		}
	}
}

// truncatedStd is the standard deviation of N(0, 1) cut off at ±2:
// √(1 - 4φ(2)/(Φ(2) - Φ(-2))).
const truncatedStd = 0.87962566103423978

// FanInTruncated draws from a normal distribution cut off at two standard
// deviations whose variance, after the cut, is 1/fan in.
func FanInTruncated(fanIn, _ int) func(*rand.Rand, []float32) {
	std := 1 / (truncatedStd * math.Sqrt(float64(fanIn)))
	return func(r *rand.Rand, w []float32) {
		for i := range w {
			x := r.NormFloat64()
			for math.Abs(x) > 2 {
				x = r.NormFloat64()
			}
			w[i] = float32(x * std)
		}
	}
}

// Normal draws from N(0, std²), whatever the fan.
func Normal(std float64) Weights {
	return func(int, int) func(*rand.Rand, []float32) {
		return func(r *rand.Rand, w []float32) {
			for i := range w {
				w[i] = float32(r.NormFloat64() * std)
			}
		}
	}
}
