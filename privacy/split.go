package privacy

import (
	"errors"
	"math"
)

// A split prices a composition that holds events which can be priced alone but
// not composed exactly: private selections, choices, subsets. Each has a share of
// δ, all that is left one more, and their ε add up (Dwork, Roth 2014, Theorem 3.16).
// Few parts lose little by that; of many the sum of Rényi divergences is lower. The
// smaller of both is the answer.
type split struct {
	parts []share
	rdp   renyi
	known bool // rdp is
}

// A share is one part of a split, so many times.
type share struct {
	pricer
	times float64
}

func newSplit(q Question) (split, error) {
	var s split
	rest := plain(q.Event)
	costly := len(phases(rest)) > 0
	take := func(e Event, times int) error {
		asked := Question{Event: e, Relation: q.Relation}
		var p pricer = certified{asked}
		if one, err := newSelection(asked); err == nil { // whose curve is then drawn once
			p = one
		} else if !errors.Is(err, ErrNotApplicable) {
			return err
		}
		s.parts = append(s.parts, share{p, float64(times)})
		return nil
	}
	for _, p := range phases(q.Event) {
		switch p.step.(type) {
		case Select, OneOf, Subset:
			if err := take(p.step, p.times); err != nil {
				return split{}, err
			}
		}
	}
	if alone := len(s.parts) == 1 && s.parts[0].times == 1; len(s.parts) == 0 || alone && !costly {
		return split{}, ErrNotApplicable
	}
	if costly {
		s.parts = append(s.parts, share{certified{Question{Event: rest, Relation: q.Relation}}, 1})
	}
	var err error
	if s.rdp, err = newRenyi(q); err != nil && !errors.Is(err, ErrNotApplicable) {
		return split{}, err
	}
	s.known = err == nil
	return s, nil
}

// plain are the parts of e that are no [Select], [OneOf] or [Subset].
func plain(e Event) (rest Composed) {
	switch e := e.(type) {
	case Composed:
		for _, part := range e {
			rest = append(rest, plain(part)...)
		}
	case Select, OneOf, Subset:
	default:
		rest = Composed{e}
	}
	return rest
}

func (s split) epsilon(delta float64) (float64, error) {
	least := math.Inf(1)
	if s.known {
		var err error
		if least, err = s.rdp.epsilon(delta); err != nil {
			return 0, err
		}
	}
	sum, err := s.added(delta)
	return min(least, sum), err
}

// added is the sum of the parts' ε, first at equal shares of delta, then at
// shares in proportion to their ε, which is best where ε grows as √(ln 1/δ).
func (s split) added(delta float64) (float64, error) {
	weights := make([]float64, len(s.parts))
	for i := range weights {
		weights[i] = 1
	}
	least := math.Inf(1)
	for range 2 {
		var all, sum float64
		for i, p := range s.parts {
			all += p.times * weights[i]
		}
		for i, p := range s.parts {
			ε, err := p.epsilon(delta * weights[i] / all * (1 - 1e-12)) // shares that are rounded must not exceed it
			if err != nil {
				return 0, err
			}
			sum += p.times * ε
			weights[i] = max(ε, 1e-3)
		}
		least = min(least, sum)
		if math.IsInf(sum, 1) {
			break
		}
	}
	return least, nil
}

// delta is the least δ, to a thousandth, at which the parts add up to epsilon; those
// below 1e-300 are not told apart.
func (s split) delta(epsilon float64) (float64, error) {
	hi := 1.0
	if s.known {
		var err error
		if hi, err = s.rdp.delta(epsilon); err != nil {
			return 0, err
		}
	}
	lo := hi // more than lo is needed, hi is enough
	for lo > 1e-300 {
		sum, err := s.added(lo)
		if err != nil {
			return 0, err
		}
		if sum > epsilon {
			break
		}
		hi, lo = lo, lo*1e-3
	}
	for lo > 1e-300 && hi > lo*1.001 {
		mid := math.Sqrt(lo) * math.Sqrt(hi)
		sum, err := s.added(mid)
		if err != nil {
			return 0, err
		}
		if sum > epsilon {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi, nil
}

// epsilons has nothing below but 0.
func (s split) epsilons(delta float64) (lower, upper float64, err error) {
	upper, err = s.epsilon(delta)
	return 0, upper, err
}

func (s split) deltas(epsilon float64) (lower, upper float64, err error) {
	upper, err = s.delta(epsilon)
	return 0, upper, err
}
