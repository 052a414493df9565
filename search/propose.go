package search

import (
	"errors"
	"math"
	"slices"

	"sweep"
	"sweep/privacy"
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
		points = s.base(newSpace(s)).Most()
	}
	return points * max(s.Repeats, s.MostRepeats)
}

// Rungs is how many rungs of steps the strategy has, 1 if it has none.
func (s *Sweep) Rungs() int {
	if s.Settings.MinSteps == 0 {
		return 1
	}
	return strategy.Rungs{Factor: s.Settings.Reduction, Least: s.leastShare()}.Len()
}

// leastShare is the first rung's share of the steps.
func (s *Sweep) leastShare() float64 {
	return float64(s.Settings.MinSteps) / float64(s.axes[s.axis("steps")].Values[0].(int))
}

// Suggest returns trials of a sweep that is [Sweep.Adaptive], to be added to those that are known, which are all of
// the sweep's, in the order of their index: about n, fewer if the strategy has to
// see first what comes of those that run. If done is set, none will follow.
//
// It depends on its arguments alone: a sweep that was killed goes on from its
// record with the very trials that it would have had.
func (s *Sweep) Suggest(known []Known, n int, calibrate Calibration) (trials []Trial, done bool, err error) {
	if !s.Adaptive() {
		return nil, true, nil
	}
	m := newMaker(s, calibrate)
	tried, ids := m.tried(known)
	chooser := s.strategy(m.space)
	for len(trials) < n {
		asks, over := chooser.Next(tried, (n-len(trials)+s.Repeats-1)/s.Repeats)
		if len(asks) == 0 {
			done = over && len(trials) == 0
			break
		}
		for _, a := range asks {
			t, err := m.ask(a, ids)
			if errors.Is(err, privacy.ErrInfeasible) { // no noise reaches its target: to the strategy, a failure
				tried = append(tried, strategy.Tried{Ask: a, Done: true})
				continue
			}
			if err != nil {
				return nil, false, err
			}
			trials = append(trials, t.fresh...)
			tried = t.note(tried, a)
		}
	}
	for i := range trials {
		trials[i].Index = len(known) + i
	}
	return trials, done, nil
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

// tried tells what is known in a strategy's terms: the repeats of an ask together.
func (m *maker) tried(known []Known) ([]strategy.Tried, map[sweep.TrialID]*strategy.Tried) {
	type seen struct{ place, repeats int }
	at := make(map[string]seen)
	var tried []strategy.Tried
	for _, k := range known {
		g, again := at[k.Asked]
		if !again {
			a, ok := m.space.ask(k.Asked)
			if !ok {
				continue
			}
			g.place = len(tried)
			tried = append(tried, strategy.Tried{Ask: a, Done: true, Budget: m.budget(a)})
		}
		g.repeats++
		at[k.Asked] = g
		t := &tried[g.place]
		t.Again = g.repeats - 1
		t.Done = t.Done && (k.State == sweep.Completed || k.State == sweep.Failed)
		if k.State == sweep.Completed {
			t.Values = append(t.Values, k.Accuracy)
		}
	}
	ids := make(map[sweep.TrialID]*strategy.Tried, len(known))
	for _, k := range known {
		if g, ok := at[k.Asked]; ok {
			ids[k.ID] = &tried[g.place]
		}
	}
	return tried, ids
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

// An answered is an ask turned into trials.
type answered struct {
	fresh  []Trial
	budget float64
	alias  *strategy.Tried // the ask is a trial that another ask has made
}

// ask makes the trials of an ask: all repeats of a point that was not tried, one
// more of a point that was.
func (m *maker) ask(a strategy.Ask, ids map[sweep.TrialID]*strategy.Tried) (answered, error) {
	values, ok := m.space.values(a.At)
	if !ok {
		return answered{}, errors.Join(errors.New("search: a strategy asked for a point that is forbidden"), m.space.err)
	}
	out := answered{budget: m.budget(a)}
	text := m.space.record(a)
	first, last := 0, m.s.Repeats
	if a.Again > 0 {
		first, last = a.Again, a.Again+1
	}
	for r := first; r < last; r++ {
		t, err := m.trial(values, a, r)
		if err != nil {
			return answered{}, err
		}
		id := t.Params.ID()
		if other, taken := ids[id]; taken && a.Again == 0 {
			out.alias = other
			continue
		}
		ids[id] = &strategy.Tried{Ask: a}
		t.Asked = text
		out.fresh = append(out.fresh, t)
	}
	return out, nil
}

// note adds what was asked to the tried, for the strategy to go on from.
func (t answered) note(tried []strategy.Tried, a strategy.Ask) []strategy.Tried {
	if a.Again > 0 {
		i := slices.IndexFunc(tried, func(o strategy.Tried) bool { return o.Same(a) })
		tried[i].Done, tried[i].Again = false, a.Again
		return tried
	}
	n := strategy.Tried{Ask: a, Budget: t.budget}
	if t.alias != nil && len(t.fresh) == 0 {
		n.Done, n.Values = t.alias.Done, t.alias.Values
	}
	return append(tried, n)
}

// strategy is the sweep's, over the space.
func (s *Sweep) strategy(sp *space) strategy.Strategy {
	base := s.base(sp)
	if s.MostRepeats > s.Repeats {
		return strategy.Repeats{Of: base, Min: s.Repeats, Max: s.MostRepeats}
	}
	return base
}

// base is the strategy without more repeats.
func (s *Sweep) base(sp *space) strategy.Strategy {
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
		return strategy.LatinHypercube{Space: cube, Trials: v.Trials, Seed: v.Seed}
	case "tpe":
		return strategy.TPE{Space: cube, Trials: v.Trials, Startup: v.Startup, Seed: v.Seed}
	case "gp":
		return strategy.GP{Space: cube, Trials: v.Trials, Startup: v.Startup, Seed: v.Seed, Frontier: v.Objective == "frontier", Budget: sp.epsilonAt}
	case "cma-es":
		return strategy.CMAES{Space: cube, Trials: v.Trials, Seed: v.Seed}
	case "successive-halving":
		return strategy.Halving{Space: cube, Trials: v.Trials, Rungs: rungs, Seed: v.Seed}
	case "asha":
		return strategy.ASHA{Space: cube, Trials: v.Trials, Rungs: rungs, Seed: v.Seed}
	case "hyperband":
		return strategy.Hyperband{Space: cube, Rungs: rungs, Seed: v.Seed}
	case "tan":
		return strategy.TAN{Space: cube, Trials: v.Trials, Scale: v.Scale, Confirm: v.Confirm, Seed: v.Seed}
	case "linear-scaling":
		return strategy.LinearScaling{Space: cube, Low: v.Low, High: v.High, Budget: sp.epsilonAt, LearnRate: sp.named("learning_rate"), Steps: sp.named("steps")}
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
