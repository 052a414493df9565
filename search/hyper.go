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
	with   with // when it has an effect; always, if zero
	later  bool // sweeps had IDs before it: at its default it is not part of them
}

// A with says that a hyper-parameter counts only beside some values of another.
type with struct {
	name  string         // of the other
	holds func(any) bool // whether it counts beside this value
	unmet string         // "augmult is 0"
	do    string         // "set augmult to 1 or more"
}

// views is the condition of augment, sgd that of momentum, and so on.
var (
	normed = with{"clipping", func(v any) bool { return v != string(sweep.Automatic) }, "clipping is automatic", "set clipping to flat or per-layer"}
	views  = with{"augmult", func(v any) bool { return v.(int) > 0 }, "augmult is 0", "set augmult to 1 or more"}
	sgd    = with{"optimizer", func(v any) bool { return v == "sgd" }, "optimizer is adam", "set optimizer to sgd"}
	adam   = with{"optimizer", func(v any) bool { return v == "adam" }, "optimizer is sgd", "set optimizer to adam"}
)

const allLayers = "all"

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
		symbol: "C", with: normed, put: func(p *sweep.Params, v any) { p.Clip = v.(float64) },
	},
	{
		def: def{
			name: "clipping", kind: choice, choices: []string{"flat", string(sweep.Automatic), string(sweep.PerLayer)}, fallback: "flat",
			doc: "how an example's gradient is bounded: flat, as one vector; automatic, divided by its own norm; per-layer, each layer by clip_norm/√layers",
		},
		symbol: "clipping", later: true, put: putClipping,
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
		symbol: "augment", with: views, put: func(p *sweep.Params, v any) { p.Augment = sweep.Augmentation(v.(string)) },
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
	{
		def: def{
			name: "layers", kind: text, pattern: layerNames, like: "all, or names of layers joined by +, as group3+classifier", fallback: allLayers,
			doc: "which layers are trained, as classifier or group3+classifier (the layers under a name too); the others keep the weights they start with, at no cost in privacy",
		},
		symbol: "layers", later: true, put: func(p *sweep.Params, v any) { p.Layers = unless(allLayers, v) },
	},
	{
		def: def{
			name: "optimizer", kind: choice, choices: []string{"sgd", "adam"}, fallback: "sgd",
			doc: "the rule by which noisy gradients move weights; none changes what a trial costs",
		},
		symbol: "optimizer", later: true, put: func(p *sweep.Params, v any) { p.Optimizer = sweep.Optimizer(unless("sgd", v)) },
	},
	{
		def: def{
			name: "momentum", kind: number, limits: belowFrom(0, 1), fallback: "0",
			doc: "share of SGD's last step in the next; a gradient moves weights by η/(1 - momentum) in all",
		},
		symbol: "m", with: sgd, later: true, put: func(p *sweep.Params, v any) { p.Momentum = v.(float64) },
	},
	{
		def: def{
			name: "beta1", kind: number, limits: belowFrom(0, 1), fallback: "0.9",
			doc: "β₁ of Adam, the decay of the mean of gradients",
		},
		symbol: "β₁", with: adam, later: true, put: func(p *sweep.Params, v any) { p.Beta1 = v.(float64) },
	},
	{
		def: def{
			name: "beta2", kind: number, limits: belowFrom(0, 1), fallback: "0.999",
			doc: "β₂ of Adam, the decay of the mean of their squares, noise included",
		},
		symbol: "β₂", with: adam, later: true, put: func(p *sweep.Params, v any) { p.Beta2 = v.(float64) },
	},
	{
		def: def{
			name: "adam_eps", kind: number, limits: above(0), fallback: "1e-8",
			doc: "added to the root of Adam's mean square, which the noise keeps near σ/batch_size; has nothing to do with epsilon",
		},
		symbol: "adam_eps", with: adam, later: true, put: func(p *sweep.Params, v any) { p.AdamEps = v.(float64) },
	},
	{
		def: def{
			name: "weight_decay", kind: number, limits: atLeast(0), fallback: "0",
			doc: "λ: each update takes η·λ of every weight from it, whatever the gradient (decoupled, as in AdamW)",
		},
		symbol: "λ", later: true, put: func(p *sweep.Params, v any) { p.WeightDecay = v.(float64) },
	},
	{
		def: def{
			name: "schedule", kind: choice, choices: []string{"constant", string(sweep.Linear), string(sweep.Cosine)}, fallback: "constant",
			doc: "how the learning rate falls after the warm-up: not, evenly, or by half a cosine; the last update's is not 0",
		},
		symbol: "schedule", later: true, put: func(p *sweep.Params, v any) { p.Schedule = sweep.Schedule(unless("constant", v)) },
	},
	{
		def: def{
			name: "warmup", kind: integer, unit: "updates", limits: between(0, 1e9), fallback: "0",
			doc: "updates over which the learning rate rises evenly to learning_rate; fewer than steps",
		},
		symbol: "warmup", later: true, put: func(p *sweep.Params, v any) { p.Warmup = v.(int) },
	},
}

// putClipping also gives automatic clipping the norm that its trials have, since
// an axis without effect gives them none.
func putClipping(p *sweep.Params, v any) {
	p.Clipping = sweep.Clipping(unless("flat", v))
	if p.Clipping == sweep.Automatic {
		p.Clip = 1
	}
}

// unless is v, or "" where v is the value that trials leave out.
func unless(left string, v any) string {
	if v == left {
		return ""
	}
	return v.(string)
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
