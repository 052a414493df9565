package main

import (
	"fmt"
	"math"

	"sweep/privacy/audit"
)

// auditCounts is what a one-run audit found: of m canaries r were guessed, v of
// them rightly.
type auditCounts struct {
	M            *whole   `json:"m"`
	R            *whole   `json:"r"`
	V            *whole   `json:"v"`
	Delta        *float64 `json:"delta,omitempty"`        // the question's own if missing, 0 without
	Significance float64  `json:"significance,omitempty"` // 0.05 if missing
}

// audited answers with the largest ε that the audit refutes.
func (q privacyQuestion) audited() (privacyAnswer, error) {
	c := *q.Audit
	switch {
	case len(q.Phases) > 0 || len(q.Spent) > 0 || q.Select != nil || q.Epsilon != nil || q.Calibrate != "":
		return privacyAnswer{}, fmt.Errorf("an audit is a question of its own: ask about phases in another")
	case c.M == nil || c.R == nil || c.V == nil:
		return privacyAnswer{}, fmt.Errorf("an audit needs m, the canaries, r, those guessed, and v, those guessed rightly")
	case c.Delta == nil && q.Delta != nil:
		c.Delta = q.Delta
	case c.Delta == nil:
		c.Delta = new(float64)
	}
	if c.Significance == 0 {
		c.Significance = 0.05
	}
	one := audit.OneRun{Canaries: int(*c.M), Guesses: int(*c.R), Correct: int(*c.V)}
	ε, err := one.Epsilon(*c.Delta, c.Significance)
	if err != nil {
		return privacyAnswer{}, err
	}
	lower, upper := jsonFloat(ε), jsonFloat(math.Inf(1))
	return privacyAnswer{
		Epsilon: &lower, Lower: &lower, Upper: &upper, Accountant: "one_run_audit",
		Covers: fmt.Sprintf("Lower bound with %v %% confidence on epsilon at delta %v of whatever trained the model, if each canary was put in by a fair coin that only the auditor knew; a low one proves nothing (Steinke, Nasr, Jagielski 2023).",
			100*(1-c.Significance), *c.Delta),
	}, nil
}
