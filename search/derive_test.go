package search

import (
	"strings"
	"testing"

	"sweep/privacy"
)

const derived = `
name: derived
data: {name: mnist, train: 50000, validation: 10000}
model: tanh-cnn
privacy: {epsilon: [1, 3], delta: 1e-5}
grid:
  batch_size: [512, 2048]
  augmult: [0, 4]
  learning_rate: {expr: "2 * batch_size / 1024"}
  momentum: {when: "augmult > 0", values: [0.5, 0.9], else: 0}
fixed: {steps: 100, warmup: {expr: "steps / 10"}}
`

// What follows from other hyper-parameters follows in every trial, and values
// under a condition multiply only the points for which it holds.
func TestDerivedValues(t *testing.T) {
	all := trials(t, parse(t, derived), halves)
	if len(all) != 2*2*(1+2) { // ε × batch_size × (no views, or views with either momentum)
		t.Fatalf("%d trials", len(all))
	}
	momenta := map[float64]int{}
	for _, tr := range all {
		p := tr.Params
		if p.LearnRate != 2*float64(p.Batch)/1024 || p.Warmup != 10 {
			t.Errorf("%s: learning rate %v and warm-up %d with batch %d", tr.Label, p.LearnRate, p.Warmup, p.Batch)
		}
		if (p.Momentum == 0) != (p.AugMult == 0) {
			t.Errorf("%s: momentum %v with %d views", tr.Label, p.Momentum, p.AugMult)
		}
		momenta[p.Momentum]++
	}
	if momenta[0] != 4 || momenta[0.5] != 4 || momenta[0.9] != 4 {
		t.Errorf("momenta %v", momenta)
	}
}

// An expression may stand alone where numbers belong, in grid and fixed, and is the
// same sweep; what is no expression is still a number that is misspelt.
func TestExpressionsStandAlone(t *testing.T) {
	alone := strings.NewReplacer(`{expr: "2 * batch_size / 1024"}`, `"2 * batch_size / 1024"`, `{expr: "steps / 10"}`, `steps / 10`).Replace(derived)
	if a, b := parse(t, alone).ID(), parse(t, derived).ID(); a != b || alone == derived {
		t.Errorf("sweep %s, and with mappings %s", a, b)
	}
	for _, c := range []struct{ expr, want string }{
		{`"2 * batchsize / 1024"`, "unknown name batchsize"},
		{`"2 * (batch_size / 1024"`, "d.yaml:9:40: grid.learning_rate.expr: the expression ends too soon"},
		{`"batch_size * 'x'"`, "d.yaml:9:"},
		{`"learning_rate * 2"`, "unknown name learning_rate"},
		{`"1e-3"`, "write"},
		{`ten`, "write"},
	} {
		_, err := Parse("d.yaml", []byte(strings.Replace(derived, `{expr: "2 * batch_size / 1024"}`, c.expr, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.expr, err, c.want)
		}
	}
}

// Steps that epsilon and noise allow: one more would cost too much. The cost is
// asked of the accountant itself, the other way round.
func TestSolvedSteps(t *testing.T) {
	s := parse(t, `
name: solved
data: {name: mnist, train: 50000, validation: 10000}
model: tanh-cnn
privacy: {epsilon: [1, 3], noise_multiplier: [2, 4], delta: 1e-5, accountant: rdp}
fixed: {batch_size: 1000, learning_rate: 1}
`)
	all := trials(t, s, halves)
	if len(all) != 4 {
		t.Fatalf("%d trials", len(all))
	}
	for _, tr := range all {
		p := tr.Params
		for more := range 2 {
			ε, err := privacy.RDP.Epsilon(privacy.DPSGD{SampleRate: p.SampleRate(), Noise: p.Noise, Steps: p.Steps + more}, 1e-5)
			if err != nil {
				t.Fatal(err)
			}
			if within := ε <= tr.Target.Epsilon; within != (more == 0) {
				t.Errorf("%s: %d steps cost epsilon %v of %v", tr.Label, p.Steps+more, ε, tr.Target.Epsilon)
			}
		}
	}
}

func TestBadDerivations(t *testing.T) {
	for edit, want := range map[string]string{
		`2 * batch_size / 1024=>2 * bach_size`:       "bach_size",
		`2 * batch_size / 1024=>0 * batch_size`:      "learning_rate",
		`steps / 10=>steps * 2`:                      "warmup",
		`2 * batch_size / 1024=>warmup * 2`:          "unknown name warmup",
		`2 * batch_size / 1024=>batch_size ++`:       "learning_rate",
		`[512, 2048]=>{expr: "augmult * 50000 + 8"}`: "batch_size",
		`augmult > 0=>augmult`:                       "momentum",
		`values: [0.5, 0.9], else: 0=>else: 0`:       "values",
		`values: [0.5, 0.9], else: 0=>values: [1.5]`: "momentum",
	} {
		old, new, _ := strings.Cut(edit, "=>")
		s, err := Parse("bad.yaml", []byte(strings.Replace(derived, old, new, 1)))
		if err == nil {
			for _, err = range s.Trials(halves) {
				if err != nil {
					break
				}
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bad.yaml:") {
			t.Errorf("%s: error %v, want one at a place that names %s", edit, err, want)
		}
	}
}
