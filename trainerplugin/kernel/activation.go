package kernel

import (
	"math"
	"sync"
)

// The activations below but ReLU are built on [Tanh], which every path has.
// Each is zero at zero, so that unused channels stay zero, and its gradient
// takes what it read, x, and what it returned, y. Scratch arrays that a
// function needs are among those it writes.

// Relu sets y to gain·max(x, 0).
func Relu(y, x []float32, gain float32) {
	a := splat(gain)
	defer splats.Put(a)
	ReluAffine(y, x, a, &none)
}

// ReluGrad sets dx to gain·dy where x is positive, and to 0 elsewhere.
func ReluGrad(dx, dy, x []float32, gain float32) {
	a := splat(gain)
	defer splats.Put(a)
	ReluAffineGrad(dx, dy, x, a, &none, &none)
}

var none Vector

// splats is vectors that were used. Kernels are called through pointers, so that
// the compiler takes from the heap whatever one is given.
var splats = sync.Pool{New: func() any { return new(Vector) }}

// splat is a vector of v, to be put back into splats.
func splat(v float32) *Vector {
	a := splats.Get().(*Vector)
	for l := range a {
		a[l] = v
	}
	return a
}

// λ and α of SELU: the fixed point of mean 0 and variance 1 (Klambauer et al.
// 2017, equation 14).
const (
	seluScale = 1.0507009873554804934193349852946
	seluAlpha = 1.6732632423543772848170429916717
)

// Selu sets y to λ·x where x is positive, and to λ·α·(eˣ - 1) elsewhere.
func Selu(y, x []float32) {
	whole(len(y), len(x))
	for i, v := range x {
		y[i] = min(v, 0) / 2
	}
	use.tanh(y, y)
	for i, v := range x {
		// eˣ - 1 = 2t/(1 - t) with t = tanh(x/2), of which 1 - t is in [1, 2]
		t := y[i]
		y[i] = seluScale * (max(v, 0) + seluAlpha*2*t/(1-t))
	}
}

// SeluGrad sets dx to dy times λ where x is positive, and λ·α·eˣ elsewhere.
func SeluGrad(dx, dy, x, y []float32) {
	whole(len(dx), len(dy), len(x), len(y))
	for i, v := range x {
		slope := float32(seluScale)
		if v <= 0 {
			slope = y[i] + seluScale*seluAlpha
		}
		dx[i] = dy[i] * slope
	}
}

// GELU in the form with tanh: x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2
// (Hendrycks and Gimpel 2016, section 2).
const (
	geluRoot = 0.7978845608028654 // √(2/π)
	geluCube = 0.044715

	// Beyond it GELU is ReLU within 5e-6, slope included. There tanh is
	// within a rounding of ±1, which the cube of x would blow up.
	geluEnd = 5
)

// geluTanh sets t to the tanh of the formula above.
func geluTanh(t, x []float32) {
	for i, v := range x {
		t[i] = geluRoot * (v + geluCube*v*v*v)
	}
	use.tanh(t, t)
}

// GeluTanh sets y to gain·GELU(x), in the form with tanh, which is within 5e-4
// of the exact one.
func GeluTanh(y, x []float32, gain float32) {
	whole(len(y), len(x))
	geluTanh(y, x)
	for i, v := range x {
		t := y[i]
		if v > geluEnd || v < -geluEnd {
			t = float32(math.Copysign(1, float64(v)))
		}
		y[i] = gain * 0.5 * v * (1 + t)
	}
}

// GeluTanhGrad sets dx to dy times the derivative of GeluTanh.
func GeluTanhGrad(dx, dy, x []float32, gain float32) {
	whole(len(dx), len(dy), len(x))
	geluTanh(dx, x)
	for i, v := range x {
		t := dx[i]
		slope := 0.5 * (1 + t + v*(1-t*t)*geluRoot*(1+3*geluCube*v*v))
		if v > geluEnd {
			slope = 1
		} else if v < -geluEnd {
			slope = 0
		}
		dx[i] = dy[i] * gain * slope
	}
}

// Gelu sets y to gain·x·Φ(x), where Φ is the standard normal distribution. It
// works number by number, several times slower than GeluTanh.
func Gelu(y, x []float32, gain float32) {
	whole(len(y), len(x))
	for i, v := range x {
		y[i] = float32(float64(gain) * float64(v) * normal(float64(v)))
	}
}

// GeluGrad sets dx to dy·gain·(Φ(x) + x·φ(x)).
func GeluGrad(dx, dy, x []float32, gain float32) {
	whole(len(dx), len(dy), len(x))
	for i, v := range x {
		u := float64(v)
		density := math.Exp(-u*u/2) / math.Sqrt(2*math.Pi)
		dx[i] = float32(float64(dy[i]) * float64(gain) * (normal(u) + u*density))
	}
}

// normal is the standard normal distribution function.
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
