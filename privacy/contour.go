package privacy

import (
	"fmt"
	"math"
)

// A contour holds the cumulant generating function K of a composed loss along
// the line Re z = c, from which
//
//	δ(ε) = 1/(2πi) ∫ exp(K(z) - zε) / (z(1+z)) dz,   K(z) = Σ T·ln E_P[exp(zL)]
//
// follows by the trapezoid rule, for any ε near the one it was laid for. This
// is the saddle-point accountant (Alghamdi, Gomez, Asoodeh, Calmon, Kosut,
// Sankar 2023, arXiv:2208.09595) with quadrature in place of its expansions.
//
// The rule's error is known: with spacing du and D = 2π/du, Poisson summation
// gives exactly δ(ε) + Σ_{n≥1} e^{cnD}·δ(ε+nD) + Σ_{n≥1} e^{-cnD}·δ(ε-nD).
// Both sums are positive and bounded by Chernoff's inequality and by δ ≤ 1.
type contour struct {
	c, du  float64
	k      float64      // K(c)
	logs   []complex128 // K(c + i·n·du) - K(c), up to 2πi
	errs   []float64    // relative error of exp of each, from the quadrature in x
	end    float64      // |exp| of logs beyond the last, at most
	beyond []point      // other real points of K, for Chernoff's bound
	rounds float64      // size of what was rounded on the way to K(c): Σ T·(|K| + c·E|L|)
	size   float64      // and to the logs, for each unit of frequency: Σ T·E|L|
}

// A point is K at a real argument.
type point struct{ c, k float64 }

const (
	// accuracy is the relative error of δ that a contour is laid for.
	accuracy = 1e-12
	// unit is taken for the relative error of rounding, some five times what a
	// single operation does.
	unit = 1e-15
	// mostWork bounds the frequencies times nodes of one contour: some 60 ms.
	mostWork = 2e7
)

// cumulant is K, K' and K” at real c ≥ 0.
func (d direction) cumulant(c float64) (k, k1, k2 float64, err error) {
	for _, s := range d {
		t, err := s.law.tilt(c, 0, rounded)
		if err != nil {
			return 0, 0, 0, err
		}
		n := float64(s.times)
		k, k1, k2 = k+n*t.k, k1+n*t.mean, k2+n*t.vari
	}
	return k, k1, k2, nil
}

// lay returns a contour through c that gives δ near the scale e^logδ at ε.
func (d direction) lay(c, ε, logδ float64) (*contour, error) {
	k, _, k2, err := d.cumulant(c)
	if err != nil {
		return nil, err
	}
	o := &contour{c: c, k: k}
	for _, f := range []float64{1.2, 1.5, 2, 3} {
		at, _, _, err := d.cumulant(c * f)
		if err != nil {
			break // a tilt too strong only loosens the bound
		}
		o.beyond = append(o.beyond, point{c * f, at})
	}
	goal := logδ + math.Log(accuracy)
	o.du = 2 * math.Pi / o.period(ε, goal)
	// |exp K| falls at first like a Gaussian's; if it does not go on like that,
	// the contour is made longer.
	goal -= k - c*ε
	for u := 9.5 / math.Sqrt(k2); ; u *= 2 {
		ts, err := d.tilts(o, u)
		if err != nil {
			return nil, err
		}
		if d.decayed(ts, u, goal) && d.extend(o, ts, u, goal) {
			return o, nil
		}
	}
}

// period is a D for which the aliases of δ(ε) are at most e^goal.
func (o *contour) period(ε, goal float64) float64 {
	left := (math.Ln2 - goal) / o.c
	right := math.Inf(1)
	for _, p := range o.beyond {
		right = min(right, (p.k-p.c*ε+math.Ln2-goal)/(p.c-o.c))
	}
	return max(left, right)
}

// aliases bounds what the trapezoid rule adds to δ(ε).
func (o *contour) aliases(ε float64) float64 {
	D := 2 * math.Pi / o.du
	sum := func(logFirst, logRatio float64) float64 { return math.Exp(logFirst) / -math.Expm1(logRatio) }
	right := math.Inf(1)
	for _, p := range o.beyond {
		right = min(right, sum(p.k-p.c*ε-(p.c-o.c)*D, -(p.c-o.c)*D))
	}
	return sum(-o.c*D, -o.c*D) + right
}

// tilts are the laws of d under o's tilt, good up to frequency u. It fails if
// computing K that far would take too long.
func (d direction) tilts(o *contour, u float64) ([]tilt, error) {
	n := u / o.du
	if !(n < mostWork) {
		return nil, fmt.Errorf("%w: the contour would be too long", ErrNotApplicable)
	}
	ts := make([]tilt, len(d))
	for i, s := range d {
		nats := rounded + math.Log(float64(s.times)) // errors count once for each step
		var err error
		if ts[i], err = s.law.tilt(o.c, u, nats); err != nil {
			return nil, err
		}
		if n*float64(len(ts[i].losses)) > mostWork {
			return nil, fmt.Errorf("%w: with so few steps at so small a sampling rate or noise the loss is too far from smooth", ErrNotApplicable)
		}
	}
	return ts, nil
}

// decayed reports whether exp K seems to be below e^goal relative to exp(K(c))
// from frequency u on, by a look at a few frequencies just below.
func (d direction) decayed(ts []tilt, u, goal float64) bool {
	const looks = 8
	goal = max(goal, -700) // below that exp K is 0
	for i := range looks {
		at := u * (1 - float64(i)/(8*looks))
		var log float64
		for j, s := range d {
			log += float64(s.times) * ts[j].logModulus(at)
		}
		if log-math.Log(math.Pi*u) >= goal {
			return false
		}
	}
	return true
}

// extend computes K up to frequency u and reports whether the rest is below
// e^goal relative to exp(K(c)).
func (d direction) extend(o *contour, ts []tilt, u, goal float64) bool {
	n := int(math.Ceil(u/o.du)) + 1
	o.logs, o.errs, o.rounds, o.size = make([]complex128, n), make([]float64, n), 0, 0
	for i, s := range d {
		ts[i].characteristic(o.du, float64(s.times), o.logs, o.errs)
		o.rounds += float64(s.times) * (math.Abs(ts[i].k) + o.c*ts[i].size)
		o.size += float64(s.times) * ts[i].size
	}
	o.end = 0
	for i := n - max(n/8, 1); i < n; i++ {
		o.end = max(o.end, math.Exp(real(o.logs[i])))
	}
	return math.Log(o.end)-math.Log(math.Pi*u) < goal
}

// delta is δ(ε), its slope dδ/dε, and a bound on the error of δ. The tail beyond
// the last frequency is bounded by taking |exp K| not to rise again there.
func (o *contour) delta(ε float64) (δ, slope, bound float64) {
	scale := math.Exp(o.k-o.c*ε) * o.du / math.Pi
	var size float64
	for n, log := range o.logs {
		u := float64(n) * o.du
		r := math.Exp(real(log))
		if n == 0 {
			r /= 2
		}
		sin, cos := math.Sincos(imag(log) - u*ε)
		z := complex(o.c, u)
		g := complex(r*cos, r*sin) / (1 + z)
		slope -= real(g)
		f := g / z
		δ += real(f)
		size += (o.errs[n] + unit*(1+u*(o.size+ε))) * math.Hypot(real(f), imag(f))
	}
	tail := o.end / (float64(len(o.logs)) * o.du) / o.du
	bound = scale*(size+unit*(1+o.rounds+o.c*ε)*math.Abs(δ)+tail) + o.aliases(ε)
	return scale * δ, scale * slope, bound
}
