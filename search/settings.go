package search

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sweep"
)

// Settings are a strategy's own. Those that it has no use for are zero.
type Settings struct {
	Trials    int     // points in all, or of the first rung
	Seed      uint64  // of its own draws
	Startup   int     // points before a model is trusted; 0 is the strategy's default
	Objective string  // "accuracy", or "frontier": the trade-off of epsilon and accuracy
	MinSteps  int     // of the first rung
	Reduction float64 // points of a rung for one that goes on; > 1
	Scale     float64 // k: stand-ins have the k-th part of batch and noise
	Confirm   int     // stand-ins that are run in full
	Low, High float64 // the two epsilons that are searched
}

// A method is a strategy as a file names it.
type method struct {
	name     string
	settings []string // that it has, beside its name
	required []string // of them
	adaptive bool     // what it tries depends on what came of the last
	lists    bool     // it wants axes of listed values
	model    bool     // a model of what was found chooses, and not a plan of stages
}

var methods = []method{
	{name: "grid", lists: true},
	{name: "random", settings: []string{"trials", "seed"}, required: []string{"trials"}},
	{name: "sobol", settings: []string{"trials", "seed"}, required: []string{"trials"}},
	{name: "latin-hypercube", settings: []string{"trials", "seed"}, required: []string{"trials"}},
	{name: "tpe", settings: []string{"trials", "seed", "startup"}, required: []string{"trials"}, adaptive: true, model: true},
	{name: "gp", settings: []string{"trials", "seed", "startup", "objective"}, required: []string{"trials"}, adaptive: true, model: true},
	{name: "cma-es", settings: []string{"trials", "seed"}, required: []string{"trials"}, adaptive: true, model: true},
	{name: "successive-halving", settings: []string{"trials", "seed", "min_steps", "reduction"}, required: []string{"trials", "min_steps"}, adaptive: true},
	{name: "asha", settings: []string{"trials", "seed", "min_steps", "reduction"}, required: []string{"trials", "min_steps"}, adaptive: true},
	{name: "hyperband", settings: []string{"seed", "min_steps", "reduction"}, required: []string{"min_steps"}, adaptive: true},
	{name: "tan", settings: []string{"trials", "seed", "scale", "confirm"}, required: []string{"scale"}, adaptive: true},
	{name: "linear-scaling", settings: []string{"low", "high"}, required: []string{"low", "high"}, adaptive: true, lists: true},
}

func methodNamed(name string) method {
	i := slices.IndexFunc(methods, func(m method) bool { return m.name == name })
	return methods[max(i, 0)] // a file that names another is refused
}

func methodNames() []string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = m.name
	}
	return names
}

var repeatKeys = []def{
	{
		name: "min", kind: integer, limits: between(1, 1000), fallback: "1",
		doc: "trials of each point, which differ in their seed",
		set: func(s *Sweep, v any) { s.Repeats = v.(int) },
	},
	{
		name: "max", kind: integer, limits: between(1, 1000),
		doc: "trials that a point may get when it could be the best of its epsilon; without it, min",
		set: func(s *Sweep, v any) { s.MostRepeats = v.(int) },
	},
}

var strategyKeys = []def{
	{
		name: "name", kind: choice, choices: methodNames(), fallback: "grid",
		doc: "how points are chosen",
		set: func(s *Sweep, v any) { s.Strategy = v.(string) },
	},
	{
		name: "trials", kind: integer, unit: "points", limits: between(1, 100_000),
		doc: "points in all, or of the first rung where there are rungs",
		set: func(s *Sweep, v any) { s.Settings.Trials = v.(int) },
	},
	{
		name: "seed", kind: integer, limits: between(0, 1e9), fallback: "0",
		doc: "of the strategy's own draws: the same seed and results lead to the same points",
		set: func(s *Sweep, v any) { s.Settings.Seed = uint64(v.(int)) },
	},
	{
		name: "startup", kind: integer, unit: "points", limits: between(1, 10_000),
		doc: "points that are drawn before a model is made of them; 10 for tpe, 2 for each axis and 5 at least for gp",
		set: func(s *Sweep, v any) { s.Settings.Startup = v.(int) },
	},
	{
		name: "objective", kind: choice, choices: []string{"accuracy", "frontier"}, fallback: "accuracy",
		doc: "of gp: the best accuracy, or the largest area under the frontier of epsilon and accuracy",
		set: func(s *Sweep, v any) { s.Settings.Objective = v.(string) },
	},
	{
		name: "min_steps", kind: integer, unit: "updates", limits: between(1, 1e9),
		doc: "steps of the first rung; those of the last are the sweep's",
		set: func(s *Sweep, v any) { s.Settings.MinSteps = v.(int) },
	},
	{
		name: "reduction", kind: number, limits: between(1.5, 100), fallback: "3",
		doc: "points of a rung for one that goes on to the next, which has as many times its steps",
		set: func(s *Sweep, v any) { s.Settings.Reduction = v.(float64) },
	},
	{
		name: "scale", kind: number, limits: between(2, 10_000),
		doc: "of tan, k: the search runs with a k-th of the batch and of the noise, and one view",
		set: func(s *Sweep, v any) { s.Settings.Scale = v.(float64) },
	},
	{
		name: "confirm", kind: integer, unit: "points", limits: between(1, 1000), fallback: "1",
		doc: "of tan: how many of the best are then run in full",
		set: func(s *Sweep, v any) { s.Settings.Confirm = v.(int) },
	},
	{
		name: "low", kind: number, limits: above(0),
		doc: "of linear-scaling: the smaller of the two epsilons at which the best η·T is searched",
		set: func(s *Sweep, v any) { s.Settings.Low = v.(float64) },
	},
	{
		name: "high", kind: number, limits: above(0),
		doc: "of linear-scaling: the larger of the two, still below the targets",
		set: func(s *Sweep, v any) { s.Settings.High = v.(float64) },
	},
}

