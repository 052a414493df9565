package dpsgd

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// optimized makes T noiseless updates from one weight vector with random sums,
// and returns where it began, the gradients in float64 and where it ended.
func optimized(p sweep.Params) (from []float32, gradients [][]float64, s *state) {
	const n = 2500 // more than two chunks
	r := rand.New(rand.NewPCG(4, 2))
	p.Batch, p.EMA = 10, 0
	s = &state{weights: make([]float32, n), ema: make([]float64, n), moments: newMoments(p, n)}
	for j := range s.weights {
		s.weights[j] = float32(r.NormFloat64())
	}
	from = slices.Clone(s.weights)
	for t := 1; t <= p.Steps; t++ {
		sum, g := make([]float32, n), make([]float64, n)
		for j := range sum {
			sum[j] = float32(r.NormFloat64())
			g[j] = float64(sum[j]) / 10
		}
		gradients = append(gradients, g)
		newUpdate(p, t, 2).apply(sum, s, generator{})
	}
	return from, gradients, s
}

// Each recursion is solved by hand: weights are compared with sums over all the
// gradients there were, in float64. What is left is the rounding of weights and
// moments to float32, some 1e-7 of numbers near 1.
func TestOptimizersSolveTheirRecursions(t *testing.T) {
	const m, b1, b2, eps, λ, η = 0.9, 0.8, 0.95, 1e-3, 0.01, 0.5
	for name, c := range map[string]struct {
		p         sweep.Params
		direction func(g [][]float64, j, t int) float64 // of update t, counted from 0
	}{
		"momentum": {sweep.Params{Momentum: m}, func(g [][]float64, j, t int) (v float64) {
			for s := range t + 1 {
				v += math.Pow(m, float64(t-s)) * g[s][j]
			}
			return v
		}},
		"adam": {sweep.Params{Optimizer: sweep.Adam, Beta1: b1, Beta2: b2, AdamEps: eps}, func(g [][]float64, j, t int) float64 {
			var mean, square, shares1, shares2 float64 // averages whose shares fall with age
			for s := range t + 1 {
				share1, share2 := math.Pow(b1, float64(t-s)), math.Pow(b2, float64(t-s))
				mean, shares1 = mean+share1*g[s][j], shares1+share1
				square, shares2 = square+share2*g[s][j]*g[s][j], shares2+share2
			}
			return mean / shares1 / (math.Sqrt(square/shares2) + eps)
		}},
		"plain": {sweep.Params{}, func(g [][]float64, j, t int) float64 { return g[t][j] }},
	} {
		c.p.Steps, c.p.LearnRate, c.p.WeightDecay = 7, η, λ
		from, g, s := optimized(c.p)
		for j := range from {
			w := float64(from[j])
			for t := range c.p.Steps {
				w = (1-η*λ)*w - η*c.direction(g, j, t)
			}
			if diff := math.Abs(w - float64(s.weights[j])); diff > 3e-6 {
				t.Fatalf("%s: weight %d is %v, want %v", name, j, s.weights[j], w)
			}
		}
	}
}

// A constant gradient moves a weight by η/(1-m) a step in the end under
// momentum (Polyak), and by η whatever its size under Adam (Kingma and Ba,
// section 2.1).
func TestOptimizersInTheLimit(t *testing.T) {
	for name, p := range map[string]sweep.Params{
		"momentum": {Momentum: 0.75, LearnRate: 0.01},
		"adam":     {Optimizer: sweep.Adam, Beta1: 0.9, Beta2: 0.99, AdamEps: 1e-12, LearnRate: 0.01},
	} {
		p.Batch, p.Steps = 1, 400
		s := &state{weights: make([]float32, 2), ema: make([]float64, 2), moments: newMoments(p, 2)}
		var before []float32
		for t := 1; t <= p.Steps; t++ {
			before = slices.Clone(s.weights)
			newUpdate(p, t, 1).apply([]float32{3, -0.5}, s, generator{})
		}
		want := map[string][]float64{"momentum": {-0.12, 0.02}, "adam": {-0.01, 0.01}}[name]
		for j := range want {
			if moved := float64(s.weights[j] - before[j]); math.Abs(moved/want[j]-1) > 1e-3 {
				t.Errorf("%s: weight %d moves by %v, want %v", name, j, moved, want[j])
			}
		}
	}
}

func TestLearnRate(t *testing.T) {
	p := sweep.Params{LearnRate: 2, Steps: 14, Warmup: 4}
	for schedule, want := range map[sweep.Schedule][]float64{
		sweep.Constant: {0.5, 1, 1.5, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2},
		sweep.Linear:   {0.5, 1, 1.5, 2, 2, 1.8, 1.6, 1.4, 1.2, 1, 0.8, 0.6, 0.4, 0.2},
		// 1 + cos of 0°, 18°, 36°, …; cos 36° is half the golden ratio.
		sweep.Cosine: {0.5, 1, 1.5, 2, 2, 1.951056516, 1 + math.Phi/2, 1.587785252, 1.309016994, 1, 0.690983006, 0.412214748, 1 - math.Phi/2, 0.048943484},
	} {
		p.Schedule = schedule
		for i, want := range want {
			if got := learnRate(p, i+1); math.Abs(got-want) > 1e-9 {
				t.Errorf("%q: η_%d = %v, want %v", schedule, i+1, got, want)
			}
		}
	}
	if got := learnRate(sweep.Params{LearnRate: 3, Steps: 1, Schedule: sweep.Cosine}, 1); got != 3 {
		t.Errorf("the only update has η = %v, want 3", got)
	}
}

