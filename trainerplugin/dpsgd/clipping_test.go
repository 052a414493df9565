package dpsgd

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// An example's part in the sum is never longer than the sensitivity, whatever
// the norms of its blocks, and for huge gradients it is all but as long: the
// noise is neither too little nor wasted.
func TestPartsAreWithinTheSensitivity(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, kind := range []sweep.Clipping{sweep.Flat, sweep.Automatic, sweep.PerLayer} {
		longest := 0.0
		for range 20_000 {
			c := Clipping{kind, math.Exp(4 * r.NormFloat64())}
			n := 1
			if kind == sweep.PerLayer {
				n = 1 + r.IntN(20)
			}
			norms, factors := make([]float64, n), make([]float64, n)
			for l := range norms {
				norms[l] = math.Exp(30 * r.NormFloat64())
			}
			c.Factors(norms, factors)
			part := 0.0
			for l, norm := range norms {
				part = math.Hypot(part, norm*factors[l])
			}
			longest = max(longest, part)
			if !(part <= c.Sensitivity()*(1+1e-12)) {
				t.Fatalf("%+v: blocks of norms %v make a part of length %v", c, norms, part)
			}
		}
		if longest < 0.999*(Clipping{Kind: kind, Norm: 1}).Sensitivity() {
			t.Errorf("%s: the longest of all parts is %v", kind, longest)
		}
	}
}

// Factors worked out by hand from the papers' formulas.
func TestFactors(t *testing.T) {
	for _, c := range []struct {
		clipping    Clipping
		norms, want []float64
		clipped     bool
	}{
		{Clipping{sweep.Flat, 2}, []float64{4}, []float64{1. / 4}, true},
		{Clipping{sweep.Flat, 2}, []float64{1}, []float64{1. / 2}, false},
		{Clipping{sweep.Automatic, 1}, []float64{3.99}, []float64{1. / 4}, true},
		{Clipping{sweep.Automatic, 1}, []float64{0}, []float64{100}, true},
		// L = 4, C = 2: each layer is clipped to 1 and divided by 2.
		{Clipping{sweep.PerLayer, 2}, []float64{5, 0.5, 1, 0}, []float64{1. / 10, 1. / 2, 1. / 2, 1. / 2}, true},
		{Clipping{sweep.PerLayer, 2}, []float64{0.9, 0.9, 0.9, 0.9}, []float64{1. / 2, 1. / 2, 1. / 2, 1. / 2}, false},
	} {
		got := make([]float64, len(c.norms))
		c.clipping.Factors(c.norms, got)
		for l, want := range c.want {
			if math.Abs(got[l]-want) > 1e-9 {
				t.Errorf("%+v of norms %v: factors %v, want %v", c.clipping, c.norms, got, c.want)
			}
		}
		if got := c.clipping.Clipped(c.norms); got != c.clipped {
			t.Errorf("%+v of norms %v: clipped is %t", c.clipping, c.norms, got)
		}
	}
}

func TestLayers(t *testing.T) {
	layer, n := Layers([]Tensor{{Name: "stem/w"}, {Name: "stem/gain"}, {Name: "stem/b"}, {Name: "g1/b1/conv/w"}, {Name: "g1/b2/conv/w"}, {Name: "g1/b1/conv/b"}, {Name: "scale"}})
	if want := []int{0, 0, 0, 1, 2, 1, 3}; n != 4 || !slices.Equal(layer, want) {
		t.Errorf("layers %v of %d, want %v of 4", layer, n, want)
	}
}

// clipper is linear with every kind of clipping, one gradient at a time.
type clipper struct{ linear }

func (clipper) Clippings() []sweep.Clipping {
	return []sweep.Clipping{sweep.Flat, sweep.Automatic, sweep.PerLayer}
}

