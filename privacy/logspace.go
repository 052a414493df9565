package privacy

import "math"

// A logSum adds positive numbers given by their logarithms without overflow.
type logSum struct{ top, scaled float64 }

func newLogSum() logSum { return logSum{top: math.Inf(-1)} }

func (s *logSum) add(x float64) {
	switch {
	case math.IsInf(x, -1):
	case x <= s.top:
		s.scaled += math.Exp(x - s.top)
	default:
		s.scaled = s.scaled*math.Exp(s.top-x) + 1
		s.top = x
	}
}

// log is the logarithm of the sum, -Inf if nothing was added.
func (s *logSum) log() float64 {
	if math.IsInf(s.top, 0) {
		return s.top
	}
	return s.top + math.Log(s.scaled)
}

// logAdd is ln(e^x + e^y).
func logAdd(x, y float64) float64 {
	if x < y {
		x, y = y, x
	}
	if math.IsInf(x, 0) {
		return x
	}
	return x + math.Log1p(math.Exp(y-x))
}

// log1pExp is ln(1 + e^x).
func log1pExp(x float64) float64 { return logAdd(0, x) }

// logExpm1 is ln(e^x - 1) for x > 0.
func logExpm1(x float64) float64 {
	if x > 40 {
		return x // e^-x is below half a unit of the last place
	}
	return math.Log(math.Expm1(x))
}

// logNormalTail is ln Pr[N(0,1) > x], to about 15 digits for every x.
func logNormalTail(x float64) float64 {
	if x < 5 {
		return math.Log(math.Erfc(x/math.Sqrt2) / 2)
	}
	return -x*x/2 - math.Log(math.Sqrt(2*math.Pi)) + math.Log(millsRatio(x))
}

// millsRatio is Pr[N(0,1) > x] / φ(x) for x ≥ 5, by Laplace's continued
// fraction 1/(x+1/(x+2/(x+3/(x+…)))) (Abramowitz, Stegun 26.2.14).
func millsRatio(x float64) float64 {
	const terms = 40 // 1e-17 at x = 5
	f := x
	for k := terms; k > 0; k-- {
		f = x + float64(k)/f
	}
	return 1 / f
}
