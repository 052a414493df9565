package search

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// check complains about what is wrong between keys.
func (p *parser) check() {
	p.checkNoise()
	p.checkHypers()
	p.checkBatch()
	p.checkEffects()
	p.checkWarmup()
	p.checkOptions()
	p.checkRun()
	p.checkStrategy()
	p.checkDisclosure()
	if d := p.sweep.Data; d.Train > 0 && d.Train+d.Validation > maxCount {
		p.complain(p.placeOf("data.validation"), "data.validation: %d and data.train %d are more examples than a data set can have", d.Validation, d.Train)
	}
}

// placeOf is where the value of path stands; the mapping around it, if the file
// does not have it.
func (p *parser) placeOf(path string) place {
	for {
		if n, ok := p.nodes[path]; ok {
			return at(n)
		}
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
	}
}

// checkNoise wants epsilon or noise_multiplier. Both together decide the steps,
// which must not stand there then.
func (p *parser) checkNoise() {
	_, hasε := p.keys["privacy.epsilon"]
	_, hasσ := p.keys["privacy.noise_multiplier"]
	switch {
	case hasε && hasσ:
		for _, path := range []string{"grid.steps", "fixed.steps"} {
			if steps, ok := p.keys[path]; ok {
				p.complain(steps, "%s: epsilon and noise_multiplier decide it, as the most steps that they allow; leave one of the three out", path)
			}
		}
		p.sweep.solved = true
	case !hasε && !hasσ && !p.taken["privacy.epsilon"] && !p.taken["privacy.noise_multiplier"]:
		if _, ok := p.keys["privacy"]; !ok || p.broken("privacy") {
			return
		}
		p.complain(p.placeOf("privacy"), "privacy: neither epsilon nor noise_multiplier is here; give one")
	}
}

// pathOf is where the file gives a hyper-parameter.
func (p *parser) pathOf(name string) string {
	if _, ok := p.keys["fixed."+name]; ok {
		return "fixed." + name
	}
	return "grid." + name
}

// broken reports whether the file has something else than a mapping at path.
func (p *parser) broken(path string) bool {
	n, ok := p.nodes[path]
	return ok && n.Kind != yaml.MappingNode
}

// checkHypers wants each hyper-parameter once, and the required ones at all.
func (p *parser) checkHypers() {
	for _, path := range slices.Sorted(maps.Keys(p.keys)) {
		name, inFixed := strings.CutPrefix(path, "fixed.")
		if grid, twice := p.keys["grid."+name]; inFixed && twice {
			p.complain(p.keys[path], "%s: grid has it as well, on line %d; a hyper-parameter either varies or is fixed", path, grid.line)
		}
	}
	if p.broken("grid") || p.broken("fixed") {
		return
	}
	for _, h := range hypers {
		_, inGrid := p.keys["grid."+h.name]
		_, inFixed := p.keys["fixed."+h.name]
		if h.required && !(h.name == "steps" && p.sweep.solved) && !inGrid && !inFixed && !p.taken["grid."+h.name] && !p.taken["fixed."+h.name] {
			p.complain(p.placeOf("grid"), "%s: missing; give it in grid or fixed: %s", h.name, h.doc)
		}
	}
}

// checkBatch wants batches that the data can fill.
func (p *parser) checkBatch() {
	train, axis := p.sweep.Data.Train, p.axes["batch_size"]
	for i, v := range axis.Values {
		if axis.Expr != "" {
			return // checked point by point
		}
		if b, ok := v.(int); ok && train > 0 && b > train {
			p.complain(axis.places[i], "%s: %d is more than the %d examples of data.train; the sampling rate would be above 1", p.pathOf("batch_size"), b, train)
		}
	}
}

// checkEffects refuses hyper-parameters that no trial would use.
func (p *parser) checkEffects() {
	for _, h := range hypers {
		a, given := p.axes[h.name]
		if !given || h.with.name == "" {
			continue
		}
		if p.bad(h.with.name) {
			continue // a complaint stands there already
		}
		beside, given := p.axes[h.with.name]
		if !given {
			beside.Values = []any{fallback(hyperNamed(h.with.name).def)}
		}
		if beside.Expr == "" && beside.Span == nil && !slices.ContainsFunc(beside.Values, h.with.holds) {
			p.complain(a.places[0], "%s: %s has no effect while %s; %s, or leave %s out", p.pathOf(h.name), show(a.Values[0]), h.with.unmet, h.with.do, h.name)
		}
	}
}

