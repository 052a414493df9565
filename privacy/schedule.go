package privacy

import "math"

// StepsForEpochs returns how many steps at the sampling rate, in (0, 1], make so
// many passes over the data on average, rounded up: a step more than int(epochs/rate)
// is what training loops do. Steps are updates, however many micro-batches each
// is computed in. At most 2^40.
func StepsForEpochs(epochs, sampleRate float64) int {
	steps := epochs / sampleRate
	if whole := math.Round(steps); math.Abs(steps-whole) < 1e-9*whole {
		steps = whole // 10 epochs at 1/3 are 30 steps
	}
	return int(min(math.Ceil(steps), mostSteps))
}

// JointNoise returns the noise multiplier of several Gaussian statistics of one
// batch together, each given by its noise over its own sensitivity:
//
//	(σ1^-2 + σ2^-2 + …)^-1/2
//
// Adaptive clipping, which also releases how many examples were clipped with noise
// σb (sensitivity 1/2 for counts centred at 1/2), is JointNoise(σ, 2σb): less than
// σ (Andrew, Thakkar, McMahan, Ramaswamy 2021, arXiv:1905.03871, Theorem 1). It is 0
// if one of them has no noise, and +Inf if there are none.
func JointNoise(sigmas ...float64) float64 {
	var strength float64
	for _, σ := range sigmas {
		strength += 1 / (σ * σ)
	}
	return 1 / math.Sqrt(strength)
}
