package search

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"sweep"
	"sweep/privacy"
)

// A Trial is one trial of a sweep.
type Trial struct {
	Index  int // from 0, in the order of [Sweep.Trials]
	Params sweep.Params
	Repeat int            // from 0
	Target privacy.Budget // Epsilon is the file's: +Inf for a baseline without noise, 0 if the file gives noise multipliers
	Label  string         // what varies in this sweep, for people: "ε=8 B=1024 η=2 #2"
}

// A Calibration returns the least noise multiplier that its budget allows,
// rounded up; [privacy.CalibrateNoise] is one.
type Calibration func(a privacy.Accountant, target privacy.Budget, sampleRate float64, steps int) (float64, error)

// Len is the number of trials.
func (s *Sweep) Len() int { return s.points * s.Repeats }

// Trials yields the sweep's trials one by one: every point of the grid that
// passes the constraint, and then all again for each repeat, so that a first
// picture of the whole is there early. Epsilon varies slowest, then the
// hyper-parameters in the order of the format's table, and values in the file's.
//
// A target that no noise reaches yields the trial without noise and a
// [SyntaxError] that wraps what calibrate returned; the iteration goes on. No
// two trials have the same ID.
func (s *Sweep) Trials(calibrate Calibration) iter.Seq2[Trial, error] {
	return func(yield func(Trial, error) bool) {
		noise := newCalibrator(s, calibrate)
		labels := s.labels()
		index := 0
		for r := range s.Repeats {
			for at, err := range s.grid() {
				if err != nil { // Parse has evaluated the constraint on every point
					panic(fmt.Sprintf("search: constraint of %s: %v", s.Name, err))
				}
				t := Trial{Index: index, Repeat: r, Params: s.params(at), Label: s.label(labels, at, r)}
				t.Target, t.Params.Noise, err = noise.of(at, t.Params, t.Label)
				if err == nil {
					t.Params = t.Params.WithRepeat(r)
				}
				if !yield(t, err) {
					return
				}
				index++
			}
		}
	}
}

// params is the point at the given indices, without calibrated noise and seed.
func (s *Sweep) params(at []int) sweep.Params {
	p := sweep.Params{Data: s.Data, Model: s.Model, Init: s.Init, NoiseFrom: s.Privacy.Noise}
	if s.Trainer != nil {
		p.Trainer = "sha256:" + s.Trainer.SHA256
	}
	for i, a := range s.axes {
		if s.effects[i].here(at) {
			s.puts[i](&p, a.Values[at[i]])
		}
	}
	return p
}

// labels has, for each axis that varies, the label of each of its values.
func (s *Sweep) labels() [][]string {
	labels := make([][]string, len(s.axes))
	for i, a := range s.axes {
		if len(a.Values) < 2 {
			continue
		}
		for _, v := range a.Values {
			labels[i] = append(labels[i], hyperNamed(a.Name).symbol+"="+show(v))
		}
	}
	return labels
}

func (s *Sweep) label(labels [][]string, at []int, repeat int) string {
	var words []string
	for i, of := range labels {
		if len(of) > 0 {
			words = append(words, of[at[i]])
		}
	}
	if s.Repeats > 1 {
		words = append(words, "#"+strconv.Itoa(repeat+1))
	}
	if len(words) == 0 {
		return s.Name
	}
	return strings.Join(words, " ")
}

// A calibrator finds the noise of each point, asking once for each question:
// most of a grid's points share theirs.
type calibrator struct {
	sweep     *Sweep
	calibrate Calibration
	answers   map[question]answer
	epsilons  map[sigma]float64 // the epsilon that got this noise
}

type question struct {
	epsilon      float64
	batch, steps int
}

type answer struct {
	noise float64
	err   error
}

// A sigma is a noise multiplier found for some batch size and steps.
type sigma struct {
	noise        float64
	batch, steps int
}

func newCalibrator(s *Sweep, f Calibration) *calibrator {
	return &calibrator{s, f, make(map[question]answer), make(map[sigma]float64)}
}

// of returns the budget of the point at the given indices and its noise multiplier.
func (c *calibrator) of(at []int, p sweep.Params, label string) (privacy.Budget, float64, error) {
	target := privacy.Budget{Delta: c.sweep.Privacy.Delta}
	if len(c.sweep.Privacy.Epsilon) == 0 {
		return target, p.Noise, nil
	}
	target.Epsilon = c.sweep.Privacy.Epsilon[at[0]]
	if math.IsInf(target.Epsilon, 1) {
		return target, 0, nil
	}
	q := question{target.Epsilon, p.Batch, p.Steps}
	a, asked := c.answers[q]
	if !asked {
		a = c.ask(q, target, p)
		c.answers[q] = a
	}
	if a.err != nil {
		place := c.sweep.axes[0].places[at[0]]
		return target, 0, &SyntaxError{
			File: c.sweep.file, Line: place.line, Column: place.column,
			Msg:   fmt.Sprintf("privacy.epsilon: %s at batch_size %d and steps %d (trial %s): %v", show(q.epsilon), q.batch, q.steps, label, a.err),
			cause: a.err,
		}
	}
	return target, a.noise, nil
}

func (c *calibrator) ask(q question, target privacy.Budget, p sweep.Params) answer {
	noise, err := c.calibrate(c.sweep.Privacy.Accountant, target, p.SampleRate(), p.Steps)
	if err != nil {
		return answer{err: err}
	}
	key := sigma{noise, q.batch, q.steps}
	if other, taken := c.epsilons[key]; taken {
		return answer{err: fmt.Errorf("epsilon %s needs the same noise, %s, and trials are what was done; keep one of the two", show(other), show(noise))}
	}
	c.epsilons[key] = q.epsilon
	return answer{noise: noise}
}
