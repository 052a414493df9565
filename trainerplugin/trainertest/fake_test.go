package trainertest_test

import (
	"testing"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

// base is long enough for a stop to arrive in time over gRPC.
func base() trainerplugin.Job {
	return trainerplugin.Job{Threads: 1, Params: sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 1000}, Model: "fake", Batch: 100, Clip: 1, Noise: 1.5,
		LearnRate: 2, AugMult: 4, Augment: sweep.CropFlip, Steps: 40, EMA: 0.9, NoiseFrom: sweep.Seeded, Seed: 7,
		Options: map[string]string{trainertest.StepTimeOption: "2ms"},
	}}
}

func TestFake(t *testing.T) {
	trainertest.Run(t, func(*testing.T) trainerplugin.Trainer { return trainertest.Fake{} }, base())
}

func TestFakeOverGRPC(t *testing.T) {
	trainertest.Run(t, func(t *testing.T) trainerplugin.Trainer {
		return trainertest.Pair(t, trainertest.Fake{}, 0)
	}, base())
}
