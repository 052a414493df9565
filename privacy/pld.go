package privacy

import (
	"fmt"
	"math"
)

// A pld prices events by discretised privacy loss distributions: one that
// dominates the truth for the upper bound and one that is dominated by it for
// the lower, so that the truth is bracketed.
type pld struct {
	directions []direction
}

func newPLD(q Question) (pld, error) {
	ds, err := directions(q)
	return pld{ds}, err
}

// epsilon is the upper end of the bracket alone, in half the time.
func (p pld) epsilon(delta float64) (float64, error) {
	_, upper, err := p.price(delta, false)
	return upper, err
}

func (p pld) delta(epsilon float64) (float64, error) {
	_, upper, err := p.deltas(epsilon)
	return upper, err
}

const (
	// tightness is the relative error of ε that the lattice is chosen for.
	tightness = 3e-5
	// mostPoints bounds a lattice and its Fourier transform, some 0.5 s; where it
	// binds the bracket is wider.
	mostPoints = 1 << 21
	// leftOut is the share of δ that cells may leave out.
	leftOut = 1e-10
)

// epsilons brackets ε.
func (p pld) epsilons(delta float64) (lower, upper float64, err error) {
	return p.price(delta, true)
}

// price is the bracket's upper end and, if both are wanted, its lower.
func (p pld) price(delta float64, both bool) (lower, upper float64, err error) {
	for _, d := range p.directions {
		if d.variation() <= delta || upper > 0 && d.below(upper, delta) {
			continue
		}
		if delta == 0 {
			m := d.most()
			lower, upper = max(lower, m), max(upper, m)
			continue
		}
		l, u, err := d.bracketEpsilon(delta, both)
		if err != nil {
			return 0, 0, err
		}
		lower, upper = max(lower, l), max(upper, u)
	}
	return lower, upper, nil
}

// bracketEpsilon brackets the ε of one direction. The window first starts
// half way to where ε is expected, and at 0 if that was too high.
func (d direction) bracketEpsilon(delta float64, both bool) (lower, upper float64, err error) {
	s := d.sample(delta)
	c, ε, err := saddleFor(s.cumulant, math.Log(delta))
	if err != nil {
		return 0, 0, err
	}
	ε = max(ε, 0)
	for _, from := range []float64{ε / 2, 0} {
		b, err := d.bracket(s, c, ε, from, delta)
		if err != nil {
			return 0, 0, err
		}
		upper = lastAbove(b.over().upper, from, ε, delta)
		if upper <= from {
			continue
		}
		if !both {
			break
		}
		if lower = firstBelow(b.under().lower, from, ε, delta); lower > from {
			break
		}
	}
	return lower, upper, nil
}

// deltas brackets δ.
func (p pld) deltas(epsilon float64) (lower, upper float64, err error) {
	for _, d := range p.directions {
		if epsilon >= d.most() || upper > 0 && d.below(epsilon, upper) {
			continue
		}
		s := d.sample(1e-30)
		c, err := saddle(s.cumulant, epsilon)
		if err != nil {
			return 0, 0, err
		}
		k, _, k2, _ := s.cumulant(c)
		b, err := d.bracket(s, c, epsilon, epsilon, math.Exp(logSaddle(c, k-c*epsilon, k2)))
		if err != nil {
			return 0, 0, err
		}
		lower, upper = max(lower, b.under().lower(epsilon)), max(upper, b.over().upper(epsilon))
	}
	return lower, min(upper, 1), nil
}

// A bracketing is a composition from both sides, computed when asked for.
type bracketing struct{ over, under func() window }

// bracket composes d on a lattice chosen for ε, where δ is about delta and the
// saddle point is c, in a window that starts at from.
func (d direction) bracket(s sample, c, ε, from, delta float64) (bracketing, error) {
	steps := d.steps()
	_, _, k2, err := s.cumulant(c)
	if err != nil {
		return bracketing{}, err
	}
	h := latticeStep(c, max(ε, 0.05*math.Sqrt(k2)), steps)
	share := leftOut * delta / steps
	lo, hi := s.extent()
	least := (hi - lo) / (mostPoints / 2)
	if least > 300*h { // the bracket would be some ten times as wide as ε
		return bracketing{}, fmt.Errorf("%w: the losses of %.3g steps are too wide for a lattice", ErrNotApplicable, steps)
	}
	h = max(h, least)
	cells := make([][]cell, len(d))
	for i, spell := range d {
		spell.law.cells(h/2, tails(share), func(c cell) { cells[i] = append(cells[i], c) })
	}
	D := s.period(c, from, math.Log(delta*leftOut))
	n := fastLength(int(math.Min(math.Ceil(D/h), mostPoints)))
	by := func(put func([]cell) lattice) func() window {
		return func() window {
			parts := make([]repeated, len(d))
			for i, spell := range d {
				parts[i] = repeated{put(cells[i]), spell.times}
			}
			return compose(parts, c, from, n)
		}
	}
	return bracketing{
		over:  by(func(cells []cell) lattice { return dominating(h, cells, share) }),
		under: by(func(cells []cell) lattice { return dominated(h, cells) }),
	}, nil
}

