package trainerplugin

import (
	"fmt"
	"math"

	"sweep"
)

// Validate checks what holds for every trainer: the ranges that the fields of
// [Job] and [sweep.Params] state. What a trainer has (models, data sets, memory)
// it checks itself. The error wraps [ErrRefused].
func (j Job) Validate() error {
	p := j.Params
	for _, c := range []struct {
		ok     bool
		name   string
		value  any
		remedy string
	}{
		{p.Steps >= 1, "steps", p.Steps, "at least 1"},
		{p.Data.Train >= 1, "data.train", p.Data.Train, "at least 1 example"},
		{p.Data.Validation >= 0, "data.validation", p.Data.Validation, "at least 0 examples"},
		{p.Batch >= 1 && p.Batch <= p.Data.Train, "batch_size", p.Batch, fmt.Sprintf("from 1 to the %d training examples", p.Data.Train)},
		{p.Clip > 0 && finite(p.Clip), "clip_norm", p.Clip, "above 0"},
		{p.Noise >= 0 && finite(p.Noise), "noise_multiplier", p.Noise, "at least 0"},
		{p.LearnRate > 0 && finite(p.LearnRate), "learning_rate", p.LearnRate, "above 0"},
		{p.AugMult >= 0, "augmult", p.AugMult, "at least 0"},
		{knownAugment(p), "augment", p.Augment, "flip, crop or crop-flip, and given exactly where augmult is not 0"},
		{p.EMA >= 0 && p.EMA < 1, "ema", p.EMA, "at least 0 and below 1"},
		{p.NoiseFrom == sweep.Secure || p.NoiseFrom == sweep.Seeded, "noise", p.NoiseFrom, "secure or seeded"},
		{p.Seed < 1<<53, "seed", p.Seed, "below 2^53"},
		{j.Threads >= 1, "threads", j.Threads, "at least 1"},
	} {
		if !c.ok {
			return fmt.Errorf("%w: %s is %v; it must be %s", ErrRefused, c.name, c.value, c.remedy)
		}
	}
	return nil
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
