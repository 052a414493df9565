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

// A sweep over the fake has one best learning rate, and gains from less noise,
// larger batches, more steps and more views, so that searches have an answer.
func TestAccuracyIsShapedLikeDPSGD(t *testing.T) {
	at := func(change func(*sweep.Params)) float64 {
		p := base().Params
		p.Steps, p.Noise, p.AugMult = 200, 1, 0
		change(&p)
		return trainertest.Accuracy(p)
	}
	rising := func(name string, change func(*sweep.Params, float64), values ...float64) {
		t.Helper()
		last := 0.0
		for _, v := range values {
			a := at(func(p *sweep.Params) { change(p, v) })
			if a <= last || a < 0.1 || a > 0.99 {
				t.Errorf("%s %v: accuracy %v after %v", name, v, a, last)
			}
			last = a
		}
	}
	rate := func(p *sweep.Params, v float64) { p.LearnRate = v }
	rising("learning rate", rate, 0.05, 0.2, 1, 2)
	rising("learning rate", rate, 80, 20, 4, 2)
	rising("noise", func(p *sweep.Params, v float64) { p.Noise = v }, 64, 8, 2, 0.5, 0)
	rising("batch", func(p *sweep.Params, v float64) { p.Batch = int(v) }, 10, 50, 250, 1000)
	rising("steps", func(p *sweep.Params, v float64) { p.Steps = int(v) }, 1, 10, 100, 1000)
	rising("clip", func(p *sweep.Params, v float64) { p.Clip = v }, 100, 10, 1)
	rising("views", func(p *sweep.Params, v float64) { p.AugMult, p.LearnRate = int(v), 3 }, 0, 2, 4)
}

func TestModes(t *testing.T) {
	if _, err := trainertest.Misbehaving("politely"); err == nil {
		t.Error("there is no such mode")
	}
	if all := trainertest.Modes(); len(all) < 20 {
		t.Errorf("only %v", all)
	}
}

func BenchmarkFakeStep(b *testing.B) {
	j := base()
	j.Params.Options, j.Params.Steps, j.Dir = nil, b.N, b.TempDir()
	if _, err := (trainertest.Fake{}).Train(b.Context(), j, func(trainerplugin.Event) error { return nil }); err != nil {
		b.Fatal(err)
	}
}
