package search

import (
	"regexp"
	"sync"
	"time"

	"sweep"
	"sweep/privacy"
)

// MaxFile is how many bytes a sweep file may have.
const MaxFile = 1 << 20

// Limits that bound what a file can ask for; all are far above what a sweep needs.
const (
	maxAxis   = 10_000    // values of one axis
	maxTrials = 1_000_000 // points before where, times repeats
	maxCount  = 1e12      // examples
	maxWhere  = 4096      // bytes of a constraint
	maxSteps  = 1e9       // updates
)

// A kind is what a value of the file looks like.
type kind int

const (
	text      kind = iota // matches pattern
	integer               // 4096
	number                // 0.5, 1e-5
	duration              // 30s, 1h30m
	choice                // one of choices
	boolean               // true or false
	words                 // a list of text
	condition             // an expression that is true or false
	external              // a number, true or false, or text: an external trainer's own
	mapping               // keys
)

// A def defines one key of the file.
type def struct {
	name     string
	kind     kind
	list     bool     // an axis of such values
	single   bool     // an axis that one bare value may stand for
	unit     string   // "" if the number has none
	limits   interval // of an integer or a number
	inf      bool     // inf is a value too
	choices  []string
	pattern  func() *regexp.Regexp // of a text
	like     string                // pattern, in words
	fallback string                // the default, as a file would write it; "" if there is none
	required bool
	doc      string
	keys     []def             // of a mapping
	short    string            // of a mapping: the key that one bare value stands for
	options  bool              // a mapping that also has the options of external trainers
	set      func(*Sweep, any) // stores a value, or is told that a mapping begins; nil for hyper-parameters, which become axes
}

// find returns d's key of that name.
func (d def) find(name string) (def, bool) {
	for _, k := range d.keys {
		if k.name == name {
			return k, true
		}
	}
	if !d.options {
		return def{}, false
	}
	k, ok := optionDef(name)
	k.list = d.keys[0].list
	return k, ok
}

func (d def) names() []string {
	names := make([]string, len(d.keys))
	for i, k := range d.keys {
		names[i] = k.name
	}
	return names
}

