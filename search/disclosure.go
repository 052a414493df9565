package search

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"sweep"
	"sweep/privacy"
)

// A SelectionLaw is the distribution of the number of trials of a private
// selection.
type SelectionLaw struct {
	Count privacy.RunCount
	Mean  float64 // E[K] ≥ 1
	Shape float64 // η, of [privacy.NegativeBinomial] only; > -1
}

// maxMean keeps the laws within what [privacy.Select.Draw] draws exactly.
const maxMean = 500

var disclosureKeys = []def{
	{
		name: "name", kind: choice, choices: []string{"research", "composed", sweep.PrivateSelect}, fallback: "research",
		doc: "research counts one trial in epsilon, as papers do; composed counts every trial; private-select runs a random number of trials of points drawn at random, and shows the best alone",
		set: func(s *Sweep, v any) { s.Disclosure = v.(string) },
	},
	{
		name: "law", kind: choice, fallback: string(privacy.Geometric),
		choices: []string{string(privacy.Geometric), string(privacy.Logarithmic), string(privacy.NegativeBinomial), string(privacy.Poisson)},
		doc:     "of private-select: the distribution of the number of trials; logarithmic costs least and draws a single trial most often, poisson stays near its mean and costs most where that is large",
		set:     func(s *Sweep, v any) { s.Selection.Count = privacy.RunCount(v.(string)) },
	},
	{
		name: "mean", kind: number, unit: "trials", limits: between(1, maxMean), fallback: "10",
		doc: "of private-select: how many trials are drawn on average, at each target epsilon",
		set: func(s *Sweep, v any) { s.Selection.Mean = v.(float64) },
	},
	{
		name: "shape", kind: number, limits: interval{min: -1, max: 100, openMin: true},
		doc: "of the law truncated_negative_binomial, η: 1 is geometric, 0 logarithmic; below 0 costs less and spreads wider",
		set: func(s *Sweep, v any) { s.Selection.Shape = v.(float64) },
	},
}

func (s *Sweep) private() bool { return s.Disclosure == sweep.PrivateSelect }

// discloses is the disclosure in one line, part of the sweep's ID.
func (s *Sweep) discloses() string {
	if !s.private() {
		return s.Disclosure
	}
	words := fmt.Sprintf("%s law=%s mean=%s", s.Disclosure, s.Selection.Count, show(s.Selection.Mean))
	if s.Selection.Count == privacy.NegativeBinomial {
		words += " shape=" + show(s.Selection.Shape)
	}
	return words
}

// checkDisclosure refuses what the theorem on private selection does not cover.
func (p *parser) checkDisclosure() {
	s := p.sweep
	if !s.private() {
		for _, key := range []string{"law", "mean", "shape"} {
			if at, given := p.keys["disclosure."+key]; given {
				p.complain(at, "disclosure.%s: %s has no such setting; private-select has law, mean and shape", key, s.Disclosure)
			}
		}
		return
	}
	p.checkLaw()
	p.checkDraws()
	refuse := func(path, format string, args ...any) {
		p.complain(p.placeOf(path), path+": "+format, args...)
	}
	if s.Privacy.Noise == sweep.Seeded {
		refuse("privacy.noise", "seeded noise can be subtracted by whoever has the file, and with it all that private-select promises; take secure")
	}
	if s.Repeats > 1 || s.MostRepeats > 1 {
		refuse("repeats", "private-select draws each trial by itself; repeats of a point would look at the data again; leave repeats out")
	}
	if s.Run.EvaluateEvery > 0 {
		refuse("run.evaluate_every", "private-select shows no trial's accuracy on the way; leave it out")
	}
	for i, v := range p.axes["epsilon"].Values {
		if math.IsInf(v.(float64), 1) {
			p.complain(p.axes["epsilon"].places[i], "privacy.epsilon: without noise there is nothing private to select; leave inf out")
		}
	}
	for i, v := range p.axes["noise_multiplier"].Values {
		if v.(float64) == 0 {
			p.complain(p.axes["noise_multiplier"].places[i], "privacy.noise_multiplier: without noise there is nothing private to select; leave 0 out")
		}
	}
}

// checkLaw wants a shape of the one law that has one.
func (p *parser) checkLaw() {
	at, given := p.keys["disclosure.shape"]
	switch shaped := p.sweep.Selection.Count == privacy.NegativeBinomial; {
	case given && !shaped:
		p.complain(at, "disclosure.shape: the law %s has none; truncated_negative_binomial has", p.sweep.Selection.Count)
	case shaped && !given && !p.taken["disclosure.shape"]:
		p.complain(p.placeOf("disclosure"), "disclosure.shape: missing; truncated_negative_binomial needs it: 1 is geometric, 0 logarithmic")
	}
}

// dearAxes are those that decide what a trial costs.
var dearAxes = []string{"batch_size", "noise_multiplier", "steps"}

// checkDraws wants points that can be drawn independently of each other and of
// what other trials came to, and whose prices can be listed.
func (p *parser) checkDraws() {
	s := p.sweep
	if m := methodNamed(s.Strategy); s.Strategy != "grid" && s.Strategy != "random" && !p.broken("strategy") {
		why := "draws points that depend on one another"
		if m.adaptive {
			why = "looks at what earlier trials came to"
		}
		p.complain(p.placeOf("strategy"), "strategy: %s %s, and private-select needs independent draws (Papernot and Steinke 2022); take grid, or random", m.name, why)
		return
	}
	for _, path := range slices.Sorted(maps.Keys(p.keys)) {
		if key, inside := strings.CutPrefix(path, "strategy."); inside && (key == "trials" || key == "seed") {
			p.complain(p.keys[path], "%s: private-select draws it from the operating system's generator; leave it out, and give disclosure a mean", path)
		}
	}
	if s.Strategy == "grid" {
		return
	}
	for _, name := range dearAxes {
		if a, ok := p.axes[name]; ok && (a.Span != nil || a.Expr != "" || a.When != "") {
			p.complain(a.places[0], "%s: with strategy random, private-select is priced by its dearest point, which must be among listed values; list them", p.pathOf(name))
		}
	}
}
