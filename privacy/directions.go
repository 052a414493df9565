package privacy

import (
	"errors"
	"fmt"
)

// ErrNotApplicable marks a question that an accountant cannot answer although
// another can.
var ErrNotApplicable = errors.New("accountant does not apply")

// directions translates a question into losses. Both directions of an
// add/remove question are composed separately: at every ε > 0 that was tried
// removing dominates adding under Poisson sampling, but nothing proves it for
// compositions.
func directions(q Question) ([]direction, error) {
	var remove, add direction
	for _, p := range phases(q.Event) {
		e, ok := p.step.(DPSGD)
		if !ok {
			return nil, fmt.Errorf("%w: it knows no dominating pair for the event %s", ErrNotApplicable, p.step.kind())
		}
		step := pair{p: mixture{{e.SampleRate, 1}}, σ: e.Noise}
		remove = append(remove, spell{law{{1, step}}, p.times})
		add = append(add, spell{law{{1, step.swapped()}}, p.times})
	}
	return []direction{remove.merged(), add.merged()}, nil
}
