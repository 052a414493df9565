package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"sweep/privacy"
)

// A privacyQuestion is what `sweep account` is asked, on the command line or in
// a line of --cases. One of delta (asks for epsilon), epsilon (asks for delta),
// calibrate (with both), or audit says what.
type privacyQuestion struct {
	ID         json.RawMessage `json:"id,omitempty"`
	Phases     []phase         `json:"phases,omitempty"`
	Spent      []phase         `json:"spent,omitempty"` // released before from the same data, outside of any selection
	Relation   string          `json:"relation,omitempty"`
	Unit       string          `json:"unit,omitempty"`
	Accountant string          `json:"accountant,omitempty"`
	Delta      *float64        `json:"delta,omitempty"`
	Epsilon    *float64        `json:"epsilon,omitempty"`
	Calibrate  string          `json:"calibrate,omitempty"` // one of calibrated
	Select     *selectionLaw   `json:"select,omitempty"`
	Audit      *auditCounts    `json:"audit,omitempty"`
}

// A selectionLaw says that only the best of a random number of such runs is
// released.
type selectionLaw struct {
	Law   string  `json:"law"`
	Mean  float64 `json:"mean"`
	Shape float64 `json:"shape,omitempty"`
}

// What can be calibrated.
const (
	askSigma = "sigma"
	askSteps = "steps"
	askBatch = "batch"
	askRate  = "q"
)

var calibrated = []string{askSigma, askSteps, askBatch, askRate}

// check complains about a question that asks nothing, or two things.
func (q privacyQuestion) check() error {
	switch {
	case len(q.Phases) == 0:
		return fmt.Errorf("there is no phase to account for")
	case q.Calibrate == "" && q.Epsilon == nil && q.Delta == nil:
		return fmt.Errorf("nothing is asked: delta asks for epsilon, epsilon for delta, and calibrate with both for what meets them")
	case q.Calibrate == "" && q.Epsilon != nil && q.Delta != nil:
		return fmt.Errorf("both epsilon and delta are given: say with calibrate what is to meet them, %s", strings.Join(calibrated, ", "))
	case q.Calibrate != "" && (q.Epsilon == nil || q.Delta == nil):
		return fmt.Errorf("calibrating needs a target: epsilon and delta")
	}
	return nil
}

// accountant is the one asked; certified if none is named.
func (q privacyQuestion) accountant() (privacy.Accountant, error) {
	if q.Accountant == "" {
		return privacy.Certified, nil
	}
	return privacy.ParseAccountant(q.Accountant)
}

// event is all that q is about: phases, perhaps selected, after what was spent.
func (q privacyQuestion) event() (privacy.Event, error) {
	run, err := composed("phase", q.Phases)
	if err != nil {
		return nil, err
	}
	if s := q.Select; s != nil {
		run = privacy.Select{Run: run, Count: privacy.RunCount(s.Law), Mean: s.Mean, Shape: s.Shape}
	}
	if len(q.Spent) > 0 {
		before, err := composed("spent", q.Spent)
		if err != nil {
			return nil, err
		}
		run = privacy.Composed{before, run}
	}
	return run, run.Check()
}

// composed is the one event, or all together.
func composed(what string, phases []phase) (privacy.Event, error) {
	all := make(privacy.Composed, len(phases))
	for i, p := range phases {
		e, err := p.event()
		if err != nil {
			return nil, fmt.Errorf("%s %d: %w", what, i+1, err)
		}
		all[i] = e
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

// asked is q with its event, for the package that answers.
func (q privacyQuestion) asked() (privacy.Question, error) {
	relation, err := privacy.ParseRelation(q.Relation)
	if err != nil {
		return privacy.Question{}, err
	}
	event, err := q.event()
	return privacy.Question{Event: event, Relation: relation, Unit: q.Unit}, err
}
