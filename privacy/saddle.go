package privacy

import (
	"fmt"
	"math"
)

// logSaddle is the leading term of ln δ at the saddle point c of the integrand,
// where kε = K(c) - cε and k2 = K”(c).
func logSaddle(c, kε, k2 float64) float64 {
	return kε - math.Log(c*(1+c)) - math.Log(2*math.Pi*(k2+1/(c*c)+1/((1+c)*(1+c))))/2
}

// A cumulants gives K(c), K'(c) and K”(c) at real c ≥ 0.
type cumulants func(c float64) (k, k1, k2 float64, err error)

// saddle is the c > 0, to a per cent, at which the integrand of δ(ε) has its
// saddle point: K'(c) = ε + 1/c + 1/(1+c).
func saddle(cumulant cumulants, ε float64) (float64, error) {
	return root(1, func(c float64) (float64, error) {
		_, k1, _, err := cumulant(c)
		return k1 - ε - 1/c - 1/(1+c), err
	})
}

// saddleFor is the saddle point, and the ε that belongs to it, at which δ is
// about e^logδ.
func saddleFor(cumulant cumulants, logδ float64) (c, ε float64, err error) {
	_, _, k2, err := cumulant(1)
	if err != nil {
		return 0, 0, err
	}
	c, err = root(math.Sqrt(-2*logδ/k2), func(c float64) (float64, error) {
		k, k1, k2, err := cumulant(c)
		ε = k1 - 1/c - 1/(1+c)
		return logδ - logSaddle(c, k-c*ε, k2), err
	})
	return c, ε, err
}

// root returns an x > 0, to a per cent or better, where f, which rises, is 0.
// The last call of f is at the root.
func root(x float64, f func(x float64) (float64, error)) (float64, error) {
	lo, hi := 0.0, math.Inf(1)
	var atLo, atHi float64
	for range 200 {
		y, err := f(x)
		if err != nil {
			return 0, err
		}
		if y <= 0 {
			lo, atLo = x, y
		} else {
			hi, atHi = x, y
		}
		if hi < lo*1.01 || y == 0 {
			return x, nil
		}
		switch {
		case math.IsInf(hi, 1):
			x = lo * 2
		case lo == 0:
			x = hi / 2
		default: // false position in ln x, kept off the ends
			f := min(max(atLo/(atLo-atHi), 0.1), 0.9)
			x = lo * math.Pow(hi/lo, f)
		}
	}
	return 0, fmt.Errorf("%w: no saddle point", ErrNotApplicable)
}

// below reports whether δ(ε) is at most delta for sure, by Chernoff's bound
// ln δ ≤ K(c) - cε + c·ln c - (1+c)·ln(1+c), at a few c > 0. False is no answer.
func (d direction) below(ε, delta float64) bool {
	if ε >= d.most() {
		return true
	}
	c := 1.0
	_, _, k2, err := d.cumulant(c)
	if err != nil {
		return false
	}
	for c = math.Sqrt(-2 * math.Log(delta) / k2); err == nil && c < 1e6; c *= 1.5 {
		var k, k1 float64
		if k, k1, _, err = d.cumulant(c); err != nil {
			break
		}
		if k-c*ε+c*math.Log(c)-(1+c)*math.Log1p(c) <= math.Log(delta) {
			return true
		}
		if k1 > ε { // past the best c
			break
		}
	}
	return false
}
