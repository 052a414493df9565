package privacy

import (
	"errors"
	"testing"
)

// A bracket's upper end is what the accountant answers, and its lower end below
// the truth as exact has it.
func TestBracketsOfAccountants(t *testing.T) {
	q := Question{Event: DPSGD{0.01, 1, 1000}}
	truth, err := Exact.EpsilonBracketOf(q, 1e-5)
	if err != nil || truth.Upper-truth.Lower > 1e-8*truth.Upper {
		t.Fatalf("exact: %+v, %v", truth, err)
	}
	for _, a := range []Accountant{Certified, Exact, PLD, RDP} {
		b, err1 := a.EpsilonBracketOf(q, 1e-5)
		ε, err2 := a.EpsilonOf(q, 1e-5)
		if err := errors.Join(err1, err2); err != nil || b.Upper != ε || b.Lower > truth.Lower || b.Upper < truth.Lower {
			t.Errorf("%s: %+v, answers %v, %v; the truth is %v", a, b, ε, err, truth.Lower)
		}
		d, err := a.DeltaBracketOf(q, truth.Upper)
		if err != nil || d.Lower > 1e-5 || d.Upper < 1e-5*(1-1e-8) {
			t.Errorf("%s: δ in %+v, %v; the truth is 1e-5", a, d, err)
		}
		if a.Errs() == "" {
			t.Errorf("%s does not say on which side it errs", a)
		}
	}
	if b, err := GDP.EpsilonBracketOf(q, 1e-5); !errors.Is(err, ErrNotApplicable) {
		t.Errorf("gdp, which is no bound, has the bracket %+v, %v", b, err)
	}
}
