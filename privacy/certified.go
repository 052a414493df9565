package privacy

import "errors"

// certified answers by the tightest accountant that applies.
type certified struct{ question Question }

// A bracketer gives both sides of an answer.
type bracketer interface {
	pricer
	epsilons(delta float64) (lower, upper float64, err error)
	deltas(epsilon float64) (lower, upper float64, err error)
}

func (c certified) epsilon(delta float64) (float64, error) {
	_, upper, err := c.first(func(b bracketer) (float64, float64, error) {
		upper, err := b.epsilon(delta)
		return 0, upper, err
	})
	return upper, err
}

func (c certified) delta(epsilon float64) (float64, error) {
	_, upper, err := c.deltas(epsilon)
	return upper, err
}

func (c certified) epsilons(delta float64) (lower, upper float64, err error) {
	return c.first(func(b bracketer) (float64, float64, error) { return b.epsilons(delta) })
}

func (c certified) deltas(epsilon float64) (lower, upper float64, err error) {
	return c.first(func(b bracketer) (float64, float64, error) { return b.deltas(epsilon) })
}

// first is the answer of the first accountant that applies. RDP may still be
// below PLD, where the lattice would need too many points.
func (c certified) first(ask func(bracketer) (float64, float64, error)) (lower, upper float64, err error) {
	for _, open := range []func(Question) (bracketer, error){
		func(q Question) (bracketer, error) { return newSelection(q) },
		func(q Question) (bracketer, error) { return newChoice(q) },
		func(q Question) (bracketer, error) { return newSplit(q) },
		func(q Question) (bracketer, error) { return newExact(q) },
		func(q Question) (bracketer, error) { return newLower(q) },
		func(q Question) (bracketer, error) { return newWitnessed(q) },
		func(q Question) (bracketer, error) { return newRenyi(q) },
	} {
		var b bracketer
		if b, err = open(c.question); err == nil {
			lower, upper, err = ask(b)
		}
		if !errors.Is(err, ErrNotApplicable) {
			return lower, upper, err
		}
	}
	return 0, 0, err
}

// A lower is the lower of pld and rdp.
type lower struct {
	pld pld
	rdp renyi
}

func newLower(q Question) (lower, error) {
	p, err := newPLD(q)
	if err != nil {
		return lower{}, err
	}
	r, err := newRenyi(q)
	return lower{p, r}, err
}

func (l lower) epsilon(delta float64) (float64, error) {
	return l.least(func(b bracketer) (float64, error) { return b.epsilon(delta) })
}

func (l lower) delta(epsilon float64) (float64, error) {
	return l.least(func(b bracketer) (float64, error) { return b.delta(epsilon) })
}

func (l lower) least(ask func(bracketer) (float64, error)) (float64, error) {
	x, err := ask(l.pld)
	if err != nil {
		return 0, err
	}
	y, err := ask(l.rdp)
	return min(x, y), err
}

func (l lower) epsilons(delta float64) (under, over float64, err error) {
	under, over, err = l.pld.epsilons(delta)
	if err != nil {
		return 0, 0, err
	}
	rdp, err := l.rdp.epsilon(delta)
	return under, min(over, rdp), err
}

func (l lower) deltas(epsilon float64) (under, over float64, err error) {
	under, over, err = l.pld.deltas(epsilon)
	if err != nil {
		return 0, 0, err
	}
	rdp, err := l.rdp.delta(epsilon)
	return under, min(over, rdp), err
}

// epsilons has nothing below but 0.
func (r renyi) epsilons(delta float64) (lower, upper float64, err error) {
	upper, err = r.epsilon(delta)
	return 0, upper, err
}

func (r renyi) deltas(epsilon float64) (lower, upper float64, err error) {
	upper, err = r.delta(epsilon)
	return 0, upper, err
}
