package search

import (
	"errors"
	"slices"

	"sweep"
	"sweep/privacy"
	"sweep/search/strategy"
)

// A Suggester asks a sweep's strategy for trials, again and again as others end.
// It remembers what it has read and worked out, which saves time and changes no
// answer. It serves one goroutine at a time.
type Suggester struct {
	maker   *maker
	chooser strategy.Strategy
	read    reading
}

// NewSuggester returns a suggester of s that calibrates noise by calibrate.
func NewSuggester(s *Sweep, calibrate Calibration) *Suggester {
	g := &Suggester{maker: newMaker(s, calibrate)}
	g.chooser = s.strategy(g.maker.space, new(strategy.Memory))
	return g
}

// Sweep is what the suggester was made for.
func (g *Suggester) Sweep() *Sweep { return g.maker.s }

// Suggest returns trials of a sweep that is [Sweep.Adaptive], to be added to those
// that are known, which are all of the sweep's, in the order of their index: about
// n, fewer if the strategy has to see first what comes of those that run. If done
// is set, none will follow.
//
// It depends on its arguments alone: a sweep that was killed goes on from its
// record with the very trials that it would have had.
func (g *Suggester) Suggest(known []Known, n int) (trials []Trial, done bool, err error) {
	m := g.maker
	if !m.s.Adaptive() {
		return nil, true, nil
	}
	m.forget()
	t := g.tried(known)
	for len(trials) < n {
		asks, over := g.chooser.Next(t.tried, (n-len(trials)+m.s.Repeats-1)/m.s.Repeats)
		if len(asks) == 0 {
			done = over && len(trials) == 0
			break
		}
		for _, a := range asks {
			made, err := t.ask(m, a)
			if errors.Is(err, privacy.ErrInfeasible) { // no noise reaches its target: to the strategy, a failure
				t.tried = append(t.tried, strategy.Tried{Ask: a, Done: true})
				continue
			}
			if err != nil {
				return nil, false, err
			}
			trials = append(trials, made...)
		}
	}
	for i := range trials {
		trials[i].Index = len(known) + i
	}
	return trials, done, nil
}

// A reading is what known trials ask for: what does not change as they end.
type reading struct {
	of     []Known               // those that were read
	places []int                 // of each, which of the asks it is a repeat of; -1 if the sweep has no such point
	at     map[string]int        // places by the record's text
	ids    map[sweep.TrialID]int // places by trial
	asks   []strategy.Tried      // by place, without what came of them
}

// extend reads what was not read yet, all of it if the trials are others.
func (r *reading) extend(m *maker, known []Known) {
	same := len(r.of) <= len(known) && r.at != nil
	for i := 0; same && i < len(r.of); i++ {
		same = r.of[i].ID == known[i].ID && r.of[i].Asked == known[i].Asked
	}
	if !same {
		*r = reading{at: map[string]int{}, ids: make(map[sweep.TrialID]int, len(known))}
	}
	for _, k := range known[len(r.of):] {
		place, seen := r.at[k.Asked]
		if !seen {
			place = -1
			if a, ok := m.space.ask(k.Asked); ok {
				place = len(r.asks)
				r.asks = append(r.asks, strategy.Tried{Ask: a, Budget: m.budget(a)})
				r.at[k.Asked] = place
			}
		}
		if place >= 0 {
			r.ids[k.ID] = place
		}
		r.of, r.places = append(r.of, k), append(r.places, place)
	}
}

// An answering is one call's view of what was tried.
type answering struct {
	tried []strategy.Tried
	ids   map[sweep.TrialID]int      // places in tried
	made  map[sweep.TrialID]struct{} // trials of this call
}

// tried tells what is known in a strategy's terms: the repeats of an ask together.
func (g *Suggester) tried(known []Known) *answering {
	g.read.extend(g.maker, known)
	tried := slices.Clone(g.read.asks)
	for i := range tried {
		tried[i].Done, tried[i].Again = true, -1
	}
	values := make([]float64, len(known)) // room for each trial's own
	for i, k := range known {
		if g.read.places[i] < 0 {
			continue
		}
		t := &tried[g.read.places[i]]
		t.Again++
		t.Done = t.Done && (k.State == sweep.Completed || k.State == sweep.Failed)
		if k.State != sweep.Completed {
			continue
		}
		if t.Values == nil {
			t.Values = values[i : i : i+1]
		}
		t.Values = append(t.Values, k.Accuracy)
	}
	return &answering{tried: tried, ids: g.read.ids, made: map[sweep.TrialID]struct{}{}}
}

// ask makes the trials of an ask: all repeats of a point that was not tried, one
// more of a point that was.
func (t *answering) ask(m *maker, a strategy.Ask) ([]Trial, error) {
	values, ok := m.space.values(a.At)
	if !ok {
		return nil, errors.Join(errors.New("search: a strategy asked for a point that is forbidden"), m.space.err)
	}
	note := strategy.Tried{Ask: a, Budget: m.budget(a)}
	text := m.space.record(a)
	first, last := 0, m.s.Repeats
	if a.Again > 0 {
		first, last = a.Again, a.Again+1
	}
	var fresh []Trial
	for r := first; r < last; r++ {
		trial, err := m.trial(values, a, r)
		if err != nil {
			return nil, err
		}
		id := trial.Params.ID()
		if a.Again == 0 {
			if place, taken := t.ids[id]; taken { // another ask has made it
				note.Done, note.Values = t.tried[place].Done, t.tried[place].Values
				continue
			}
			if _, taken := t.made[id]; taken {
				note.Done, note.Values = false, nil
				continue
			}
		}
		t.made[id] = struct{}{}
		trial.Asked = text
		fresh = append(fresh, trial)
	}
	if a.Again > 0 {
		i := slices.IndexFunc(t.tried, func(o strategy.Tried) bool { return o.Same(a) })
		t.tried[i].Done, t.tried[i].Again = false, a.Again
		return fresh, nil
	}
	if len(fresh) > 0 {
		note.Done, note.Values = false, nil
	}
	t.tried = append(t.tried, note)
	return fresh, nil
}
