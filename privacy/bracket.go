package privacy

import (
	"errors"
	"fmt"
	"math"
)

// A Bracket holds the truth between two numbers.
type Bracket struct {
	Lower float64 `json:"lower"`
	Upper float64 `json:"upper"`
}

// EpsilonBracket returns ε at delta from below and from above: exact to nine
// digits where [Exact] applies, by [PLD] elsewhere, and with 0 as the lower end
// where only [RDP] knows the event. Lower is what no accountant can go below; for
// [FixedSize] that is what two data sets show.
func EpsilonBracket(q Question, delta float64) (Bracket, error) {
	return Certified.EpsilonBracketOf(q, delta)
}

// DeltaBracket is [EpsilonBracket] for δ at epsilon.
func DeltaBracket(q Question, epsilon float64) (Bracket, error) {
	return Certified.DeltaBracketOf(q, epsilon)
}

// EpsilonBracketOf returns ε at delta from both sides by one accountant. Upper is
// what [Accountant.EpsilonOf] returns. [RDP] has nothing below but 0, and [GDP]
// has no bracket, since it is no bound.
func (a Accountant) EpsilonBracketOf(q Question, delta float64) (Bracket, error) {
	return a.bracket(q, checkDelta(delta), math.Inf(1), func(b bracketer) (float64, float64, error) { return b.epsilons(delta) })
}

// DeltaBracketOf is [Accountant.EpsilonBracketOf] for δ at epsilon.
func (a Accountant) DeltaBracketOf(q Question, epsilon float64) (Bracket, error) {
	return a.bracket(q, checkEpsilon(epsilon), 1, func(b bracketer) (float64, float64, error) { return b.deltas(epsilon) })
}

func (a Accountant) bracket(q Question, invalid error, bare float64, ask func(bracketer) (float64, float64, error)) (Bracket, error) {
	p, err := a.pricer(q)
	if err == nil {
		err = invalid
	}
	var both Bracket
	if err == nil {
		b, ok := p.(bracketer)
		if !ok {
			return Bracket{}, fmt.Errorf("account by %s: %w: it is no bound and has no bracket", a, ErrNotApplicable)
		}
		both.Lower, both.Upper, err = ask(b)
	}
	switch {
	case errors.Is(err, errNoNoise) && invalid == nil:
		return Bracket{0, bare}, nil
	case err != nil:
		return Bracket{}, fmt.Errorf("account by %s: %w", a, err)
	}
	return both, nil
}

// Errs says on which side of the truth the accountant's numbers lie, and by how
// much.
func (a Accountant) Errs() string {
	return map[Accountant]string{
		Certified: "above, by at most 1e-4 of it wherever exact applies",
		Exact:     "above, by its error bound of about 1e-9 of it",
		PLD:       "above, by about 3e-5 of it",
		RDP:       "above, by 5 to 15 % for typical training",
		GDP:       "no bound: usually below",
	}[a]
}
