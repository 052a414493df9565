package main

import (
	"github.com/urfave/cli/v2"

	"sweep/privacy"
)

// compareAccountants prints what every accountant answers, how long it took and
// on which side it errs.
func compareAccountants(c *cli.Context, q privacyQuestion) error {
	if q.Audit != nil {
		return usagef("--compare is for accountants; an audit has none")
	}
	l := listing{headings: []string{"accountant", askedOf(q), "the truth is at least", "milliseconds", "errs"}}
	var rows []compared
	for _, by := range []privacy.Accountant{privacy.Certified, privacy.Exact, privacy.PLD, privacy.RDP, privacy.GDP} {
		q.Accountant = string(by)
		a, err := q.answer(new(prices))
		row := compared{privacyAnswer: a, Errs: by.Errs()}
		row.Accountant, row.Version = string(by), by.Version()
		switch {
		case err == nil:
			l.rows = append(l.rows, []any{string(by), row.shown(), row.least(), round2(1000 * a.Seconds), row.Errs})
		case by == privacy.Certified:
			return &exitError{exitUsage, err} // what it cannot answer, none can
		default:
			row.Error = err.Error()
			l.rows = append(l.rows, []any{string(by), nil, nil, nil, row.Error})
		}
		rows = append(rows, row)
	}
	l.json = map[string]any{"schema": 1, "accountants": rows}
	return l.print(c)
}

type compared struct {
	privacyAnswer
	Errs string `json:"errs"`
}

// askedOf is the heading over the answers.
func askedOf(q privacyQuestion) string {
	switch {
	case q.Calibrate == askSigma:
		return "noise multiplier σ"
	case q.Calibrate != "":
		return q.Calibrate
	case q.Delta != nil:
		return "ε"
	}
	return "δ"
}

// shown is what the row answers.
func (r compared) shown() any {
	switch {
	case r.Sigma != nil:
		return *r.Sigma
	case r.Steps != nil:
		return *r.Steps
	case r.Batch != nil:
		return *r.Batch
	case r.Q != nil:
		return *r.Q
	case r.Epsilon != nil:
		return privacy.RoundUp(float64(*r.Epsilon), 6)
	}
	return privacy.RoundUp(float64(*r.Delta), 6)
}

// least is the lower end of the bracket, if there is one.
func (r compared) least() any {
	if r.Lower == nil {
		return nil
	}
	return privacy.RoundDown(float64(*r.Lower), 6)
}