func (e clipper) SumClipped(ctx context.Context, w []float32, b Batch, c Clipping, sum []float32) (GradStats, error) {
	stats := GradStats{Norms: make([]float64, b.Len), Losses: make([]float64, b.Len), Clipped: make([]bool, b.Len)}
	x := make([]float32, e.inputs)
	for i := range b.Len {
		g := make([]float64, len(w))
		for k := range b.Views {
			label := b.View(i, k, x)
			stats.Losses[i] += e.gradient(w, x, label, 1/float64(b.Views), g) / float64(b.Views)
		}
		stats.Norms[i] = norm2(g)
		blocks := [][]float64{g}
		if c.Kind == sweep.PerLayer {
			blocks = [][]float64{g[:e.classes*e.inputs], g[e.classes*e.inputs:]}
		}
		norms, factors, at := make([]float64, len(blocks)), make([]float64, len(blocks)), 0
		for l, block := range blocks {
			norms[l] = norm2(block)
		}
		c.Factors(norms, factors)
		stats.Clipped[i] = c.Clipped(norms)
		for l, block := range blocks {
			for _, v := range block {
				sum[at] += float32(factors[l] * v)
				at++
			}
		}
	}
	return stats, context.Cause(ctx)
}

// Whatever the kind, one example moves the sum by no more than its sensitivity,
// and training learns and goes on from a checkpoint with the same bits.
func TestTrainsWithEveryClipping(t *testing.T) {
	digests := make(map[string]bool)
	for _, kind := range (clipper{}).Clippings() {
		trial := func() trainerplugin.Job {
			return job(t, func(j *trainerplugin.Job) {
				j.Params.Clipping, j.Params.Clip, j.Params.Noise = kind, 1, 0.1
				j.Params.Steps, j.Params.Batch, j.Params.LearnRate = 60, 20, 1
			})
		}
		want, err := Train(t.Context(), trial(), clipper{small}, blobs(), ignore)
		if err != nil || want.Accuracy < 0.8 { // chance is 1/3
			t.Errorf("%s: accuracy %v, error %v", kind, want.Accuracy, err)
		}
		digests[want.WeightsDigest] = true
		j := trial()
		ctx, cancel := context.WithCancelCause(t.Context())
		Train(ctx, j, clipper{small}, blobs(), func(e trainerplugin.Event) error {
			if p, ok := e.(trainerplugin.Progress); ok && p.Step == 30 {
				cancel(errStop)
			}
			return nil
		})
		cancel(nil)
		got, err := Train(t.Context(), j, clipper{small}, blobs(), ignore)
		if got.Seconds = want.Seconds; err != nil || got != want {
			t.Errorf("%s: resumed %+v, want %+v, error %v", kind, got, want, err)
		}
	}
	if len(digests) != 3 {
		t.Errorf("three kinds of clipping end in %d sets of weights", len(digests))
	}
	plain := job(t, nil)
	want, _ := run(t, plain)
	plain.Dir = t.TempDir()
	got, err := Train(t.Context(), plain, clipper{small}, blobs(), ignore)
	if got.Seconds = want.Seconds; err != nil || got != want {
		t.Errorf("flat clipping by an engine that has other kinds: %+v, want %+v", got, want)
	}
}

func TestClippedShare(t *testing.T) {
	stats := GradStats{Norms: []float64{0.5, 3, 3, 0.1}, Losses: make([]float64, 4)}
	if got := sumUp(stats, Clipping{sweep.Flat, 1}).progress(len(stats.Norms)).ClippedShare; got != 0.5 {
		t.Errorf("flat: share %v, want 0.5", got)
	}
	stats.Clipped = []bool{true, true, true, false}
	if got := sumUp(stats, Clipping{sweep.PerLayer, 1}).progress(len(stats.Norms)).ClippedShare; got != 0.75 {
		t.Errorf("per-layer: share %v, want 0.75", got)
	}
}

func TestRefusesClippings(t *testing.T) {
	for want, change := range map[string]func(*sweep.Params){
		"clipping: this engine does not have per-layer; it has flat": func(p *sweep.Params) { p.Clipping = sweep.PerLayer },
		`clipping: "psac"; there are flat, automatic, per-layer`:     func(p *sweep.Params) { p.Clipping = "psac" },
		"clip_norm: 0.5; automatic clipping has none, so it is 1":    func(p *sweep.Params) { p.Clipping = sweep.Automatic },
	} {
		j := job(t, nil)
		change(&j.Params)
		_, err := Train(t.Context(), j, small, blobs(), ignore)
		if !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