// bad reports whether the file gives a hyper-parameter that could not be read.
func (p *parser) bad(name string) bool {
	_, read := p.axes[name]
	_, grid := p.keys["grid."+name]
	_, fixed := p.keys["fixed."+name]
	return (grid || fixed || p.taken["grid."+name] || p.taken["fixed."+name]) && !read
}

// checkWarmup wants updates to be left at the full learning rate.
func (p *parser) checkWarmup() {
	warmup, steps := p.axes["warmup"], p.axes["steps"]
	if len(steps.Values) == 0 || steps.Expr != "" || warmup.Expr != "" {
		return
	}
	least := steps.Values[0].(int)
	for _, v := range steps.Values {
		least = min(least, v.(int))
	}
	for i, v := range warmup.Values {
		if v.(int) >= least && v.(int) > 0 {
			p.complain(warmup.places[i], "%s: %d updates of warm-up leave none of the %d of steps at the full learning rate; it is less than every value of steps",
				p.pathOf("warmup"), v, least)
		}
	}
}

// builtinOptions are the built-in trainer's own.
var builtinOptions = []string{"option.device", "option.microbatch", "option.precision"}

// checkOptions wants options only where there is a trainer to understand them.
func (p *parser) checkOptions() {
	if _, external := p.keys["trainer"]; external {
		return
	}
	for _, path := range slices.Sorted(maps.Keys(p.keys)) {
		section, name, _ := strings.Cut(path, ".")
		if (section == "grid" || section == "fixed") && strings.HasPrefix(name, optionPrefix) && !slices.Contains(builtinOptions, name) {
			p.complain(p.keys[path], "%s: the built-in trainer has option.device, option.microbatch and option.precision; name the trainer that has this one, or leave it out", path)
		}
	}
}

// checkRun wants whole GPUs, or a share of one.
func (p *parser) checkRun() {
	if g := p.sweep.Run.GPUsPerTrial; g > 1 && g != math.Trunc(g) {
		p.complain(p.placeOf("run.gpus_per_trial"), "run.gpus_per_trial: %s is not whole; a trial has a share of one GPU, at most 1, or whole ones", show(g))
	}
}

// assemble makes the sweep of what has been read without mistakes.
func (p *parser) assemble() {
	s := p.sweep
	s.Fixed = make(map[string]any)
	for _, h := range noises {
		if a, ok := p.axes[h.name]; ok {
			p.add(a)
			s.Privacy.set(a)
		}
	}
	for _, h := range hypers {
		a, given := p.axes[h.name]
		if !given {
			a = Axis{Name: h.name}
			if h.name == "steps" { // solved for
				a.Values = []any{1}
			} else {
				a.Values = []any{fallback(h.def)}
			}
		}
		p.add(a)
	}
	for _, name := range slices.Sorted(maps.Keys(p.axes)) {
		if strings.HasPrefix(name, optionPrefix) {
			p.add(p.axes[name])
		}
	}
	s.link()
	if p.size() && p.compile() {
		p.draw()
	}
}

func (v *Privacy) set(a Axis) {
	values := make([]float64, len(a.Values))
	for i := range values {
		values[i] = a.Values[i].(float64)
	}
	if a.Name == "epsilon" {
		v.Epsilon = values
	} else {
		v.NoiseMultiplier = values
	}
}

// add makes a one of the sweep's axes, and shows it where the file has it.
func (p *parser) add(a Axis) {
	s := p.sweep
	s.axes = append(s.axes, a)
	s.puts = append(s.puts, hyperNamed(a.Name).put)
	if _, ok := p.keys["grid."+a.Name]; ok {
		s.Grid = append(s.Grid, a)
	} else if _, ok := p.keys["fixed."+a.Name]; ok {
		s.Fixed[a.Name] = a.Values[0]
	}
}

// size refuses grids that are too large, before anything counts their points.
func (p *parser) size() bool {
	total, factors := float64(p.sweep.Repeats), []string(nil)
	if p.sweep.Strategy != "grid" {
		return true
	}
	for _, a := range p.sweep.axes {
		total *= float64(len(a.Values))
		if n := len(a.Values); n > 1 {
			factors = append(factors, fmt.Sprintf("%d %s", n, a.Name))
		}
	}
	if total <= maxTrials {
		return true
	}
	if p.sweep.Repeats > 1 {
		factors = append(factors, fmt.Sprintf("%d repeats", p.sweep.Repeats))
	}
	p.complain(p.placeOf("grid"), "grid: %.0f trials (%s) are too many; at most %d", total, strings.Join(factors, " × "), maxTrials)
	return false
}