// kinds has every optimizer, schedule and warm-up in some trial.
var kinds = map[string]func(*sweep.Params){
	"momentum, linear": func(p *sweep.Params) { p.Momentum, p.Schedule = 0.9, sweep.Linear },
	"adam, cosine, warm-up, decay": func(p *sweep.Params) {
		p.Optimizer, p.Beta1, p.Beta2, p.AdamEps = sweep.Adam, 0.9, 0.99, 1e-8
		p.Schedule, p.Warmup, p.WeightDecay, p.LearnRate = sweep.Cosine, 2, 0.1, 0.05
	},
}

func TestResumeAnywhereWithMoments(t *testing.T) {
	outcomes := make(map[string]bool)
	for name, change := range kinds {
		trial := func(threads int) trainerplugin.Job {
			return job(t, func(j *trainerplugin.Job) { change(&j.Params); j.Threads = threads })
		}
		want, _ := run(t, trial(1))
		outcomes[want.WeightsDigest] = true
		for step := range trial(1).Params.Steps + 1 {
			j := trial(2)
			if _, err := stopAt(t, j, step); err == nil {
				t.Fatal("no error")
			}
			j.Threads = 7
			got, events := run(t, j)
			if s := events[0].(trainerplugin.Started); s.Step != step {
				t.Errorf("%s: stopped at %d: %+v", name, step, s)
			}
			got.Seconds = want.Seconds
			if got != want {
				t.Errorf("%s: stopped at %d: %+v, want %+v", name, step, got, want)
			}
		}
	}
	plain, _ := run(t, job(t, nil))
	if outcomes[plain.WeightsDigest] || len(outcomes) != len(kinds) {
		t.Error("optimizers make no difference")
	}
}

// testdata/version1.ckpt is step 4 of job(t, nil), written by the program of
// commit 0a9d26d. Gone on from, it ends where the trial does without it.
func TestVersion1IsRead(t *testing.T) {
	want, _ := run(t, job(t, nil))
	file, err := os.ReadFile("testdata/version1.ckpt")
	if err != nil {
		t.Fatal(err)
	}
	j := job(t, nil)
	if err := os.WriteFile(filepath.Join(j.Dir, checkpointName(4)), file, 0o600); err != nil {
		t.Fatal(err)
	}
	got, events := run(t, j)
	if s := events[0].(trainerplugin.Started); s.Step != 4 {
		t.Errorf("%+v", s)
	}
	got.Seconds = want.Seconds
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestRefusesOptimizers(t *testing.T) {
	adam := func(p *sweep.Params) { p.Optimizer, p.Beta1, p.Beta2, p.AdamEps = sweep.Adam, 0.9, 0.99, 1e-8 }
	for want, change := range map[string]func(*sweep.Params){
		`optimizer: "lion"; it is "" for SGD, or "adam"`: func(p *sweep.Params) { p.Optimizer = "lion" },
		"momentum: 1;":                    func(p *sweep.Params) { p.Momentum = 1 },
		"momentum: 0.5; adam has beta1":   func(p *sweep.Params) { adam(p); p.Momentum = 0.5 },
		"beta1, beta2, adam_eps: 0.9, 0,": func(p *sweep.Params) { p.Beta1 = 0.9 },
		"beta1: -0.1;":                    func(p *sweep.Params) { adam(p); p.Beta1 = -0.1 },
		"beta2: 1;":                       func(p *sweep.Params) { adam(p); p.Beta2 = 1 },
		"adam_eps: 0;":                    func(p *sweep.Params) { adam(p); p.AdamEps = 0 },
		"weight_decay: NaN;":              func(p *sweep.Params) { p.WeightDecay = math.NaN() },
		`schedule: "step"; it is one of`:  func(p *sweep.Params) { p.Schedule = "step" },
		"warmup: 6; it is at least 0 and below the 6 steps": func(p *sweep.Params) { p.Warmup = 6 },
	} {
		p := job(t, nil).Params
		change(&p)
		err := Check(p)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if err := (trainerplugin.Job{Params: p, Threads: 1}).Validate(); err == nil {
			t.Errorf("the contract allows what Check refuses: %s", want)
		}
	}
	for name, change := range kinds {
		p := job(t, nil).Params
		change(&p)
		if err := (trainerplugin.Job{Params: p, Threads: 1}).Validate(); err != nil || Check(p) != nil {
			t.Errorf("%s: the contract: %v; Check: %v", name, err, Check(p))
		}
	}
}
