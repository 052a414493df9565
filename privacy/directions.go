package privacy

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/stat/distuv"
)

// ErrNotApplicable marks a question that an accountant cannot answer although
// another can.
var ErrNotApplicable = errors.New("accountant does not apply")

// errNoNoise marks a question whose answer is that nothing is private.
var errNoNoise = errors.New("a step without noise")

// smallNoise is the σ below which losses are so steep that quadratures give up.
const smallNoise = 0.02

// directions translates a question into losses. Both directions of a question
// are composed separately: at every ε > 0 that was tried removing dominates
// adding under Poisson sampling, but nothing proves it for compositions. There
// is one direction only if they mirror each other.
func directions(q Question) ([]direction, error) { return directionsBy(q, lawsOf) }

// laws gives the losses of one step in the direction of removing and in that of
// adding, the latter nil if they are alike.
type laws func(step Event, r Relation) (remove, add law, err error)

func directionsBy(q Question, losses laws) ([]direction, error) {
	var there, back direction
	mirrored := true
	for _, p := range phases(q.Event) {
		to, from, err := losses(p.step, q.relation())
		if err != nil {
			return nil, err
		}
		if from == nil {
			from = to
		} else {
			mirrored = false
		}
		there = append(there, spell{to, p.times})
		back = append(back, spell{from, p.times})
	}
	there, back = there.merged(), back.merged()
	if μ := there.strongest(); μ > mostStrength {
		return nil, fmt.Errorf("%w: full batches with a joint strength of %.3g leave nothing private", ErrNotApplicable, μ)
	}
	if mirrored {
		return []direction{there}, nil
	}
	return []direction{there, back}, nil
}

// mostStrength is the μ of a Gaussian release above which ε exceeds 500,000.
const mostStrength = 1000

// strongest is the largest μ of d's plain Gaussian releases, 0 if there are none.
func (d direction) strongest() float64 {
	var most float64
	for _, s := range d {
		for _, b := range s.law {
			if μ, ok := b.gaussian(); ok {
				most = max(most, μ)
			}
		}
	}
	return most
}

// lawsOf are the laws of dominating pairs.
func lawsOf(step Event, r Relation) (remove, add law, err error) {
	switch e := step.(type) {
	case DPSGD:
		return ratedLaws(e.SampleRate, e.Noise, r)
	case Gaussian:
		return ratedLaws(1, e.Noise, r)
	case TruncatedPoisson:
		return truncatedLaws(e, r)
	case Laplace:
		b := e.Scale
		if r == ReplaceOne {
			b /= 2
		}
		return law{{1, laplace{b}}}, nil, nil
	case RandomizedResponse:
		if r != ReplaceOne {
			return nil, nil, fmt.Errorf("%w: randomized response replaces an answer; ask with the relation %s", ErrNotApplicable, ReplaceOne)
		}
		return law{{1, answers(e)}}, nil, nil
	case FixedSize:
		return nil, nil, fmt.Errorf("%w: no tight pair is known for batches of fixed size; ask rdp with the relation %s", ErrNotApplicable, ReplaceOne)
	}
	return nil, nil, fmt.Errorf("%w: it knows no dominating pair for the event %s", ErrNotApplicable, step.kind())
}

// ratedLaws are the losses of a Gaussian release of a Poisson sample:
//
//	removing: (1-q)·N(0,σ²) + q·N(1,σ²) against N(0,σ²), adding the reverse
//	replacing: (1-q)·N(0,σ²) + q·N(1,σ²) against (1-q)·N(0,σ²) + q·N(-1,σ²)
func ratedLaws(q, σ float64, r Relation) (remove, add law, err error) {
	if err := enoughNoise(σ); err != nil {
		return nil, nil, err
	}
	in := mixture{{q, 1}}
	if r == ReplaceOne {
		return law{{1, pair{in, mixture{{q, -1}}, σ}}}, nil, nil
	}
	return law{{1, pair{p: in, σ: σ}}}, law{{1, pair{q: in, σ: σ}}}, nil
}

func enoughNoise(σ float64) error {
	switch {
	case σ == 0:
		return errNoNoise
	case σ < smallNoise:
		return fmt.Errorf("%w: noise multiplier %v is below %v; ask rdp", ErrNotApplicable, σ, smallNoise)
	}
	return nil
}

// truncatedLaws are the losses of one truncated Poisson batch. With the
// probability w the other n-1 examples fill it: then all that is random about
// the rest of the batch is a uniform choice of MaxBatch among them, and the
// unit takes the place of one of these with the probability
//
//	q' = MaxBatch·Pr[Bin(n,q) > MaxBatch] / (n·w),   w = Pr[Bin(n-1,q) ≥ MaxBatch]
//
// which moves the sum by up to two clipping norms; otherwise the batch is an
// ordinary one. When the unit is removed, the place stays with the other. When it
// is replaced or zeroed out, both sums differ from the one without it, by up to
// two clipping norms each, in opposite directions at worst. (The w and q' are
// those of arXiv:2508.15089 and dp_accounting.)
func truncatedLaws(e TruncatedPoisson, r Relation) (remove, add law, err error) {
	remove, add, err = ratedLaws(e.SampleRate, e.Noise, r)
	n, q, most := float64(e.Examples), e.SampleRate, float64(e.MaxBatch)
	w := binomialTail(n-1, q, most-1)
	if err != nil || w == 0 {
		return remove, add, err
	}
	in := min(most*binomialTail(n, q, most)/(n*w), 1)
	full, opposite := mixture{{in, 2}}, mixture{{in, -2}}
	switch r {
	case AddRemove:
		return remove.unless(w, pair{p: full, σ: e.Noise}), add.unless(w, pair{q: full, σ: e.Noise}), nil
	case ReplaceOne:
		return remove.unless(w, pair{full, opposite, e.Noise}), nil, nil
	}
	return remove.unless(w, pair{full, opposite, e.Noise}), add.unless(w, pair{full, opposite, e.Noise}), nil
}

// unless is other with the probability w and l, of one branch, otherwise.
func (l law) unless(w float64, other pair) law {
	if w == 1 {
		return law{{1, other}}
	}
	return law{{w, other}, {1 - w, l[0].losses}}
}

// binomialTail is Pr[Bin(n, q) > k].
func binomialTail(n, q, k float64) float64 {
	switch {
	case k < 0:
		return 1
	case k >= n:
		return 0
	case q == 1:
		return 1
	}
	return distuv.Beta{Alpha: k + 1, Beta: n - k}.CDF(q)
}
