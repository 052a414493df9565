package main

import (
	"fmt"
	"slices"
	"strings"

	"sweep/privacy"
)

// calibrate finds what q asks for, writes it into a, and returns the question
// what that costs.
func (q privacyQuestion) calibrate(by privacy.Accountant, a *privacyAnswer) (privacyQuestion, error) {
	i, err := q.open()
	if err != nil {
		return q, err
	}
	c, err := q.calibration(by)
	if err != nil {
		return q, err
	}
	with := func(p phase) privacyQuestion {
		q := q
		q.Phases = slices.Clone(q.Phases)
		q.Phases[i] = p
		q.Calibrate, q.Epsilon = "", nil
		return q
	}
	p := q.Phases[i]
	// What does not depend on the parameter is checked with a value of it that any
	// event can have, so that a mistake is told apart from a target out of reach.
	ask, err := asksFor(q.Calibrate, p)
	if err != nil {
		return q, err
	}
	event := func(p phase) privacy.Event {
		q := with(p)
		q.Spent = nil // which the calibration adds
		e, err := q.event()
		if err != nil {
			return privacy.Composed{nil} // its Check fails
		}
		return e
	}
	if _, err := with(ask.probe).event(); err != nil {
		return q, err
	}
	p, err = ask.solve(c, event, a)
	return with(p), err
}

// open is the phase whose parameter is calibrated: the only one that leaves it
// open, or the only one.
func (q privacyQuestion) open() (int, error) {
	has := func(p phase) bool {
		switch q.Calibrate {
		case askSigma:
			return p.Sigma != nil
		case askSteps:
			return p.Steps != nil || p.Epochs != nil
		case askBatch:
			return p.Batch != nil
		}
		return p.Q != nil
	}
	if !slices.Contains(calibrated, q.Calibrate) {
		return 0, fmt.Errorf("cannot calibrate %q; possible are %s", q.Calibrate, strings.Join(calibrated, ", "))
	}
	var open []int
	for i, p := range q.Phases {
		if len(p.Event) == 0 && !has(p) {
			open = append(open, i)
		}
	}
	switch {
	case len(open) == 1:
		return open[0], nil
	case len(open) == 0 && len(q.Phases) == 1 && len(q.Phases[0].Event) == 0:
		return 0, nil
	}
	return 0, fmt.Errorf("%d phases leave %s open; calibrating needs one", len(open), q.Calibrate)
}

func (q privacyQuestion) calibration(by privacy.Accountant) (privacy.Calibration, error) {
	c := privacy.Calibration{Accountant: by, Target: privacy.Budget{Epsilon: *q.Epsilon, Delta: *q.Delta}}
	var err error
	if c.Relation, err = privacy.ParseRelation(q.Relation); err != nil {
		return c, err
	}
	if len(q.Spent) > 0 {
		c.Spent, err = composed("spent", q.Spent)
	}
	return c, err
}

// An asking finds one parameter of a phase.
type asking struct {
	probe phase // with a value in it that is never wrong
	solve func(c privacy.Calibration, event func(phase) privacy.Event, a *privacyAnswer) (phase, error)
}

func asksFor(what string, p phase) (asking, error) {
	switch what {
	case askSigma:
		return asking{withSigma(p, 1), func(c privacy.Calibration, event func(phase) privacy.Event, a *privacyAnswer) (phase, error) {
			σ, err := c.NoiseOf(func(σ float64) privacy.Event { return event(withSigma(p, σ)) })
			a.Sigma = &σ
			return withSigma(p, σ), err
		}}, nil
	case askSteps:
		return asking{withSteps(p, 1), func(c privacy.Calibration, event func(phase) privacy.Event, a *privacyAnswer) (phase, error) {
			n, err := c.StepsOf(func(n int) privacy.Event { return event(withSteps(p, n)) })
			a.Steps = &n
			return withSteps(p, n), err
		}}, nil
	case askBatch:
		if p.N == nil || *p.N < 1 {
			return asking{}, fmt.Errorf("calibrating the batch needs n, the examples")
		}
		return asking{withBatch(p, 1), func(c privacy.Calibration, event func(phase) privacy.Event, a *privacyAnswer) (phase, error) {
			b, err := c.BatchOf(int(*p.N), func(b int) privacy.Event { return event(withBatch(p, b)) })
			a.Batch = &b
			return withBatch(p, b), err
		}}, nil
	}
	return asking{withRate(p, 0.5), func(c privacy.Calibration, event func(phase) privacy.Event, a *privacyAnswer) (phase, error) {
		q, err := c.SampleRateOf(func(q float64) privacy.Event { return event(withRate(p, q)) })
		a.Q = &q
		return withRate(p, q), err
	}}, nil
}

func withSigma(p phase, σ float64) phase { p.Sigma = &σ; return p }

func withSteps(p phase, n int) phase {
	steps := whole(n)
	p.Steps, p.Epochs = &steps, nil
	return p
}

func withBatch(p phase, n int) phase {
	batch := whole(n)
	p.Batch, p.Q = &batch, nil
	return p
}

func withRate(p phase, q float64) phase {
	p.Q, p.Batch = &q, nil
	return p
}
