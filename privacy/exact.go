package privacy

import (
	"fmt"
	"math"
)

// An exact prices compositions of Gaussian mixtures by the contour integral of
// [contour], in every direction, with a bound on its error.
type exact struct {
	directions []direction
}

// mostError is the relative error of δ up to which exact applies. ε is
// steadier: its relative error is that of δ divided by ε·|d ln δ/dε|.
const mostError = 1e-9

// mostEpsilon is where losses lose too many digits; nothing is private there.
const mostEpsilon = 1e6

func newExact(q Question) (exact, error) {
	ds, err := directions(q)
	return exact{ds}, err
}

// epsilon is the truth and at most 2·mostError of δ above it.
func (e exact) epsilon(delta float64) (float64, error) {
	_, upper, err := e.epsilons(delta)
	return upper, err
}

// delta is the truth and at most 2·mostError of it above.
func (e exact) delta(epsilon float64) (float64, error) {
	_, upper, err := e.deltas(epsilon)
	return upper, err
}

// epsilons brackets ε.
func (e exact) epsilons(delta float64) (lower, upper float64, err error) {
	for _, d := range e.directions {
		if upper > 0 && d.below(upper, delta) {
			continue
		}
		l, u, err := d.epsilon(delta)
		if err != nil {
			return 0, 0, err
		}
		lower, upper = max(lower, l), max(upper, u)
	}
	return lower, upper, nil
}

// deltas brackets δ.
func (e exact) deltas(epsilon float64) (lower, upper float64, err error) {
	for _, d := range e.directions {
		if upper > 0 && d.below(epsilon, upper) {
			continue
		}
		at, err := d.curve(epsilon)
		if err != nil {
			return 0, 0, err
		}
		δ, _, bound := at.delta(epsilon)
		lower, upper = max(lower, δ-bound), max(upper, δ+bound)
	}
	return max(lower, 0), min(upper, 1), nil
}

// A curve is δ(ε) of one direction near one place: its value, its slope and a
// bound on its error.
type curve interface {
	delta(ε float64) (δ, slope, bound float64)
}

// zero is the curve of a loss that never exceeds ε.
type zero struct{}

func (zero) delta(float64) (δ, slope, bound float64) { return 0, 0, 0 }

// curve is δ near ε.
func (d direction) curve(ε float64) (curve, error) {
	switch {
	case ε >= d.most():
		return zero{}, nil
	case d.steps() == 1:
		return single{d[0].law}, nil
	}
	c, err := saddle(d.cumulant, ε)
	if err != nil {
		return nil, err
	}
	k, _, k2, err := d.cumulant(c)
	if err != nil {
		return nil, err
	}
	return d.checked(c, ε, logSaddle(c, k-c*ε, k2))
}

// checked lays a contour and makes sure that it is as good as promised at ε.
func (d direction) checked(c, ε, logδ float64) (curve, error) {
	o, err := d.lay(c, ε, logδ)
	if err != nil {
		return nil, err
	}
	if δ, _, bound := o.delta(ε); !(bound <= mostError*δ) {
		return nil, fmt.Errorf("%w: quadrature gives δ(%.4g) = %.4g with an error up to %.2g", ErrNotApplicable, ε, δ, bound)
	}
	return o, nil
}

// epsilon brackets the ε at which δ(ε) = delta, or 0 if δ(0) is below delta.
func (d direction) epsilon(delta float64) (lower, upper float64, err error) {
	switch {
	case d.variation() <= delta:
		return 0, 0, nil
	case delta == 0:
		m := d.most()
		return m, m, nil
	case d.steps() == 1:
		return solve(single{d[0].law}, max(d[0].law[0].near(delta), 0), delta)
	}
	c, ε, err := saddleFor(d.cumulant, math.Log(delta))
	if err != nil {
		return 0, 0, err
	}
	ε = max(ε, 0)
	at, err := d.checked(c, ε, math.Log(delta))
	if err != nil {
		return 0, 0, err
	}
	return solve(at, ε, delta)
}

// solve brackets the ε ≥ 0 at which at's δ is delta, by Newton's method on
// ln δ, which rises towards the answer from one side; where that leads out of
// what is known, by halving.
func solve(at curve, ε, delta float64) (lower, upper float64, err error) {
	lo, hi := 0.0, math.Inf(1) // δ(lo) > delta ≥ δ(hi)
	for range 200 {
		if ε > mostEpsilon {
			return 0, 0, fmt.Errorf("%w: epsilon is above %g", ErrNotApplicable, float64(mostEpsilon))
		}
		δ, slope, bound := at.delta(ε)
		if !(bound <= 2*mostError*δ) {
			break
		}
		if δ <= delta {
			if hi = ε; ε == 0 {
				return 0, 0, nil
			}
		} else {
			lo = ε
		}
		next := ε - δ/slope*math.Log(δ/delta)
		if δ == 0 || !(next > lo && next < hi) && math.Abs(next-ε) > 1e-13*ε {
			next = (lo + min(hi, 2*lo+1)) / 2
			if hi == ε && next < 1e-300 {
				next = 0
			}
		}
		if math.Abs(next-ε) > 1e-13*ε {
			ε = next
			continue
		}
		width := 2*(bound+1e-15*δ)/-slope + math.Abs(next-ε) + 1e-14*ε
		return max(ε-width, 0), ε + width, nil
	}
	return 0, 0, fmt.Errorf("%w: no convergence to δ = %.4g near ε = %.4g", ErrNotApplicable, delta, ε)
}
