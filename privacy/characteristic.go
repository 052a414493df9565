package privacy

import "math"

// characteristic adds times·ln E_t[exp(i·u·L)] to logs for u = 0, du, 2du, …, and
// to errs how far the trapezoid rule over x may be off, for t tilted.
//
// The sums run over exp(iuL) - 1, so that they keep their digits for small uL,
// and advance from u to u+du by one complex product per node; every 64th
// is computed afresh. Halving the grid squares the rule's error, so the square
// of the difference between its even and its odd nodes estimates it.
func (t tilt) characteristic(du, times float64, logs []complex128, errs []float64) {
	n := len(t.losses)
	turnRe, turnIm := make([]float64, n), make([]float64, n) // exp(i·du·L) - 1
	re, im := make([]float64, n), make([]float64, n)         // exp(iuL) - 1
	for j, l := range t.losses {
		turnRe[j], turnIm[j] = expm1i(du * l)
	}
	for k := range logs {
		switch {
		case k == 0:
		case k%64 == 0:
			for j, l := range t.losses {
				re[j], im[j] = expm1i(float64(k) * du * l)
			}
		default:
			for j, tr := range turnRe {
				ti, r, i := turnIm[j], re[j], im[j]
				re[j] = r + tr + (r*tr - i*ti)
				im[j] = i + ti + (r*ti + i*tr)
			}
		}
		var evenRe, evenIm, oddRe, oddIm float64
		j := 0
		for ; j+1 < n; j += 2 {
			evenRe += t.weights[j] * re[j]
			evenIm += t.weights[j] * im[j]
			oddRe += t.weights[j+1] * re[j+1]
			oddIm += t.weights[j+1] * im[j+1]
		}
		if j < n {
			evenRe += t.weights[j] * re[j]
			evenIm += t.weights[j] * im[j]
		}
		a, b := evenRe+oddRe, evenIm+oddIm
		logs[k] += complex(times/2*math.Log1p(2*a+a*a+b*b), times*math.Atan2(b, 1+a))
		half := math.Hypot(evenRe-oddRe, evenIm-oddIm)
		errs[k] += times * half * half / max(math.Hypot(1+a, b), 1e-300)
	}
}

// expm1i is exp(iθ) - 1.
func expm1i(θ float64) (re, im float64) {
	half, _ := math.Sincos(θ / 2)
	sin, _ := math.Sincos(θ)
	return -2 * half * half, sin
}

// logModulus is ln |E_t[exp(i·u·L)]|.
func (t tilt) logModulus(u float64) float64 {
	var re, im float64
	for j, l := range t.losses {
		sin, cos := math.Sincos(u * l)
		re += t.weights[j] * cos
		im += t.weights[j] * sin
	}
	return math.Log(math.Hypot(re, im))
}
