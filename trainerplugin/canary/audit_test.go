package canary

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"sweep"
	"sweep/privacy"
	"sweep/privacy/audit"
	"sweep/trainerplugin"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
)

// The setting in which the attack is strong: half of the examples are canaries, so
// that little else moves the weights along them, each batch holds half of the
// examples, and the model is linear, so that noise images keep apart.
const (
	examples     = 2000
	count        = 1000
	delta        = 1e-5
	significance = 0.05
)

// glyphs are the built-in data, drawn once.
var glyphs = sync.OnceValues(func() (*dataset.Partition, error) {
	set, err := dataset.Glyphs(context.Background(), examples, 200)
	if err != nil {
		return nil, err
	}
	return set.Split(examples, 0)
})

// trial is what is audited, with the noise that epsilon needs.
func trial(t *testing.T, epsilon float64, seed uint64) (sweep.Params, *dataset.Partition, *model.Engine) {
	t.Helper()
	p := sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: examples}, Model: "linear", Batch: examples / 2, Clip: 1,
		LearnRate: 4, Steps: 40, NoiseFrom: sweep.Seeded, Seed: seed,
	}
	var err error
	if p.Noise, err = privacy.CalibrateNoise(privacy.Certified, privacy.Budget{Epsilon: epsilon, Delta: delta}, p.SampleRate(), p.Steps); err != nil {
		t.Fatal(err)
	}
	part, err := glyphs()
	if err != nil {
		t.Fatal(err)
	}
	e, err := model.New(p.Model, model.Input{Height: 28, Width: 28, Channels: 1, Classes: 10}, 2)
	if err != nil {
		t.Fatal(err)
	}
	return p, part, e
}

// bound audits one run of a trainer and returns the lower bound on its ε.
func bound(t *testing.T, p sweep.Params, part *dataset.Partition, e dpsgd.Engine, train Trainer, score Score) float64 {
	t.Helper()
	s, err := New(part, Random, count, Seeded(p.Seed, 0))
	if err != nil {
		t.Fatal(err)
	}
	canaries, _, err := s.Train(t.Context(), train, Run{
		Job: trainerplugin.Job{Trial: p.ID(), Params: p, Dir: t.TempDir(), Threads: 2}, Engine: e, Score: score,
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := audit.Search(canaries, delta, significance)
	if err != nil {
		t.Fatal(err)
	}
	return f.Epsilon
}

var seeds = flag.Uint64("seeds", 3, "audit the correct trainer under so many seeds")

// The attack finds something of a correct trainer at ε = 8, and does not accuse it:
// at this significance a correct one is accused with a chance of 5 % at most, if
// it gives away all that it may, and this attack is far from that. One seed in 20
// may find nothing. The seeds are fixed, so that a machine always sees the same.
func TestCorrectTrainer(t *testing.T) {
	const epsilon = 8
	var nothing uint64
	for seed := range *seeds {
		p, part, e := trial(t, epsilon, seed)
		got := bound(t, p, part, e, dpsgd.Train, LastLoss)
		t.Logf("seed %d: ε ≥ %.3f", seed, got)
		if got == 0 {
			nothing++
		}
		if got > epsilon {
			t.Errorf("seed %d: ε ≥ %v of a trainer of ε %v", seed, got, epsilon)
		}
	}
	if nothing > *seeds/20 {
		t.Errorf("nothing was found under %d of %d seeds", nothing, *seeds)
	}
}

// No score accuses a correct trainer at a small ε either.
func TestCorrectTrainerByEveryScore(t *testing.T) {
	const epsilon = 0.5
	for _, score := range []Score{LastLoss, AveragedLoss, Trajectory} {
		p, part, e := trial(t, epsilon, 5)
		p.EMA, p.Steps = 0.9, 20 // fewer steps cost less than is claimed
		if got := bound(t, p, part, e, dpsgd.Train, score); got > epsilon {
			t.Errorf("by %s: ε ≥ %v of a trainer of ε %v", score, got, epsilon)
		}
	}
}

// Trainers that break their promise of ε = 0.5 are caught.
func TestBrokenTrainers(t *testing.T) {
	const epsilon = 0.5
	quiet := func(share float64) Trainer {
		return func(ctx context.Context, j trainerplugin.Job, e dpsgd.Engine, d dpsgd.Data, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
			j.Params.Noise *= share
			return dpsgd.Train(ctx, j, e, d, report)
		}
	}
	p, part, e := trial(t, epsilon, 7)
	for _, c := range []struct {
		name   string
		engine dpsgd.Engine
		train  Trainer
		change func(*sweep.Params)
		score  Score
	}{
		{"no noise", e, quiet(0), nil, LastLoss},
		{"a tenth of the noise", e, quiet(0.1), nil, LastLoss},
		{"one tensor unclipped", newUnclipped(t, e, "classifier/w"), dpsgd.Train, nil, LastLoss},
		// The loop adds no noise and the engine the same at every step. A small
		// learning rate keeps the losses nearly linear in the weights.
		{"noise reused", newReused(e, p), quiet(0), func(p *sweep.Params) { p.LearnRate = 0.1 }, Trajectory},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := p
			if c.change != nil {
				c.change(&p)
			}
			got := bound(t, p, part, c.engine, c.train, c.score)
			t.Logf("ε ≥ %.3f, claimed %v", got, epsilon)
			if got <= epsilon {
				t.Errorf("ε ≥ %v is not above the %v that is claimed", got, epsilon)
			}
		})
	}
}

// unclipped is an engine that forgets to clip one tensor.
type unclipped struct {
	dpsgd.Engine
	tensor string
}

func newUnclipped(t *testing.T, e dpsgd.Engine, tensor string) unclipped {
	t.Helper()
	if !slices.ContainsFunc(e.Tensors(), func(has dpsgd.Tensor) bool { return has.Name == tensor }) {
		t.Fatalf("tensors %v have no %s", e.Tensors(), tensor)
	}
	return unclipped{e, tensor}
}

// ClippedSum takes the tensor from a sum under a bound that no gradient reaches.
func (u unclipped) ClippedSum(ctx context.Context, weights []float32, b dpsgd.Batch, clip float64, sum []float32) (dpsgd.GradStats, error) {
	const never = 1e6
	whole := make([]float32, len(sum))
	if _, err := u.Engine.ClippedSum(ctx, weights, b, never, whole); err != nil {
		return dpsgd.GradStats{}, err
	}
	stats, err := u.Engine.ClippedSum(ctx, weights, b, clip, sum)
	at := 0
	for _, t := range u.Tensors() {
		for j := at; j < at+t.Size() && t.Name == u.tensor; j++ {
			sum[j] = whole[j] * float32(never/clip)
		}
		at += t.Size()
	}
	return stats, err
}

// reused is an engine that adds the same noise to every sum.
type reused struct {
	dpsgd.Engine
	noise []float32
}

func newReused(e dpsgd.Engine, p sweep.Params) reused {
	r := rand.New(rand.NewPCG(p.Seed, 1))
	noise := make([]float32, len(e.Init(p.Seed)))
	for j := range noise {
		noise[j] = float32(p.Noise * r.NormFloat64())
	}
	return reused{e, noise}
}

func (r reused) ClippedSum(ctx context.Context, weights []float32, b dpsgd.Batch, clip float64, sum []float32) (dpsgd.GradStats, error) {
	for j, x := range r.noise {
		sum[j] += x
	}
	return r.Engine.ClippedSum(ctx, weights, b, clip, sum)
}
