package kernel

func axpyGo(y []float32, a float32, x []float32) {
	for len(y) >= 4 && len(x) >= 4 {
		y[0] += a * x[0]
		y[1] += a * x[1]
		y[2] += a * x[2]
		y[3] += a * x[3]
		y, x = y[4:], x[4:]
	}
}

func addGo(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

func sumSquaresGo(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		s0 += a * a
		s1 += b * b
		s2 += c * c
		s3 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

func laneSumsGo(s *Vector, x []float32) {
	for ; len(x) >= Lanes; x = x[Lanes:] {
		v := (*[Lanes]float32)(x)
		for l := range s {
			s[l] += v[l]
		}
	}
}

// Rational approximation of tanh, odd degree 13 over even degree 6, with the
// minimax coefficients of the Eigen library (generic_fast_tanh_float); beyond
// ±tanhEnd it is ±1 in float32.
const (
	tanhEnd = 7.90531110763549805

	tanhA1  = 4.89352455891786e-03
	tanhA3  = 6.37261928875436e-04
	tanhA5  = 1.48572235717979e-05
	tanhA7  = 5.12229709037114e-08
	tanhA9  = -8.60467152213735e-11
	tanhA11 = 2.00018790482477e-13
	tanhA13 = -2.76076847742355e-16

	tanhB0 = 4.89352518554385e-03
	tanhB2 = 2.26843463243900e-03
	tanhB4 = 1.18534705686654e-04
	tanhB6 = 1.19825839466702e-06
)

func tanhGo(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		v = min(max(v, -tanhEnd), tanhEnd)
		q := v * v
		p := float32(tanhA13)
		p = p*q + tanhA11
		p = p*q + tanhA9
		p = p*q + tanhA7
		p = p*q + tanhA5
		p = p*q + tanhA3
		p = p*q + tanhA1
		d := float32(tanhB6)
		d = d*q + tanhB4
		d = d*q + tanhB2
		d = d*q + tanhB0
		y[i] = p * v / d
	}
}

func tanhGradGo(dx, dy, y []float32) {
	dy, y = dy[:len(dx)], y[:len(dx)]
	for i, v := range y {
		dx[i] = dy[i] * (1 - v*v)
	}
}
