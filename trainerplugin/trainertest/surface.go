package trainertest

import (
	"math"
	"strconv"

	"sweep"
)

// Accuracy is what a [Fake] would measure for p after its last step, but for
// the sampling error of its finite test set: a smooth function from 0.1 (chance
// among ten classes) towards 0.99, with the shape of DP-SGD and none of its
// substance.
//
//   - It falls with σ / (B √T): with more noise, smaller batches, fewer steps.
//   - Averaging over views makes up for noise, with diminishing returns.
//   - One learning rate is best: 2, and more with more views.
//   - A clipping norm of 1 is best, and matters less.
func Accuracy(p sweep.Params) float64 { return accuracyAt(p, p.Steps) }

func accuracyAt(p sweep.Params, step int) float64 {
	views := math.Log1p(float64(p.AugMult))
	rate := math.Log(p.LearnRate/2) - 0.3*views
	clip := math.Log(p.Clip)
	fit := math.Exp(-rate*rate/3 - clip*clip/20)
	learned := 1 - math.Exp(-8*float64(step)/float64(p.Steps+10))
	blur := 1000 * p.Noise / (float64(p.Batch) * math.Sqrt(float64(p.Steps)) * (1 + 0.3*views))
	return 0.1 + 0.89*fit*learned/(1+blur)
}

// signalToNoise falls with σ/B; without noise it is 0, as in Progress.
func signalToNoise(p sweep.Params) float64 {
	if p.Noise == 0 {
		return 0
	}
	return float64(p.Batch) / (p.Noise * 1000)
}

func lossAt(p sweep.Params, step int) float64 { return -math.Log(accuracyAt(p, step)) }

// measured is accuracy a as counted on n examples: it misses a by up to two
// binomial standard deviations, by chance fixed in weights.
func measured(a float64, weights string, n int) float64 {
	a = min(max(a, 0), 1)
	off := 4 * jitter(weights) * math.Sqrt(a*(1-a)/float64(n))
	return math.Round(min(max(a+off, 0), 1)*float64(n)) / float64(n)
}

// jitter reads a number in [-1/2, 1/2) from a digest.
func jitter(digest string) float64 {
	n, err := strconv.ParseUint(digest[:13], 16, 64)
	if err != nil {
		panic(err) // digests are hexadecimal
	}
	return float64(n)/(1<<52) - 0.5
}
