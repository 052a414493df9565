package search

import (
	"fmt"
	"strings"
	"testing"

	"sweep/privacy"
)

const optimizers = `
name: optimizers
data: {name: mnist, train: 60000}
model: tanh-cnn
privacy: {noise_multiplier: 1, delta: 1e-5}
grid:
  optimizer: [sgd, adam]
  momentum: [0, 0.9]
  beta2: [0.99, 0.999]
  schedule: [constant, cosine]
fixed: {batch_size: 512, learning_rate: 2, steps: 300, warmup: 20, weight_decay: 1e-4}
`

// Momentum is SGD's and beta2 Adam's: there are two points of each, not four,
// times two schedules, and each says nothing of what it does not use.
func TestOptimizersOfAGrid(t *testing.T) {
	seen := make(map[string]bool)
	all := trials(t, parse(t, optimizers), nil)
	for _, trial := range all {
		p := trial.Params
		seen[fmt.Sprint(p.Optimizer, p.Momentum, p.Beta1, p.Beta2, p.AdamEps, p.Schedule)] = true
		if p.Warmup != 20 || p.WeightDecay != 1e-4 {
			t.Errorf("%+v", p)
		}
	}
	for _, schedule := range []string{"", "cosine"} {
		for _, want := range []string{"0 0 0 0", "0.9 0 0 0", "adam0 0.9 0.99 1e-08", "adam0 0.9 0.999 1e-08"} {
			if !seen[want+schedule] && !seen[want+" "+schedule] {
				t.Errorf("no trial of %q with schedule %q; there are %v", want, schedule, seen)
			}
		}
	}
	if len(all) != 8 || len(seen) != 8 {
		t.Errorf("%d trials, %d of them different", len(all), len(seen))
	}
}

// Both were printed by the program of commit 87d3b9b, which knew no optimizers
// and whose default accountant was rdp.
func TestOldSweepsKeepTheirIDs(t *testing.T) {
	if got := parse(t, strings.Replace(sample, "delta:", "accountant: rdp, delta:", 1)).ID(); got != "sample-6af78e30" {
		t.Errorf("sample is now %s", got)
	}
	const b = "name: b\ndata: {name: glyphs, train: 10000, validation: 2000}\nmodel: linear\nprivacy: {noise_multiplier: 1, delta: 1e-5, accountant: rdp, noise: seeded}\n" +
		"fixed: {batch_size: 100, steps: 10, learning_rate: 2, augmult: 4, augment: flip, ema: 0%s}\n"
	for _, more := range []string{"", ", optimizer: sgd, momentum: 0, weight_decay: 0, schedule: constant, warmup: 0"} {
		if got := parse(t, fmt.Sprintf(b, more)).ID(); got != "b-8661d91b" {
			t.Errorf("with %q b is now %s", more, got)
		}
	}
	if got := parse(t, fmt.Sprintf(b, ", momentum: 0.9")).ID(); got == "b-8661d91b" {
		t.Error("momentum is no part of the ID")
	}
}

// Where weights are is not what they are: moving the file makes neither another
// sweep nor other trials.
func TestInitIsNamedByItsContent(t *testing.T) {
	text := func(path string) string {
		return sample + "init: {weights: " + path + ", sha256: " + strings.Repeat("a", 64) + "}\n"
	}
	one, two := parse(t, text("a")), parse(t, text("b/c.safetensors"))
	if one.ID() != two.ID() {
		t.Errorf("sweeps %s and %s", one.ID(), two.ID())
	}
	a, b := trials(t, one, fixedNoise)[0].Params, trials(t, two, fixedNoise)[0].Params
	if a.Init.File != "a" || b.Init.File != "b/c.safetensors" || a.Init.Digest != "sha256:"+strings.Repeat("a", 64) {
		t.Errorf("%+v, %+v", a.Init, b.Init)
	}
	if a.ID() != b.ID() || a.Seed != b.Seed || a.Point() != b.Point() {
		t.Errorf("trials %s and %s", a.ID(), b.ID())
	}
	if plain := trials(t, parse(t, sample), fixedNoise)[0].Params; plain.ID() == a.ID() {
		t.Error("weights are no part of a trial")
	}
}

func fixedNoise(_ privacy.Accountant, target privacy.Budget, _ float64, _ int) (float64, error) {
	return 1 / target.Epsilon, nil
}

// Automatic clipping has no norm, so a grid has one point of it.
func TestClippingsOfAGrid(t *testing.T) {
	got := make(map[string]bool)
	for _, trial := range trials(t, parse(t, `
name: clippings
data: {name: mnist, train: 60000}
model: tanh-cnn
privacy: {noise_multiplier: 1, delta: 1e-5}
grid: {clip_norm: [0.5, 2], clipping: [flat, automatic, per-layer]}
fixed: {batch_size: 512, learning_rate: 2, steps: 300}
`), nil) {
		got[fmt.Sprint(trial.Params.Clipping, " ", trial.Params.Clip)] = true
	}
	for _, want := range []string{"flat 0.5", "flat 2", "automatic 1", "per-layer 0.5", "per-layer 2"} {
		if !got[want] {
			t.Errorf("no trial of %s", want)
		}
	}
	if len(got) != 5 {
		t.Errorf("trials of %v", got)
	}
}
