package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/text"

	"sweep/privacy"
)

// An answered question is what the command prints.
type answered struct {
	question privacyQuestion
	answer   privacyAnswer
	attacks  []memberAttack
}

// wrapAt is where sentences in a table go on in the next line.
const wrapAt = 96

// listing is r as a table; wrapped if it is for people and not for programs.
func (r answered) listing(wrapped bool) listing {
	q, a := r.question, r.answer
	l := listing{headings: []string{"quantity", "value"}}
	fields := map[string]any{"schema": 1, "accountant": a.Version, "covers": a.Covers, "seconds": a.Seconds}
	add := func(name, key string, shown string, value any) {
		if wrapped {
			shown = text.WrapText(text.WrapSoft(shown, wrapAt), wrapAt)
		}
		l.rows = append(l.rows, []any{name, shown})
		if key != "" {
			fields[key] = value
		}
	}
	epsilon, delta := a.Epsilon, a.Delta
	if epsilon == nil && q.Epsilon != nil {
		given := jsonFloat(*q.Epsilon)
		epsilon = &given
	}
	if delta == nil && q.Delta != nil {
		given := jsonFloat(*q.Delta)
		delta = &given
	}
	rounding := "rounded up"
	if !privacy.Accountant(a.Accountant).Bound() {
		rounding = "an approximation, no bound"
	}
	switch {
	case q.Audit != nil:
		fields["accountant"] = a.Accountant
		add("epsilon (lower bound, rounded down)", "epsilon", plain(privacy.RoundDown(float64(*epsilon), 4)), *epsilon)
	case a.Epsilon != nil:
		add("epsilon ("+rounding+")", "epsilon", privacy.FormatEpsilon(float64(*epsilon), 4), *epsilon)
	default:
		add("epsilon", "epsilon", exact(float64(*epsilon)), *epsilon)
	}
	if a.Delta != nil {
		add("delta ("+rounding+")", "delta", privacy.FormatEpsilon(float64(*delta), 4), *delta)
	} else if delta != nil {
		add("delta", "delta", exact(float64(*delta)), *delta)
	}
	if a.Lower != nil && a.Upper != nil {
		fields["lower"], fields["upper"] = *a.Lower, *a.Upper
		if *a.Lower > 0 && q.Audit == nil {
			add("the truth is at least", "", plain(privacy.RoundDown(float64(*a.Lower), 6)), nil)
		}
	}
	r.describe(add)
	for _, x := range r.attacks {
		add(fmt.Sprintf("members an attack can find at %g %% false alarms", 100*x.FPR), "", fmt.Sprintf("%.3g %%", 100*privacy.RoundUp(x.TPR, 3)), nil)
	}
	if len(r.attacks) > 0 {
		fields["attacks"] = r.attacks
	}
	add("accountant", "", fields["accountant"].(string), nil)
	add("covers", "", a.Covers, nil)
	l.json = fields
	return l
}

// describe adds what was accounted for: a run in its own words, anything else
// as an event.
func (r answered) describe(add func(name, key, shown string, value any)) {
	e := r.answer.asked.Event
	if e == nil {
		return
	}
	if run, ok := r.run(); ok {
		add("noise multiplier σ", "sigma", exact(run.Noise), run.Noise)
		add("sampling rate q", "q", exact(run.SampleRate), run.SampleRate)
		if n := r.answer.Batch; n != nil {
			add("batch", "batch", strconv.Itoa(*n), *n)
		}
		add("steps", "steps", strconv.Itoa(run.Steps), run.Steps)
		if run == e {
			return
		}
	} else {
		r.calibrated(add)
	}
	if form, err := privacy.MarshalEvent(e); err == nil {
		add("event", "event", string(form), json.RawMessage(form))
	}
}

// run is the training that the flags spoke of, with what was calibrated in it,
// if it is plain DP-SGD.
func (r answered) run() (privacy.DPSGD, bool) {
	e := r.answer.asked.Event
	if all, ok := e.(privacy.Composed); ok && len(r.question.Spent) > 0 && len(all) == 2 {
		e = all[1]
	}
	if s, ok := e.(privacy.Select); ok {
		e = s.Run
	}
	run, ok := e.(privacy.DPSGD)
	return run, ok
}

func (r answered) calibrated(add func(name, key, shown string, value any)) {
	a := r.answer
	if a.Sigma != nil {
		add("noise multiplier σ (rounded up)", "sigma", exact(*a.Sigma), *a.Sigma)
	}
	if a.Q != nil {
		add("sampling rate q (rounded down)", "q", exact(*a.Q), *a.Q)
	}
	if a.Batch != nil {
		add("batch (rounded down)", "batch", strconv.Itoa(*a.Batch), *a.Batch)
	}
	if a.Steps != nil {
		add("steps (rounded down)", "steps", strconv.Itoa(*a.Steps), *a.Steps)
	}
}