// checkStrategy wants the settings that the strategy has, and no others.
func (p *parser) checkStrategy() {
	for _, path := range []string{"strategy", "strategy.name"} {
		if n := p.nodes[path]; n != nil && (n.Kind == yaml.SequenceNode || n.Kind == yaml.ScalarNode && !slices.Contains(methodNames(), n.Value)) {
			return // a complaint stands there already
		}
	}
	m := methodNamed(p.sweep.Strategy)
	for _, path := range slices.Sorted(maps.Keys(p.keys)) {
		key, inside := strings.CutPrefix(path, "strategy.")
		if !inside || key == "name" || slices.Contains(m.settings, key) {
			continue
		}
		has := "it has none"
		if len(m.settings) > 0 {
			has = "it has " + list(m.settings)
		}
		p.complain(p.keys[path], "%s: %s has no such setting; %s", path, m.name, has)
	}
	for _, key := range m.required {
		if p.sweep.Disclosure == sweep.PrivateSelect {
			break // their number is drawn
		}
		if _, given := p.keys["strategy."+key]; !given && !p.taken["strategy."+key] {
			k, _ := def{keys: strategyKeys}.find(key)
			p.complain(p.placeOf("strategy"), "strategy.%s: missing; %s needs it: %s", key, m.name, k.doc)
		}
	}
	p.checkSpace(m)
	if s := p.sweep; s.MostRepeats > 0 && s.MostRepeats < s.Repeats {
		p.complain(p.placeOf("repeats.max"), "repeats.max: %d is less than min, %d", s.MostRepeats, s.Repeats)
	}
}

// checkSpace wants axes that the strategy can search.
func (p *parser) checkSpace(m method) {
	s := p.sweep
	for _, name := range slices.Sorted(maps.Keys(p.axes)) {
		a := p.axes[name]
		switch {
		case a.Span != nil && m.lists:
			p.complain(a.places[0], "%s: a range without num has no end of values; give num, or a strategy other than %s", p.pathOf(name), m.name)
		case m.name == "cma-es" && a.unordered() && len(a.Values) > 1:
			p.complain(a.places[0], "%s: cma-es moves along numbers, and %s is none; fix it, or take tpe or gp", p.pathOf(name), show(a.Values[0]))
		}
	}
	ε := p.axes["epsilon"]
	if m.name == "cma-es" && len(ε.Values) > 1 {
		p.complain(ε.places[1], "privacy.epsilon: cma-es seeks one best point; give one target, or take tpe or gp")
	}
	if m.name == "linear-scaling" {
		p.checkLinear(ε)
	}
	if s.solved && slices.Contains(m.settings, "min_steps") {
		p.complain(p.placeOf("strategy"), "strategy: %s has rungs of steps, and here they follow from epsilon and noise_multiplier; give steps and one of the two", m.name)
	}
	steps, fixed := p.axes["steps"]
	if slices.Contains(m.settings, "min_steps") && fixed {
		if len(steps.Values) > 1 {
			p.complain(steps.places[1], "%s: rungs of %s are steps; give one number, that of the last rung", p.pathOf("steps"), m.name)
		} else if v, ok := steps.Values[0].(int); ok && s.Settings.MinSteps > v && steps.Expr == "" {
			p.complain(p.placeOf("strategy.min_steps"), "strategy.min_steps: %d is more than the %d of steps", s.Settings.MinSteps, v)
		}
	}
}

// checkLinear wants two budgets to search below every target.
func (p *parser) checkLinear(ε Axis) {
	s := p.sweep.Settings
	if s.Low >= s.High && s.High > 0 {
		p.complain(p.placeOf("strategy.high"), "strategy.high: %s is not above low, %s", show(s.High), show(s.Low))
	}
	if len(ε.Values) == 0 {
		p.complain(p.placeOf("privacy"), "privacy: linear-scaling extrapolates in epsilon; give epsilon, not noise_multiplier")
	}
	for i, v := range ε.Values {
		if v.(float64) <= s.High {
			p.complain(ε.places[i], "privacy.epsilon: %s is not above strategy.high, %s: it is searched, not extrapolated", show(v), show(s.High))
		}
	}
}

// unordered reports whether a's values are names.
func (a Axis) unordered() bool {
	_, text := a.Values[0].(string)
	return text
}

// describe is the strategy in one line, "grid" or "tpe trials=60 seed=1": part
// of the sweep's ID. Settings at their zero are left out.
func (s *Sweep) describe() string {
	words := []string{s.Strategy}
	v := s.Settings
	for _, k := range []struct {
		name  string
		value any
		given bool
	}{
		{"trials", v.Trials, v.Trials > 0},
		{"seed", int(v.Seed), s.Strategy != "grid" && v.Seed > 0},
		{"startup", v.Startup, v.Startup > 0},
		{"objective", v.Objective, s.Strategy == "gp"},
		{"min_steps", v.MinSteps, v.MinSteps > 0},
		{"reduction", v.Reduction, v.MinSteps > 0},
		{"scale", v.Scale, v.Scale > 0},
		{"confirm", v.Confirm, v.Scale > 0},
		{"low", v.Low, v.Low > 0},
		{"high", v.High, v.High > 0},
	} {
		if k.given {
			words = append(words, fmt.Sprintf("%s=%s", k.name, show(k.value)))
		}
	}
	return strings.Join(words, " ")
}
