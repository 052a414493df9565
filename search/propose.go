package search

import (
	"math"

	"sweep"
	"sweep/search/strategy"
)

// A Known is a trial of the sweep as the record has it.
type Known struct {
	ID       sweep.TrialID
	Asked    string // the trial's [Trial.Asked]
	Repeat   int
	State    sweep.State
	Accuracy float64 // where State is Completed
}

// Adaptive reports whether what is tried next depends on what came of the last:
// trials then come from [Sweep.Suggest].
func (s *Sweep) Adaptive() bool {
	return methodNamed(s.Strategy).adaptive || s.MostRepeats > s.Repeats
}

// Most is how many trials the sweep may have in all.
func (s *Sweep) Most() int {
	points := s.points
	if methodNamed(s.Strategy).adaptive {
		points = s.base(newSpace(s), nil).Most()
	}
	return points * max(s.Repeats, s.MostRepeats)
}

// leastShare is the first rung's share of the steps.
func (s *Sweep) leastShare() float64 {
	return float64(s.Settings.MinSteps) / float64(s.axes[s.axis("steps")].Values[0].(int))
}

// Suggest is [Suggester.Suggest] of a suggester that has nothing to remember.
func (s *Sweep) Suggest(known []Known, n int, calibrate Calibration) (trials []Trial, done bool, err error) {
	return NewSuggester(s, calibrate).Suggest(known, n)
}

// Keep reads known trials of an earlier text of the sweep's file as trials of
// this one, leaving out those that it has no room for.
func (s *Sweep) Keep(known []Known, calibrate Calibration) ([]Trial, error) {
	m := newMaker(s, calibrate)
	var kept []Trial
	for i, k := range known {
		a, ok := m.space.ask(k.Asked)
		if !ok {
			continue
		}
		values, _ := m.space.values(a.At)
		t, err := m.trial(values, a, k.Repeat)
		if err != nil {
			return nil, err
		}
		if t.Params.ID() == k.ID {
			t.Index, t.Asked = i, k.Asked
			kept = append(kept, t)
		}
	}
	return kept, nil
}

// budget is the epsilon that an ask is to meet, 0 where all have the same.
func (m *maker) budget(a strategy.Ask) float64 {
	if ε, ok := a.Set["epsilon"]; ok {
		return ε
	}
	if i := m.noise.ε; i >= 0 && len(m.s.axes[i].Values) > 1 {
		return m.space.c.values[i].(float64)
	}
	return 0
}

// strategy is the sweep's, over the space. What it remembers goes into m, if
// that is not nil.
func (s *Sweep) strategy(sp *space, m *strategy.Memory) strategy.Strategy {
	base := s.base(sp, m)
	if s.MostRepeats > s.Repeats {
		return strategy.Repeats{Of: base, Min: s.Repeats, Max: s.MostRepeats}
	}
	return base
}

// base is the strategy without more repeats.
func (s *Sweep) base(sp *space, m *strategy.Memory) strategy.Strategy {
	cube, v := sp.cube(), s.Settings
	rungs := strategy.Rungs{Factor: v.Reduction}
	if v.MinSteps > 0 {
		rungs.Least = s.leastShare()
	}
	switch s.Strategy {
	case "random":
		return strategy.Random{Space: cube, Trials: v.Trials, Seed: v.Seed}
	case "sobol":
		return strategy.Sobol{Space: cube, Trials: v.Trials, Seed: v.Seed}
	case "latin-hypercube":
		return strategy.LatinHypercube{Space: cube, Trials: v.Trials, Seed: v.Seed, Memory: m}
	case "tpe":
		return strategy.TPE{Space: cube, Trials: v.Trials, Startup: v.Startup, Seed: v.Seed}
	case "gp":
		return strategy.GP{Space: cube, Trials: v.Trials, Startup: v.Startup, Seed: v.Seed, Frontier: v.Objective == "frontier", Budget: sp.epsilonAt}
	case "cma-es":
		return strategy.CMAES{Space: cube, Trials: v.Trials, Seed: v.Seed, Memory: m}
	case "successive-halving":
		return strategy.Halving{Space: cube, Trials: v.Trials, Rungs: rungs, Seed: v.Seed}
	case "asha":
		return strategy.ASHA{Space: cube, Trials: v.Trials, Rungs: rungs, Seed: v.Seed}
	case "hyperband":
		return strategy.Hyperband{Space: cube, Rungs: rungs, Seed: v.Seed}
	case "tan":
		return strategy.TAN{Space: cube, Trials: v.Trials, Scale: v.Scale, Confirm: v.Confirm, Seed: v.Seed, Memory: m}
	case "linear-scaling":
		return strategy.LinearScaling{
			Space: cube, Low: v.Low, High: v.High, Memory: m,
			Budget: sp.epsilonAt, LearnRate: sp.named("learning_rate"), Steps: sp.named("steps"),
		}
	}
	return strategy.Listed{}
}

// epsilonAt is the target of a point, 0 where the sweep gives noise multipliers.
func (sp *space) epsilonAt(p strategy.Point) float64 {
	if len(sp.s.Privacy.Epsilon) == 0 {
		return 0
	}
	return sp.named("epsilon")(p)
}

// named is the value of a numeric axis at a point that was snapped.
func (sp *space) named(name string) func(strategy.Point) float64 {
	i := sp.s.axis(name)
	return func(p strategy.Point) float64 {
		values, ok := sp.values(p)
		if !ok {
			return math.NaN()
		}
		x, _ := asFloat(values[i])
		return x
	}
}
