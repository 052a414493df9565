package trainerplugin

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"sweep"
)

// Validate checks what holds for every trainer: the ranges that the fields of
// [Job] and [sweep.Params] state. What a trainer has (models, data sets, memory)
// it checks itself. The error wraps [ErrRefused].
func (j Job) Validate() error {
	p := j.Params
	for _, c := range slices.Concat(optimizerRules(p), initRules(p.Init), []rule{
		{p.Steps >= 1, "steps", p.Steps, "at least 1"},
		{p.Data.Train >= 1, "data.train", p.Data.Train, "at least 1 example"},
		{p.Data.Validation >= 0, "data.validation", p.Data.Validation, "at least 0 examples"},
		{p.Batch >= 1 && p.Batch <= p.Data.Train, "batch_size", p.Batch, fmt.Sprintf("from 1 to the %d training examples", p.Data.Train)},
		{p.Clip > 0 && finite(p.Clip), "clip_norm", p.Clip, "above 0"},
		{p.Clipping == sweep.Flat || p.Clipping == sweep.Automatic || p.Clipping == sweep.PerLayer, "clipping", string(p.Clipping), `"", which is flat, automatic or per-layer`},
		{p.Clipping != sweep.Automatic || p.Clip == 1, "clip_norm", p.Clip, "1 with automatic clipping, which has none"},
		{p.Noise >= 0 && finite(p.Noise), "noise_multiplier", p.Noise, "at least 0"},
		{p.LearnRate > 0 && finite(p.LearnRate), "learning_rate", p.LearnRate, "above 0"},
		{p.AugMult >= 0, "augmult", p.AugMult, "at least 0"},
		{knownAugment(p), "augment", p.Augment, "flip, crop or crop-flip, and given exactly where augmult is not 0"},
		{p.EMA >= 0 && p.EMA < 1, "ema", p.EMA, "at least 0 and below 1"},
		{p.NoiseFrom == sweep.Secure || p.NoiseFrom == sweep.Seeded, "noise", p.NoiseFrom, "secure or seeded"},
		{p.Seed < 1<<53, "seed", p.Seed, "below 2^53"},
		{j.Threads >= 1, "threads", j.Threads, "at least 1"},
		{j.Microbatch >= 0, "microbatch", j.Microbatch, "at least 0"},
	}) {
		if !c.ok {
			return fmt.Errorf("%w: %s is %v; it must be %s", ErrRefused, c.name, c.value, c.remedy)
		}
	}
	return nil
}

// A rule is what must hold of one field.
type rule struct {
	ok     bool
	name   string
	value  any
	remedy string
}

// optimizerRules are those of the fields that say how an update follows from a
// noisy gradient. A field of the other optimizer is 0, so that one trial has
// one name.
func optimizerRules(p sweep.Params) []rule {
	adam := p.Optimizer == sweep.Adam
	return []rule{
		{adam || p.Optimizer == sweep.SGD, "optimizer", p.Optimizer, `"", which is SGD, or adam`},
		{p.Momentum >= 0 && p.Momentum < 1, "momentum", p.Momentum, "at least 0 and below 1"},
		{!adam || p.Momentum == 0, "momentum", p.Momentum, "0 with adam, which has beta1"},
		{p.Beta1 >= 0 && p.Beta1 < 1 && (adam || p.Beta1 == 0), "beta1", p.Beta1, "at least 0 and below 1 with adam, and 0 without"},
		{p.Beta2 >= 0 && p.Beta2 < 1 && (adam || p.Beta2 == 0), "beta2", p.Beta2, "at least 0 and below 1 with adam, and 0 without"},
		{adam == (p.AdamEps > 0) && finite(p.AdamEps), "adam_eps", p.AdamEps, "above 0 with adam, and 0 without"},
		{p.WeightDecay >= 0 && finite(p.WeightDecay), "weight_decay", p.WeightDecay, "at least 0"},
		{p.Schedule == sweep.Constant || p.Schedule == sweep.Linear || p.Schedule == sweep.Cosine, "schedule", p.Schedule, `"", which is constant, linear or cosine`},
		{p.Warmup >= 0 && p.Warmup < max(1, p.Steps), "warmup", p.Warmup, "at least 0 and below steps"},
	}
}

// initRules are those of the weights that a trial starts from.
func initRules(i sweep.Init) []rule {
	if i == (sweep.Init{}) {
		return nil
	}
	local := filepath.IsLocal(filepath.FromSlash(i.File))
	return []rule{
		{local, "init.file", i.File, "a path within the data directory"},
		{isDigest(i.Digest), "init.digest", i.Digest, "sha256: and 64 hexadecimal digits in lower case"},
		{i.Classifier == sweep.KeepClassifier || i.Classifier == sweep.ResetClassifier, "init.classifier", i.Classifier, `"", which keeps the file's, or reset`},
	}
}

func finite(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }

func knownAugment(p sweep.Params) bool {
	switch p.Augment {
	case "":
		return p.AugMult == 0
	case sweep.Flip, sweep.Crop, sweep.CropFlip:
		return p.AugMult > 0
	}
	return false
}
