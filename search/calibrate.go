package search

import (
	"fmt"
	"math"

	"sweep/privacy"
)

// A calibrator finds the noise of each point, or its steps, asking once for each
// question: most of a grid's points share theirs.
type calibrator struct {
	s         *Sweep
	calibrate Calibration
	answers   map[question]answer
	epsilons  map[sigma]float64 // the epsilon that got this noise, or these steps
	ε, σ      int               // the axes of epsilon and noise multiplier, -1 where there is none
}

// A question is what to calibrate for: noise for steps, or steps for noise.
type question struct {
	epsilon, noise float64
	batch, steps   int
}

type answer struct {
	noise float64
	steps int
	err   error
}

// A sigma is a noise multiplier found for some batch size and steps.
type sigma struct {
	noise        float64
	batch, steps int
}

func newCalibrator(s *Sweep, f Calibration) *calibrator {
	c := &calibrator{s: s, calibrate: f, answers: make(map[question]answer), epsilons: make(map[sigma]float64), ε: -1, σ: -1}
	for i, a := range s.axes {
		switch a.Name {
		case "epsilon":
			c.ε = i
		case "noise_multiplier":
			c.σ = i
		}
	}
	return c
}

// fill gives t its target, and its noise or its steps.
func (c *calibrator) fill(t *Trial, values []any) error {
	p := &t.Params
	t.Target = privacy.Budget{Delta: c.s.Privacy.Delta}
	if c.ε < 0 {
		return nil
	}
	t.Target.Epsilon = values[c.ε].(float64)
	q := question{epsilon: t.Target.Epsilon, batch: p.Batch, steps: p.Steps}
	if c.s.solved {
		q.noise, q.steps = p.Noise, 0
	} else if math.IsInf(t.Target.Epsilon, 1) {
		return nil
	}
	a, asked := c.answers[q]
	if !asked {
		a = c.ask(q, t.Target, p.SampleRate())
		c.answers[q] = a
	}
	if a.err != nil {
		given := fmt.Sprintf("steps %d", q.steps)
		if c.s.solved {
			given = "noise_multiplier " + show(q.noise)
		}
		place := c.s.axes[c.ε].placeOf(t.Target.Epsilon)
		return &SyntaxError{
			File: c.s.file, Line: place.line, Column: place.column,
			Msg:   fmt.Sprintf("privacy.epsilon: %s at batch_size %d and %s (trial %s): %v", show(q.epsilon), q.batch, given, t.Label, a.err),
			cause: a.err,
		}
	}
	p.Noise, p.Steps = a.noise, a.steps
	return nil
}

// placeOf is where the file has the value, or the axis if it lists none.
func (a Axis) placeOf(v any) place {
	for i, w := range a.Values {
		if w == v {
			return a.places[i]
		}
	}
	return a.places[0]
}

// ask answers q. Noise is calibrated to the steps, or steps to the noise.
func (c *calibrator) ask(q question, target privacy.Budget, rate float64) answer {
	a := answer{noise: q.noise, steps: q.steps}
	switch {
	case !c.s.solved:
		a.noise, a.err = c.calibrate(c.s.Privacy.Accountant, target, rate, q.steps)
	case q.noise == 0 || math.IsInf(q.epsilon, 1):
		a.err = fmt.Errorf("noise multiplier %s would allow it any number of steps; give steps, and one of the two", show(q.noise))
	default:
		a.steps, a.err = privacy.CalibrateSteps(c.s.Privacy.Accountant, target, rate, q.noise)
		if a.err == nil && a.steps > maxSteps {
			a.err = fmt.Errorf("noise multiplier %s allows it %d steps, more than a trial may have (%.0e); take less noise, or a smaller epsilon", show(q.noise), a.steps, float64(maxSteps))
		}
	}
	if a.err != nil {
		return answer{err: a.err}
	}
	key := sigma{a.noise, q.batch, a.steps}
	if other, taken := c.epsilons[key]; taken && other != q.epsilon {
		same := "noise, " + show(a.noise)
		if c.s.solved {
			same = "steps, " + show(a.steps)
		}
		return answer{err: fmt.Errorf("epsilon %s needs the same %s, and trials are what was done; keep one of the two", show(other), same)}
	}
	c.epsilons[key] = q.epsilon
	return a
}
