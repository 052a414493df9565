package dpsgd

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep"
	"sweep/trainerplugin"
)

// Check says whether the loop can run a trial with parameters p, whatever the
// engine. The error names every parameter that is out of range and wraps
// [trainerplugin.ErrRefused].
func Check(p sweep.Params) error {
	wrong := slices.Concat(checkCounts(p), checkReals(p), checkViews(p), checkNoiseSource(p), checkOptimizer(p))
	if len(wrong) > 0 {
		return fmt.Errorf("%w: %s", trainerplugin.ErrRefused, strings.Join(wrong, "; "))
	}
	return nil
}

func checkCounts(p sweep.Params) (wrong []string) {
	if p.Data.Train < 1 || p.Data.Validation < 0 {
		wrong = append(wrong, fmt.Sprintf("data: train is %d and validation %d; train on at least 1 example and hold out none or more", p.Data.Train, p.Data.Validation))
	}
	if p.Batch < 1 || p.Batch > p.Data.Train {
		wrong = append(wrong, fmt.Sprintf("batch_size: %d; the expected batch is 1 to the %d training examples", p.Batch, p.Data.Train))
	}
	if p.Steps < 1 || p.Steps > maxSteps {
		wrong = append(wrong, fmt.Sprintf("steps: %d; at least 1 update, at most %d", p.Steps, maxSteps))
	}
	return wrong
}

// maxSteps is how many steps a checkpoint's name can count.
const maxSteps = 999_999_999

func checkReals(p sweep.Params) (wrong []string) {
	positive := func(key string, x float64) {
		if !(x > 0) || math.IsInf(x, 0) {
			wrong = append(wrong, fmt.Sprintf("%s: %v; it is a positive, finite number", key, x))
		}
	}
	positive("clip_norm", p.Clip)
	kinds := []sweep.Clipping{sweep.Flat, sweep.Automatic, sweep.PerLayer}
	if !slices.Contains(kinds, p.Clipping) {
		wrong = append(wrong, fmt.Sprintf("clipping: %q; there are %s", string(p.Clipping), kindNames(kinds)))
	}
	if p.Clipping == sweep.Automatic && p.Clip != 1 {
		wrong = append(wrong, fmt.Sprintf("clip_norm: %v; automatic clipping has none, so it is 1", p.Clip))
	}
	positive("learning_rate", p.LearnRate)
	if p.Noise != 0 {
		positive("noise_multiplier", p.Noise)
	}
	if !(p.EMA >= 0 && p.EMA < 1) {
		wrong = append(wrong, fmt.Sprintf("ema: %v; the decay is at least 0 and below 1", p.EMA))
	}
	return wrong
}

func checkViews(p sweep.Params) []string {
	known := p.Augment == sweep.Flip || p.Augment == sweep.Crop || p.Augment == sweep.CropFlip
	switch {
	case p.AugMult < 0:
		return []string{fmt.Sprintf("augmult: %d; 0 is the plain image, K ≥ 1 averages K views", p.AugMult)}
	case p.AugMult == 0 && p.Augment != "":
		return []string{fmt.Sprintf("augment: %q, but augmult is 0, which trains on the plain image; set augmult to 1 or more", p.Augment)}
	case p.AugMult > 0 && !known:
		return []string{fmt.Sprintf("augment: %q; augmult %d wants %s, %s or %s", p.Augment, p.AugMult, sweep.Flip, sweep.Crop, sweep.CropFlip)}
	}
	return nil
}

func checkNoiseSource(p sweep.Params) (wrong []string) {
	if p.NoiseFrom != sweep.Secure && p.NoiseFrom != sweep.Seeded {
		wrong = append(wrong, fmt.Sprintf("noise: %q; the keys of sampling and noise are %s or %s", p.NoiseFrom, sweep.Secure, sweep.Seeded))
	}
	if p.Seed >= 1<<53 {
		wrong = append(wrong, fmt.Sprintf("seed: %d; it is below 2^53", p.Seed))
	}
	return wrong
}
