package search

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"sweep"
	"sweep/privacy"
	"sweep/search/strategy"
)

// A Trial is one trial of a sweep.
type Trial struct {
	Index  int // from 0, in the order of [Sweep.Trials]
	Params sweep.Params
	Repeat int            // from 0
	Target privacy.Budget // Epsilon is the file's: +Inf for a baseline without noise, 0 if the file gives noise multipliers
	Label  string         // what varies in this sweep, for people: "ε=8 B=1024 η=2 #2"
	Asked  string         // what [Sweep.Suggest] has to be told about the trial later; "" in a sweep that does not ask
	Proxy  bool           // it stands in for another trial, for the search alone: its epsilon is nothing to claim
}

// A Calibration returns the least noise multiplier that its budget allows,
// rounded up; [privacy.CalibrateNoise] is one.
type Calibration func(a privacy.Accountant, target privacy.Budget, sampleRate float64, steps int) (float64, error)

// Len is the number of trials that [Sweep.Trials] yields.
func (s *Sweep) Len() int { return s.points * s.Repeats }

// Trials yields one by one the trials that are known before anything ran: every
// point of the grid that passes the constraint, or those that the strategy draws
// beforehand, and then all again for each repeat, so that a first picture of the
// whole is there early. Epsilon varies slowest, then the hyper-parameters in the
// order of the format's table, and values in the file's. Of a sweep that is
// [Sweep.Adaptive], others follow from [Sweep.Suggest], and there may be none yet.
//
// A target that no noise reaches yields the trial without noise and a
// [SyntaxError] that wraps what calibrate returned; the iteration goes on. No
// two trials have the same ID.
func (s *Sweep) Trials(calibrate Calibration) iter.Seq2[Trial, error] {
	return func(yield func(Trial, error) bool) {
		m := newMaker(s, calibrate)
		index := 0
		for r := range s.Repeats {
			for values, err := range s.listed() {
				if err != nil { // Parse has evaluated the expressions on every point
					panic(fmt.Sprintf("search: point of %s: %v", s.Name, err))
				}
				t, err := m.trial(values, strategy.Ask{}, r)
				t.Index = index
				if s.Adaptive() {
					t.Asked = m.space.recordOf(values)
				}
				if !yield(t, err) {
					return
				}
				index++
			}
		}
	}
}

// A maker makes trials of points.
type maker struct {
	s      *Sweep
	noise  *calibrator
	space  *space
	labels []string // symbol of each axis that varies
}

func newMaker(s *Sweep, calibrate Calibration) *maker {
	m := &maker{s: s, noise: newCalibrator(s, calibrate), space: newSpace(s), labels: make([]string, len(s.axes))}
	for i, a := range s.axes {
		if len(a.Values) > 1 || a.Expr != "" {
			m.labels[i] = hyperNamed(a.Name).symbol + "="
		}
	}
	return m
}

// forget makes the maker as it was when it was new.
func (m *maker) forget() {
	m.noise, m.space.err = newCalibrator(m.s, m.noise.calibrate), nil
}

// trial is repeat r of what a asks for at a point.
func (m *maker) trial(values []any, a strategy.Ask, r int) (Trial, error) {
	if len(a.Set) > 0 {
		values = m.override(values, a.Set)
	}
	p := m.s.params(values)
	if a.Share > 0 && a.Share < 1 {
		p.Steps = max(1, int(math.Round(a.Share*float64(p.Steps))))
		p.Warmup = int(a.Share * float64(p.Warmup))
	}
	t := Trial{Repeat: r, Proxy: a.Scale > 1, Params: p, Label: m.label(values, a, r)}
	err := m.noise.fill(&t, values)
	if a.Scale > 1 {
		t.Params.Batch = max(1, int(math.Round(float64(p.Batch)/a.Scale)))
		t.Params.Noise /= a.Scale
		t.Params.AugMult = min(t.Params.AugMult, 1)
		t.Target.Epsilon = 0
	}
	if err == nil {
		err = m.s.together(t)
	}
	if err == nil {
		if t.Params = t.Params.WithRepeat(r); m.s.owner != "" {
			t.Params = t.Params.WithOwnRepeat(m.s.owner, r)
		}
	}
	return t, err
}

// override is values with those of set in place of their own.
func (m *maker) override(values []any, set map[string]float64) []any {
	values = slices.Clone(values)
	for i, a := range m.s.axes {
		if v, ok := set[a.Name]; ok {
			values[i] = v
			if hyperNamed(a.Name).kind == integer {
				values[i] = int(v)
			}
		}
	}
	return values
}

// params is the point of the given values, without calibrated noise and seed.
func (s *Sweep) params(values []any) sweep.Params {
	p := sweep.Params{Data: s.Data, Model: s.Model, Init: s.Init, NoiseFrom: s.Privacy.Noise}
	if s.Trainer != nil {
		p.Trainer = "sha256:" + s.Trainer.SHA256
	}
	for i := range s.axes {
		if values[i] != nil && s.effects[i].here(values) {
			s.puts[i](&p, values[i])
		}
	}
	return p
}

// label has the values of what varies.
func (m *maker) label(values []any, a strategy.Ask, repeat int) string {
	var words []string
	for i, symbol := range m.labels {
		_, set := a.Set[m.s.axes[i].Name]
		if (symbol != "" || set) && values[i] != nil {
			words = append(words, hyperNamed(m.s.axes[i].Name).symbol+"="+show(values[i]))
		}
	}
	if a.Share > 0 && a.Share < 1 {
		words = append(words, "T·"+strconv.FormatFloat(a.Share, 'g', 2, 64))
	}
	if a.Scale > 1 {
		words = append(words, "1/"+show(a.Scale))
	}
	if m.s.Repeats > 1 || m.s.MostRepeats > 1 {
		words = append(words, "#"+strconv.Itoa(repeat+1))
	}
	if len(words) == 0 {
		return m.s.Name
	}
	return strings.Join(words, " ")
}
