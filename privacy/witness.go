package privacy

import (
	"errors"
	"fmt"
)

// A witnessed prices batches of fixed size, for which no tight pair is known:
// from above by Rényi divergences, and from below by neighbouring data sets
// whose losses are known.
type witnessed struct {
	renyi
	witnesses [][]direction
}

// witnesses are the losses of one step on two pairs of neighbours that replace a
// unit. In the first all other gradients are 0 and the unit's turns around; in
// the second all others lie at -C, and the unit's there or at +C, so that the sum
// moves by 2C whenever it is drawn.
var witnesses = []func(e FixedSize) (remove, add law, err error){
	func(e FixedSize) (remove, add law, err error) { return ratedLaws(e.rate(), e.Noise, ReplaceOne) },
	func(e FixedSize) (remove, add law, err error) { return ratedLaws(e.rate(), e.Noise/2, AddRemove) },
}

func newWitnessed(q Question) (witnessed, error) {
	if q.relation() != ReplaceOne || !holdsFixedSize(q.Event) {
		return witnessed{}, fmt.Errorf("%w: there are no batches of fixed size", ErrNotApplicable)
	}
	r, err := newRenyi(q)
	w := witnessed{renyi: r}
	for _, witness := range witnesses {
		if err != nil {
			break
		}
		var ds []direction
		ds, err = directionsBy(q, func(step Event, r Relation) (remove, add law, err error) {
			if e, ok := step.(FixedSize); ok {
				return witness(e)
			}
			return lawsOf(step, r)
		})
		w.witnesses = append(w.witnesses, ds)
	}
	return w, err
}

func holdsFixedSize(e Event) bool {
	for _, p := range phases(e) {
		if _, ok := p.step.(FixedSize); ok {
			return true
		}
	}
	return false
}

func (w witnessed) epsilons(delta float64) (lower, upper float64, err error) {
	if upper, err = w.renyi.epsilon(delta); err != nil {
		return 0, 0, err
	}
	lower, err = w.shown(func(b bracketer) (float64, float64, error) { return b.epsilons(delta) })
	return lower, upper, err
}

func (w witnessed) deltas(epsilon float64) (lower, upper float64, err error) {
	if upper, err = w.renyi.delta(epsilon); err != nil {
		return 0, 0, err
	}
	lower, err = w.shown(func(b bracketer) (float64, float64, error) { return b.deltas(epsilon) })
	return lower, upper, err
}

// shown is the largest of the witnesses' lower ends, 0 if none can be computed.
func (w witnessed) shown(ask func(bracketer) (lower, upper float64, err error)) (most float64, err error) {
	for _, ds := range w.witnesses {
		lower, _, err := ask(exact{ds})
		if errors.Is(err, ErrNotApplicable) {
			lower, _, err = ask(pld{ds})
		}
		if err != nil && !errors.Is(err, ErrNotApplicable) {
			return 0, err
		}
		if err == nil {
			most = max(most, lower)
		}
	}
	return most, nil
}
