package privacy

import (
	"errors"
	"math"
)

// A selection prices a private selection, released alone, from the privacy
// profile δ_Q(ε) of one run (Koskela, Redberg, Wang 2024, arXiv:2402.06701). At
// ε + shift it is m·δ_Q(ε)-private, where m = E[K] and, for
// any e ≥ 0,
//
//	shift = (1+η)·ln(exp(e) + (1-γ)/γ·δ_Q(e))      K a truncated negative binomial
//	shift = m·(exp(e) - 1 + δ_Q(e))                K Poisson
//
// It is tighter than the bound by Rényi divergences nearly always; the smaller
// of both is the answer.
type selection struct {
	run   certified
	rdp   renyi
	mean  float64
	shift float64
}

// asSelection returns the one selection that e consists of.
func asSelection(e Event) (Select, bool) {
	list := phases(e)
	if len(list) != 1 || list[0].times != 1 {
		return Select{}, false
	}
	s, ok := list[0].step.(Select)
	return s, ok
}

func newSelection(q Question) (selection, error) {
	e, ok := asSelection(q.Event)
	if !ok {
		return selection{}, ErrNotApplicable
	}
	rdp, err := newRenyi(q)
	if err != nil {
		return selection{}, err
	}
	s := selection{run: certified{Question{Event: e.Run, Relation: q.Relation}}, rdp: rdp, mean: e.Mean}
	cost := func(e1 float64) (float64, error) {
		δ, err := s.run.delta(e1)
		return e.Mean * (math.Expm1(e1) + δ), err
	}
	if e.Count != Poisson {
		if e.Mean == 1 {
			return s, nil
		}
		γ, η := e.stopping(), e.shape()
		cost = func(e1 float64) (float64, error) {
			δ, err := s.run.delta(e1)
			return (1 + η) * math.Log(math.Exp(e1)+(1-γ)/γ*δ), err
		}
	}
	s.shift, err = leastCost(cost)
	return s, err
}

// leastCost is about the least of cost over e ≥ 0; whatever e it is taken at,
// it is a bound. Each call prices a run, so a coarse search must do.
func leastCost(cost func(e float64) (float64, error)) (float64, error) {
	best, at := math.Inf(1), 0.0
	for e := 1e-3; e < 200; e *= 1.5 {
		c, err := cost(e)
		if err != nil {
			return 0, err
		}
		if c > 2*best {
			break
		}
		if c < best {
			best, at = c, e
		}
	}
	for f := 1.22; f > 1.005; f = math.Sqrt(f) {
		for _, e := range []float64{at * f, at / f} {
			c, err := cost(e)
			if err != nil {
				return 0, err
			}
			if c < best {
				best, at = c, e
			}
		}
	}
	return best, nil
}

func (s selection) epsilon(delta float64) (float64, error) {
	_, upper, err := s.epsilons(delta)
	return upper, err
}

func (s selection) delta(epsilon float64) (float64, error) {
	_, upper, err := s.deltas(epsilon)
	return upper, err
}

// epsilons has nothing below but 0.
func (s selection) epsilons(delta float64) (lower, upper float64, err error) {
	rdp, err := s.rdp.epsilon(delta)
	if err != nil {
		return 0, 0, err
	}
	ε, err := s.run.epsilon(delta / s.mean)
	if err != nil && !errors.Is(err, ErrNotApplicable) {
		return 0, 0, err
	}
	if err != nil {
		return 0, rdp, nil
	}
	return 0, min(rdp, ε+s.shift), nil
}

func (s selection) deltas(epsilon float64) (lower, upper float64, err error) {
	rdp, err := s.rdp.delta(epsilon)
	if err != nil || epsilon <= s.shift {
		return 0, rdp, err
	}
	δ, err := s.run.delta(epsilon - s.shift)
	if err != nil {
		return 0, 0, err
	}
	return 0, min(rdp, s.mean*δ, 1), nil
}
