package dpsgd

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// linear is softmax regression, whose gradients have a closed form: an Engine
// of a few lines that owes nothing to the real ones.
type linear struct{ inputs, classes int }

func (e linear) Tensors() []Tensor {
	return []Tensor{{"w", []int{e.classes, e.inputs}}, {"b", []int{e.classes}}}
}

func (e linear) Init(seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	w := make([]float32, e.classes*(e.inputs+1))
	for j := range w[:e.classes*e.inputs] {
		w[j] = float32(r.NormFloat64()) / 10
	}
	return w
}

// probabilities returns the softmax for x, and the cross-entropy of label.
func (e linear) probabilities(w, x []float32, label int) ([]float64, float64) {
	p := make([]float64, e.classes)
	var sum float64
	for c := range p {
		z := float64(w[e.classes*e.inputs+c])
		for d, v := range x {
			z += float64(w[c*e.inputs+d]) * float64(v)
		}
		p[c] = math.Exp(z)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return p, -math.Log(p[label])
}

// gradient adds scale times the gradient at one image to g.
func (e linear) gradient(w, x []float32, label int, scale float64, g []float64) (loss float64) {
	p, loss := e.probabilities(w, x, label)
	p[label]--
	for c, dz := range p {
		for d, v := range x {
			g[c*e.inputs+d] += scale * dz * float64(v)
		}
		g[e.classes*e.inputs+c] += scale * dz
	}
	return loss
}

func (e linear) ClippedSum(ctx context.Context, w []float32, b Batch, clip float64, sum []float32) (GradStats, error) {
	var stats GradStats
	x := make([]float32, e.inputs)
	for i := range b.Len {
		g, loss := make([]float64, len(w)), 0.0
		for k := range b.Views {
			label := b.View(i, k, x)
			loss += e.gradient(w, x, label, 1/float64(b.Views), g) / float64(b.Views)
		}
		norm := norm2(g)
		if math.IsNaN(norm) || math.IsInf(norm, 0) {
			stats.NonFinite++
			norm, g = 0, make([]float64, len(w))
		}
		factor := min(1/clip, 1/(norm+1e-10))
		for j := range sum {
			sum[j] += float32(factor * g[j])
		}
		stats.Norms = append(stats.Norms, norm)
		stats.Losses = append(stats.Losses, loss)
	}
	return stats, context.Cause(ctx)
}

func (e linear) Evaluate(ctx context.Context, w []float32, ex Examples) (Score, error) {
	var s Score
	x := make([]float32, e.inputs)
	for i := range ex.Len {
		label := ex.At(i, x)
		p, loss := e.probabilities(w, x, label)
		best := 0
		for c := range p {
			if p[c] > p[best] {
				best = c
			}
		}
		if best == label {
			s.Correct++
		}
		s.LossSum += loss
	}
	return s, context.Cause(ctx)
}

func norm2(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s)
}

var small = linear{inputs: 6, classes: 3}

// blobs are clouds around one point for each class. A view beyond 0 is shifted.
func blobs() Data {
	const n = 60
	r := rand.New(rand.NewPCG(7, 7))
	images := make([][]float32, n)
	for i := range images {
		images[i] = make([]float32, small.inputs)
		for d := range images[i] {
			images[i][d] = float32(r.NormFloat64()) / 2
		}
		images[i][i%small.classes]++
	}
	at := func(i int, img []float32) int {
		copy(img, images[i])
		return i % small.classes
	}
	return Data{
		Digest: "sha256:b10b5",
		View: func(step, i, k int, img []float32) int {
			label := at(i, img)
			img[0] += float32(step*k) / 100
			return label
		},
		Held: Examples{Len: 20, At: func(i int, img []float32) int { return at(40+i, img) }},
		Test: Examples{Len: 30, At: func(i int, img []float32) int { return at(i, img) }},
	}
}

// job is a tiny trial on blobs, in a folder of its own.
func job(t *testing.T, change func(*trainerplugin.Job)) trainerplugin.Job {
	j := trainerplugin.Job{
		Params: sweep.Params{
			Data: sweep.Data{Name: "blobs", Train: 40, Validation: 20}, Model: "linear",
			Batch: 8, Clip: 0.5, Noise: 1, LearnRate: 0.25, Steps: 6, EMA: 0.9,
			NoiseFrom: sweep.Seeded, Seed: 3,
		},
		Dir: t.TempDir(), Threads: 1,
	}
	if change != nil {
		change(&j)
	}
	j.Trial = j.Params.ID()
	return j
}

func ignore(trainerplugin.Event) error { return nil }

// run trains j and fails the test unless it succeeds. It returns the events too.
func run(t *testing.T, j trainerplugin.Job) (sweep.Outcome, []trainerplugin.Event) {
	t.Helper()
	var events []trainerplugin.Event
	o, err := Train(t.Context(), j, small, blobs(), func(e trainerplugin.Event) error {
		events = append(events, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return o, events
}

// stopAt trains j until Progress of the given step is reported.
func stopAt(t *testing.T, j trainerplugin.Job, step int) (events []trainerplugin.Event, err error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	if step == 0 {
		cancel(errStop)
	}
	_, err = Train(ctx, j, small, blobs(), func(e trainerplugin.Event) error {
		events = append(events, e)
		if p, ok := e.(trainerplugin.Progress); ok && p.Step == step {
			cancel(errStop)
		}
		return nil
	})
	return events, err
}