// Patterns of texts. To compile them takes milliseconds, which commands that read
// no sweep file should not pay for when they start.
var (
	plainName  = lazily(`^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$`)
	dataName   = lazily(`^[a-z0-9][a-z0-9-]{0,59}(:[A-Za-z0-9][A-Za-z0-9._-]{0,99})?$`)
	modelName  = lazily(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)
	layerNames = lazily(`^[a-z0-9][a-z0-9/_-]{0,99}(\+[a-z0-9][a-z0-9/_-]{0,99})*$`)
	localPath  = lazily(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,9}$`)
	hexDigest  = lazily(`^[0-9a-f]{64}$`)
)

func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// accountants are those that sweep files may name, the default first. They are
// upper bounds all; package privacy says how tight.
func accountants() []string {
	return []string{string(privacy.Certified), string(privacy.Exact), string(privacy.PLD), string(privacy.RDP)}
}

const plainLike = `letters, digits, ".", "_" and "-", at most 60, a letter or digit first`

// format is the whole file.
var format = def{kind: mapping, keys: []def{
	{
		name: "name", kind: text, pattern: plainName, like: plainLike, required: true,
		doc: "what the sweep is called; with a digest of the content it is the sweep's ID",
		set: func(s *Sweep, v any) { s.Name = v.(string) },
	},
	{name: "data", kind: mapping, required: true, doc: "what is trained on", keys: dataKeys},
	{
		name: "model", kind: text, pattern: modelName, required: true,
		like: `letters, digits, ".", "_", "/" and "-", a letter or digit first`,
		doc:  "the architecture, by the trainer's name for it",
		set:  func(s *Sweep, v any) { s.Model = v.(string) },
	},
	{
		name: "init", kind: mapping, doc: "weights to start from, pre-trained on other data; without it they are drawn from the seed", keys: initKeys,
	},
	{
		name: "trainer", kind: mapping, doc: "an external program that trains; without it, the built-in trainer does", keys: trainerKeys,
		set: func(s *Sweep, _ any) { s.Trainer = new(Trainer) },
	},
	{name: "privacy", kind: mapping, required: true, doc: "how much noise, and how it is accounted for", keys: privacyKeys},
	{name: "grid", kind: mapping, doc: "the hyper-parameters that vary, each an axis of values", keys: hyperKeys(true), options: true},
	{name: "fixed", kind: mapping, doc: "the hyper-parameters that do not vary, each one value", keys: hyperKeys(false), options: true},
	{
		name: "where", kind: condition, doc: "points of the grid for which it is false are not run",
		set: func(s *Sweep, v any) { s.Where = v.(string) },
	},
	{
		name: "repeats", kind: mapping, short: "min", keys: repeatKeys,
		doc: "trials of each point, which differ in their seed; {min: 2, max: 8} gives more to those that could be the best",
	},
	{
		name: "strategy", kind: mapping, short: "name", keys: strategyKeys,
		doc: "which points are run: all of the grid, or those that a strategy chooses; the name alone, or with its settings",
	},
	{
		name: "disclosure", kind: mapping, short: "name", keys: disclosureKeys,
		doc: "what is shown of the search, and so what it costs; the name alone, or with the settings of private-select",
	},
	{name: "run", kind: mapping, doc: "how trials are run; changes no result, and is not part of the sweep's ID", keys: runKeys},
}}

var dataKeys = []def{
	{
		name: "name", kind: text, pattern: dataName, required: true,
		like: `lower-case letters, digits and "-", and for a folder of images "folder:" and its name`,
		doc:  "the data set: glyphs, mnist, cifar10, folder:NAME, …",
		set:  func(s *Sweep, v any) { s.Data.Name = v.(string) },
	},
	{
		name: "train", kind: integer, unit: "examples", limits: between(1, maxCount), required: true,
		doc: "N, the examples trained on; the sampling rate is batch_size / N",
		set: func(s *Sweep, v any) { s.Data.Train = v.(int) },
	},
	{
		name: "validation", kind: integer, unit: "examples", limits: between(0, maxCount), fallback: "0",
		doc: "examples of the training part held out to measure accuracy; 0 measures on the test part",
		set: func(s *Sweep, v any) { s.Data.Validation = v.(int) },
	},
}

var initKeys = []def{
	{
		name: "weights", kind: text, pattern: localPath, required: true,
		like: `a path within the data directory: parts of letters, digits, ".", "_" and "-", a letter or digit first, with "/" between them`,
		doc:  "a safetensors file in the data directory; trials are named by its digest, not by its place",
		set:  func(s *Sweep, v any) { s.Init.File = v.(string) },
	},
	{
		name: "sha256", kind: text, pattern: hexDigest, like: "64 hexadecimal digits in lower case", required: true,
		doc: "the digest of the file, which is checked before it is used",
		set: func(s *Sweep, v any) { s.Init.Digest = "sha256:" + v.(string) },
	},
	{
		name: "classifier", kind: choice, choices: []string{"keep", string(sweep.ResetClassifier)}, fallback: "keep",
		doc: "keep takes the last layer from the file; reset draws it from the seed, for other classes than the file's",
		set: func(s *Sweep, v any) { s.Init.Classifier = sweep.Classifier(unless("keep", v)) },
	},
}

var trainerKeys = []def{
	{
		name: "command", kind: words, required: true,
		doc: "the program and its arguments; no shell sees them",
		set: func(s *Sweep, v any) { s.Trainer.Command = v.([]string) },
	},
	{
		name: "sha256", kind: text, pattern: hexDigest, like: "64 hexadecimal digits in lower case", required: true,
		doc: "the digest of the program's file, which is checked before it is run",
		set: func(s *Sweep, v any) { s.Trainer.SHA256 = v.(string) },
	},
}

var privacyKeys = []def{
	noises[0].def,
	noises[1].def,
	{
		name: "delta", kind: number, limits: strictly(0, 1), required: true,
		doc: "δ of every (ε, δ); below 1/N by custom, and better far below",
		set: func(s *Sweep, v any) { s.Privacy.Delta = v.(float64) },
	},
	{
		name: "accountant", kind: choice, choices: accountants(), fallback: string(privacy.Certified),
		doc: "what bounds ε from the noise: certified is never below the truth and within 1e-4 of it where the exact method applies; rdp is what the paper used, 5 to 15 % larger",
		set: func(s *Sweep, v any) { s.Privacy.Accountant = privacy.Accountant(v.(string)) },
	},
	{
		name: "noise", kind: choice, choices: []string{string(sweep.Secure), string(sweep.Seeded)}, fallback: string(sweep.Secure),
		doc: "where randomness comes from: secure, a key that nobody knows; seeded, for research, since whoever has the file can subtract the noise",
		set: func(s *Sweep, v any) { s.Privacy.Noise = sweep.NoiseSource(v.(string)) },
	},
}

var runKeys = []def{
	{
		name: "parallel", kind: integer, unit: "trials", limits: between(0, 500), fallback: "0",
		doc: "trials that run at the same time, if there is room; 0 is as many as the devices, or the cores, of the machine that runs them",
		set: func(s *Sweep, v any) { s.Run.Parallel = v.(int) },
	},
	{
		name: "retries", kind: integer, unit: "attempts", limits: between(0, 100), fallback: "3",
		doc: "attempts after the first before a trial counts as failed; each goes on from the last checkpoint",
		set: func(s *Sweep, v any) { s.Run.Retries = v.(int) },
	},
	{
		name: "gpus_per_trial", kind: number, unit: "GPUs", limits: between(0, 64), fallback: "0",
		doc: "0 trains on the CPU; below 1, trials share a GPU; otherwise a whole number",
		set: func(s *Sweep, v any) { s.Run.GPUsPerTrial = v.(float64) },
	},
	{
		name: "evaluate_every", kind: integer, unit: "updates", limits: between(0, 1e9), fallback: "0",
		doc: "evaluations on the way; 0 evaluates after the last update only",
		set: func(s *Sweep, v any) { s.Run.EvaluateEvery = v.(int) },
	},
	{
		name: "evaluate_test", kind: boolean, fallback: "true",
		doc: "with data.validation, accuracy on the test part is measured too, once, after the last update: shown beside the chosen points, and nothing is chosen by it",
		set: func(s *Sweep, v any) { s.Run.EvaluateTest = v.(bool) },
	},
	{
		name: "checkpoint_every", kind: duration, fallback: "30s",
		doc: "least time between two checkpoints; 0s writes none until the trial is told to stop",
		set: func(s *Sweep, v any) { s.Run.CheckpointEvery = v.(time.Duration) },
	},
	{
		name: "keep_weights", kind: boolean, fallback: "false",
		doc: "true leaves each trial's averaged weights in its folder, as weights.safetensors",
		set: func(s *Sweep, v any) { s.Run.KeepWeights = v.(bool) },
	},
	{
		name: "trial_timeout", kind: duration, fallback: "0s",
		doc: "an attempt that takes longer is stopped; 0s is no limit",
		set: func(s *Sweep, v any) { s.Run.TrialTimeout = v.(time.Duration) },
	},
	{
		name: "priority", kind: integer, limits: between(1, 5), fallback: "3",
		doc: "among sweeps that share workers, 1 is served first",
		set: func(s *Sweep, v any) { s.Run.Priority = v.(int) },
	},
	{
		name: "queue", kind: text, pattern: plainName, like: plainLike,
		doc: "class of workers that train, as `sweep worker --queue` names it; without it, any that names none",
		set: func(s *Sweep, v any) { s.Run.Queue = v.(string) },
	},
}
