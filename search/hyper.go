package search

import (
	"fmt"
	"regexp"
	"strings"

	"sweep"
)

// A hyper is a hyper-parameter: how a file states it, how a label shortens it,
// and which of a trial's parameters it is.
type hyper struct {
	def
	symbol string // in labels, "K=16"
	put    func(*sweep.Params, any)
}

// hypers are the built-in hyper-parameters in grid order, slowest first.
var hypers = []hyper{
	{
		def: def{
			name: "batch_size", kind: integer, unit: "examples", limits: between(1, maxCount), required: true,
			doc: "B, the expected Poisson batch before augmentation; at most data.train",
		},
		symbol: "B", put: func(p *sweep.Params, v any) { p.Batch = v.(int) },
	},
	{
		def: def{
			name: "clip_norm", kind: number, limits: above(0), fallback: "1",
			doc: "C, the L2 bound on one example's gradient; the update is divided by it",
		},
		symbol: "C", put: func(p *sweep.Params, v any) { p.Clip = v.(float64) },
	},
	{
		def: def{
			name: "learning_rate", kind: number, limits: above(0), required: true,
			doc: "η, the constant step size of an update whose gradients have norm ≤ 1",
		},
		symbol: "η", put: func(p *sweep.Params, v any) { p.LearnRate = v.(float64) },
	},
	{
		def: def{
			name: "augmult", kind: integer, unit: "views", limits: between(0, 1024), fallback: "0",
			doc: "K, the augmentation multiplicity: views of an example whose gradients are averaged before clipping; 0 is the plain image",
		},
		symbol: "K", put: func(p *sweep.Params, v any) { p.AugMult = v.(int) },
	},
	{
		def: def{
			name: "augment", kind: choice, choices: []string{string(sweep.Flip), string(sweep.Crop), string(sweep.CropFlip)},
			fallback: string(sweep.CropFlip),
			doc:      "how a view is drawn: mirrored, cropped from a 4-pixel mirror padding, or both; nothing where augmult is 0",
		},
		symbol: "augment", put: putAugment,
	},
	{
		def: def{
			name: "steps", kind: integer, unit: "updates", limits: between(1, 1e9), required: true,
			doc: "T, the number of updates, whatever the number of microbatches",
		},
		symbol: "T", put: func(p *sweep.Params, v any) { p.Steps = v.(int) },
	},
	{
		def: def{
			name: "ema", kind: number, limits: belowFrom(0, 1), fallback: "0.999",
			doc: "μ, the decay of the weights' moving average, with warm-up; 0 keeps the last weights",
		},
		symbol: "μ", put: func(p *sweep.Params, v any) { p.EMA = v.(float64) },
	},
}

// putAugment comes after augmult in grid order, so that p.AugMult is known.
func putAugment(p *sweep.Params, v any) {
	if p.AugMult > 0 {
		p.Augment = sweep.Augmentation(v.(string))
	}
}

// noises are the two ways to say how much noise a trial gets.
var noises = []hyper{
	{
		def: def{
			name: "epsilon", kind: number, list: true, single: true, limits: above(0), inf: true,
			doc: "targets: the noise of each trial is calibrated to them and rounded up; inf is a baseline without noise",
		},
		symbol: "ε", put: func(*sweep.Params, any) {},
	},
	{
		def: def{
			name: "noise_multiplier", kind: number, list: true, single: true, limits: atLeast(0),
			doc: "σ, the standard deviation of the noise over clip_norm, in place of epsilon; 0 is not private",
		},
		symbol: "σ", put: func(p *sweep.Params, v any) { p.Noise = v.(float64) },
	},
}

const optionPrefix = "option."

// optionName is what may follow "option.": a name that a constraint can use too.
var optionName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,59}$`)

// optionDef defines an external trainer's own hyper-parameter.
func optionDef(name string) (def, bool) {
	bare, ok := strings.CutPrefix(name, optionPrefix)
	if !ok || !optionName.MatchString(bare) {
		return def{}, false
	}
	return def{name: name, kind: external, doc: "a hyper-parameter of the external trainer's own"}, true
}

// option is the hyper-parameter behind a name that optionDef accepts.
func option(d def) hyper {
	bare := strings.TrimPrefix(d.name, optionPrefix)
	return hyper{def: d, symbol: bare, put: func(p *sweep.Params, v any) {
		if p.Options == nil {
			p.Options = make(map[string]string)
		}
		p.Options[bare] = show(v)
	}}
}

// hyperNamed returns the definition behind an axis's name.
func hyperNamed(name string) hyper {
	for _, table := range [][]hyper{noises, hypers} {
		for _, h := range table {
			if h.name == name {
				return h
			}
		}
	}
	d, ok := optionDef(name)
	if !ok {
		panic(fmt.Sprintf("search: no hyper-parameter %q", name))
	}
	return option(d)
}

// hyperKeys are the keys of grid (lists) and fixed (single values).
func hyperKeys(list bool) []def {
	keys := make([]def, len(hypers))
	for i, h := range hypers {
		d := h.def
		d.list, d.required = list, false
		keys[i] = d
	}
	return keys
}
