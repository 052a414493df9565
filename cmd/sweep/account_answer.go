package main

import (
	"encoding/json"
	"time"

	"sweep/privacy"
)

// A privacyAnswer is one line of --cases' output; what does not belong to it is
// missing.
type privacyAnswer struct {
	ID         json.RawMessage `json:"id,omitempty"`
	Line       int             `json:"line,omitempty"` // of a question without an answer
	Error      string          `json:"error,omitempty"`
	Sigma      *float64        `json:"sigma,omitempty"` // calibrated
	Steps      *int            `json:"steps,omitempty"`
	Batch      *int            `json:"batch,omitempty"`
	Q          *float64        `json:"q,omitempty"`
	Epsilon    *jsonFloat      `json:"epsilon,omitempty"`
	Delta      *jsonFloat      `json:"delta,omitempty"`
	Lower      *jsonFloat      `json:"lower,omitempty"` // the truth is between these
	Upper      *jsonFloat      `json:"upper,omitempty"`
	Accountant string          `json:"accountant,omitempty"`
	Version    string          `json:"version,omitempty"`
	Covers     string          `json:"covers,omitempty"`
	Seconds    float64         `json:"seconds"`

	asked privacy.Question // what was priced, with what was calibrated in it
}

// answer answers q by prices.
func (q privacyQuestion) answer(prices *prices) (privacyAnswer, error) {
	start := time.Now()
	a, err := q.reply(prices)
	a.ID, a.Seconds = q.ID, time.Since(start).Seconds()
	return a, err
}

func (q privacyQuestion) reply(prices *prices) (privacyAnswer, error) {
	if q.Audit != nil {
		return q.audited()
	}
	if err := q.check(); err != nil {
		return privacyAnswer{}, err
	}
	by, err := q.accountant()
	if err != nil {
		return privacyAnswer{}, err
	}
	a := privacyAnswer{Accountant: string(by), Version: by.Version()}
	if q.Calibrate != "" {
		if q, err = q.calibrate(by, &a); err != nil {
			return privacyAnswer{}, err
		}
	}
	asked, err := q.asked()
	if err != nil {
		return privacyAnswer{}, err
	}
	a.asked, a.Covers = asked, privacy.Covers(asked)
	if !by.Bound() {
		a.Covers = "An approximation and no bound; usually too low. " + a.Covers
	}
	if q.Delta != nil {
		a.Epsilon, err = a.priced(prices.epsilon(by, asked, *q.Delta))
	} else {
		a.Delta, err = a.priced(prices.delta(by, asked, *q.Epsilon))
	}
	return a, err
}

// priced takes the price over into a.
func (a *privacyAnswer) priced(p price, err error) (*jsonFloat, error) {
	if err != nil {
		return nil, err
	}
	if p.bracketed {
		lower, upper := jsonFloat(p.Lower), jsonFloat(p.Upper)
		a.Lower, a.Upper = &lower, &upper
	}
	x := jsonFloat(p.value)
	return &x, nil
}

// A price is what an accountant says, and the bracket around the truth if it
// has one.
type price struct {
	value float64
	privacy.Bracket
	bracketed bool
}

// priceOf asks by for an answer with a bracket, and for one without where it is
// no bound.
func priceOf(bracket func() (privacy.Bracket, error), value func() (float64, error), by privacy.Accountant) (p price, err error) {
	if by.Bound() {
		p.Bracket, err = bracket()
		p.value, p.bracketed = p.Upper, err == nil
		return p, err
	}
	p.value, err = value()
	return p, err
}
