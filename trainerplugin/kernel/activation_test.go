package kernel

import (
	"math"
	"testing"
)

// Activations against their definitions in float64, and their derivatives
// against central differences of those.
func TestActivations(t *testing.T) {
	const gain = 1.7
	gelu := func(x float64) float64 { return gain * x * math.Erfc(-x/math.Sqrt2) / 2 }
	tests := []struct {
		name string
		f    func(y, x []float32)
		df   func(dx, dy, x, y []float32)
		want func(x float64) float64
	}{
		{"relu", func(y, x []float32) { Relu(y, x, gain) }, func(dx, dy, x, _ []float32) { ReluGrad(dx, dy, x, gain) },
			func(x float64) float64 { return gain * math.Max(x, 0) }},
		{"selu", Selu, SeluGrad, func(x float64) float64 {
			if x > 0 {
				return 1.0507009873554805 * x
			}
			return 1.0507009873554805 * 1.6732632423543772 * math.Expm1(x)
		}},
		{"gelu", func(y, x []float32) { Gelu(y, x, gain) }, func(dx, dy, x, _ []float32) { GeluGrad(dx, dy, x, gain) }, gelu},
		{"geluTanh", func(y, x []float32) { GeluTanh(y, x, gain) }, func(dx, dy, x, _ []float32) { GeluTanhGrad(dx, dy, x, gain) },
			func(x float64) float64 {
				return gain * x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
			}},
	}
	x := make([]float32, 2048)
	for i := range x {
		x[i] = float32(i-1024)/100 + 0.003 // no kink
	}
	x[0] = -100
	for _, tt := range tests {
		y, dy, dx := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
		for i := range dy {
			dy[i] = float32(i%7) - 3
		}
		tt.f(y, x)
		tt.df(dx, dy, x, y)
		for i, v := range x {
			u := float64(v)
			// Tanh is within 5e-7, which x and the gain multiply.
			if want := tt.want(u); math.Abs(float64(y[i])-want) > 2e-6*(1+math.Abs(u)) {
				t.Errorf("%s(%v) = %v, want %v", tt.name, v, y[i], want)
			}
			slope := (tt.want(u+1e-5) - tt.want(u-1e-5)) / 2e-5
			if want := float64(dy[i]) * slope; math.Abs(float64(dx[i])-want) > 3e-5 {
				t.Errorf("%s: gradient at %v is %v, want %v", tt.name, v, dx[i], want)
			}
		}
		zero := make([]float32, Lanes)
		if tt.f(y[:Lanes], zero); y[0] != 0 {
			t.Errorf("%s(0) = %v", tt.name, y[0])
		}
	}
}

// The form with tanh is an approximation; its docs say how good.
func TestGeluForms(t *testing.T) {
	x := make([]float32, 1600)
	for i := range x {
		x[i] = float32(i-800) / 100
	}
	exact, form := make([]float32, len(x)), make([]float32, len(x))
	Gelu(exact, x, 1)
	GeluTanh(form, x, 1)
	for i := range x {
		if math.Abs(float64(exact[i]-form[i])) > 5e-4 {
			t.Errorf("GELU(%v): %v exactly, %v with tanh", x[i], exact[i], form[i])
		}
	}
}