// latticeStep is the h at which the error of ε is about tightness. Splitting
// losses between lattice points adds about h²/6 to the second moment of each
// step, so (1+c)·h²/12 to ε.
func latticeStep(c, ε, steps float64) float64 {
	return math.Sqrt(12 * tightness * ε / ((1 + c) * steps))
}

// fastLength is a length of at least n whose Fourier transform is quick.
func fastLength(n int) int {
	m := 16
	for m < n {
		m *= 2
	}
	if m/4*3 >= n {
		return m / 4 * 3
	}
	return m
}

// lastAbove returns an ε ≥ from at which upper(ε) ≤ delta.
func lastAbove(upper func(ε float64) float64, from, guess, delta float64) float64 {
	if upper(from) <= delta {
		return from
	}
	lo, hi := from, max(guess, 1e-9)
	for upper(hi) > delta {
		lo = hi
		if hi *= 1.1; hi > 1e9 {
			return math.Inf(1)
		}
	}
	_, hi = bisect(lo, hi, func(ε float64) bool { return upper(ε) <= delta })
	return hi
}

// firstBelow returns an ε ≥ from at which lower(ε) ≥ delta; from if there is
// none.
func firstBelow(lower func(ε float64) float64, from, guess, delta float64) float64 {
	if lower(from) < delta {
		return from
	}
	lo, hi := from, max(guess, 1e-9)
	for lower(hi) >= delta {
		lo, hi = hi, hi*1.1
	}
	lo, _ = bisect(lo, hi, func(ε float64) bool { return lower(ε) < delta })
	return lo
}

// bisect narrows [lo, hi], at whose upper end past holds and at whose lower end
// it does not.
func bisect(lo, hi float64, past func(float64) bool) (float64, float64) {
	for hi-lo > 1e-9*hi {
		if mid := (lo + hi) / 2; past(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return lo, hi
}

// A sample is a direction's losses in coarse cells, good to a per cent: where
// to look for an answer, not the answer.
type sample []sampled

type sampled struct {
	mass, loss []float64
	times      float64
}

func (d direction) sample(delta float64) sample {
	out := make(sample, len(d))
	for i, s := range d {
		out[i].times = float64(s.times)
		s.law.cells(math.Inf(1), tails(leftOut*delta/d.steps()), func(c cell) {
			out[i].mass = append(out[i].mass, c.mass)
			out[i].loss = append(out[i].loss, c.merged())
		})
	}
	return out
}

func (s sample) extent() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, p := range s {
		for _, l := range p.loss {
			lo, hi = min(lo, l), max(hi, l)
		}
	}
	return lo, hi
}

// cumulant is K, K' and K” of the sample.
func (s sample) cumulant(c float64) (k, k1, k2 float64, err error) {
	for _, p := range s {
		nodes := make([]node, len(p.mass))
		for i, m := range p.mass {
			nodes[i] = node{math.Log(m), p.loss[i]}
		}
		t := summarize(nodes, c)
		k, k1, k2 = k+p.times*t.k, k1+p.times*t.mean, k2+p.times*t.vari
	}
	if math.IsNaN(k) {
		return 0, 0, 0, fmt.Errorf("%w: the loss has no moments that can be computed", ErrNotApplicable)
	}
	return k, k1, k2, nil
}

// period is how wide a circle must be for what wraps around from above the
// loss from to stay below e^goal.
func (s sample) period(c, from, goal float64) float64 {
	o := contour{c: c}
	for _, f := range []float64{1.1, 1.25, 1.5, 2, 3} {
		k, _, _, _ := s.cumulant(c * f)
		o.beyond = append(o.beyond, point{c * f, k})
	}
	return 1.05 * o.period(from, goal)
}
