package search

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"sweep"
)

const adaptive = `
name: adaptive
data: {name: glyphs, train: 10000, validation: 1000}
model: linear
privacy: {epsilon: [1, 4], delta: 1e-5}
grid:
  batch_size: [64, 128, 256]
  learning_rate: {log: {min: 0.1, max: 10}}
fixed: {steps: 90}
`

// measured is the accuracy of a made-up experiment: best at η = 2 and B = 256.
func measured(p sweep.Params, ε float64) float64 {
	x := math.Log(p.LearnRate/2) / 3
	return 0.5 + 0.1*math.Log(ε+1) - 0.2*x*x + 0.05*math.Log2(float64(p.Batch)/256) + 0.02*math.Log(float64(p.Steps)/90)
}

// sweepThrough runs s to its end, n trials at a time, and returns them in the
// order in which they were asked for. Before each call that asks, the record is
// all there is: nothing else is carried over. A suggester that remembers asks for
// the same.
func sweepThrough(t *testing.T, s *Sweep, n int) []Trial {
	t.Helper()
	all := slices.Collect(func(yield func(Trial) bool) {
		for trial, err := range s.Trials(halves) {
			if err != nil {
				t.Fatal(err)
			}
			yield(trial)
		}
	})
	ended := len(all)
	remembers := NewSuggester(s, halves)
	for range 10_000 {
		known := make([]Known, len(all))
		for i, trial := range all {
			known[i] = Known{ID: trial.Params.ID(), Asked: trial.Asked, Repeat: trial.Repeat, State: sweep.Running}
			if i < ended {
				known[i].State, known[i].Accuracy = sweep.Completed, measured(trial.Params, max(trial.Target.Epsilon, 1))
				known[i].Accuracy += 0.001 * float64(trial.Params.Seed%7)
			}
		}
		more, done, err := s.Suggest(known, n-(len(all)-ended), halves)
		if err != nil {
			t.Fatal(err)
		}
		same, over, err := remembers.Suggest(known, n-(len(all)-ended))
		if err != nil || over != done || !slices.EqualFunc(same, more, func(a, b Trial) bool { return a.Params.ID() == b.Params.ID() && a.Asked == b.Asked }) {
			t.Fatalf("%s asks for %v (done %v), and a suggester that remembers for %v (done %v, error %v)", s.Strategy, more, done, same, over, err)
		}
		all = append(all, more...)
		if done {
			return all
		}
		if ended < len(all) {
			ended++
		} else if len(more) == 0 {
			t.Fatalf("%s waits for trials, and none runs", s.Strategy)
		}
	}
	t.Fatal("the sweep has no end")
	return nil
}

var everyStrategy = map[string]string{
	"random": "{name: random, trials: 20, seed: 1}", "sobol": "{name: sobol, trials: 20}",
	"latin-hypercube": "{name: latin-hypercube, trials: 20, seed: 2}", "tpe": "{name: tpe, trials: 20, seed: 3}",
	"gp": "{name: gp, trials: 12}", "frontier": "{name: gp, trials: 12, objective: frontier}",
	"cma-es": "{name: cma-es, trials: 20}", "successive-halving": "{name: successive-halving, trials: 9, min_steps: 10}",
	"asha": "{name: asha, trials: 9, min_steps: 10}", "hyperband": "{name: hyperband, min_steps: 10}",
	"tan": "{name: tan, trials: 12, scale: 16, confirm: 2}", "linear-scaling": "{name: linear-scaling, low: 0.25, high: 0.5}",
}

func withStrategy(t *testing.T, name, extra string) *Sweep {
	t.Helper()
	text := adaptive
	switch name {
	case "cma-es":
		text = strings.Replace(text, "[1, 4]", "1", 1)
	case "linear-scaling":
		text = strings.Replace(text, "max: 10}", "max: 10, num: 5}", 1)
	}
	return parse(t, text+"strategy: "+everyStrategy[name]+"\n"+extra)
}

// Whoever goes on from the record, one trial at a time, comes to the trials that
// an unbroken sweep has: each call of Suggest sees the record alone. The trials
// are distinct, of their axes, and as many as Most foretells.
func TestEveryStrategyRunsToItsEnd(t *testing.T) {
	for name := range everyStrategy {
		t.Run(name, func(t *testing.T) {
			s := withStrategy(t, name, "")
			one, again := sweepThrough(t, s, 1), sweepThrough(t, withStrategy(t, name, ""), 1)
			ids := map[sweep.TrialID]bool{}
			for i, trial := range one {
				id := trial.Params.ID()
				if i < len(again) && id != again[i].Params.ID() {
					t.Fatalf("trial %d is %s, and %s the second time", i, trial.Label, again[i].Label)
				}
				if ids[id] {
					t.Errorf("%s stands twice", trial.Label)
				}
				ids[id] = true
				if p := trial.Params; !slices.Contains([]int{64, 128, 256, 4, 8, 16}, p.Batch) || p.LearnRate < 0.02 || p.LearnRate > 40 || p.Steps > 90 {
					t.Errorf("%+v is not of the space", p)
				}
			}
			most := s.Most()
			if !s.Adaptive() {
				most = s.Len()
			}
			if len(one) > most+3 || len(one) < most-3 || len(one) != len(again) {
				t.Errorf("%d trials, the second time %d; Most is %d", len(one), len(again), most)
			}
			side := sweepThrough(t, s, 4)
			if len(side) < len(one)-3 || len(side) > len(one)+3 {
				t.Errorf("%d trials side by side, %d one by one", len(side), len(one))
			}
		})
	}
}

// A trial's label and steps on the rungs, by the paper's table: 9 points with
// 10 steps, the best 3 with 30, the best of those with 90.
func TestRungsHaveTheirOwnStepsAndNoise(t *testing.T) {
	s := withStrategy(t, "successive-halving", "")
	var steps []int
	for _, trial := range sweepThrough(t, s, 9) {
		p := trial.Params
		steps = append(steps, p.Steps)
		if want, _ := halves("", trial.Target, p.SampleRate(), p.Steps); p.Noise != want {
			t.Errorf("%s: noise %g, want %g for its own steps", trial.Label, p.Noise, want)
		}
	}
	if want := []int{10, 10, 10, 10, 10, 10, 10, 10, 10, 30, 30, 30, 90}; !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
}

// Stand-ins of TAN have a 16th of the batch and of the noise that the target
// needs in full, claim no epsilon, and are marked.
func TestTANStandsIn(t *testing.T) {
	s := withStrategy(t, "tan", "")
	all := sweepThrough(t, s, 3)
	for i, trial := range all {
		if proxy := i < 12; trial.Proxy != proxy || (trial.Target.Epsilon == 0) != proxy {
			t.Errorf("trial %d, %s: proxy %v, target %g", i, trial.Label, trial.Proxy, trial.Target.Epsilon)
		}
	}
	best := slices.MaxFunc(all[:12], func(a, b Trial) int {
		return int(1e9 * (measured(a.Params, 1) - measured(b.Params, 1)))
	})
	full := all[12]
	// What noise does to an update is σ·C/B, and what T steps cost together is,
	// to leading order, q·√T/σ (Sander et al. 2023): neither changes.
	for name, of := range map[string]func(p sweep.Params) float64{
		"noise of an update": func(p sweep.Params) float64 { return p.Noise * p.Clip / float64(p.Batch) },
		"q·√T/σ":             func(p sweep.Params) float64 { return p.SampleRate() * math.Sqrt(float64(p.Steps)) / p.Noise },
	} {
		if a, b := of(full.Params), of(best.Params); math.Abs(a-b) > 1e-12*a {
			t.Errorf("%s: %g in full, and %g of the stand-in", name, a, b)
		}
	}
	if full.Params.LearnRate != best.Params.LearnRate || full.Params.Batch != 16*best.Params.Batch || math.Abs(full.Params.Noise-16*best.Params.Noise) > 1e-12 {
		t.Errorf("the best stand-in is %+v, and %+v was confirmed", best.Params, full.Params)
	}
}

// The line through the best η·T at two budgets is met at the targets.
func TestLinearScalingExtrapolates(t *testing.T) {
	s := withStrategy(t, "linear-scaling", "")
	all := sweepThrough(t, s, 1)
	best := map[float64]Trial{}
	for _, trial := range all[:30] {
		ε := trial.Target.Epsilon
		if b, ok := best[ε]; !ok || measured(trial.Params, 1) > measured(b.Params, 1) {
			best[ε] = trial
		}
	}
	r := func(ε float64) float64 { return best[ε].Params.LearnRate * float64(best[ε].Params.Steps) }
	for _, trial := range all[30:] {
		ε := trial.Target.Epsilon
		want := r(0.25) + (r(0.5)-r(0.25))/0.25*(ε-0.25)
		if got := trial.Params.LearnRate * float64(trial.Params.Steps); math.Abs(got-want) > 1e-3*want {
			t.Errorf("ε=%g: η·T is %g, want %g", ε, got, want)
		}
	}
	if len(all) != 32 {
		t.Errorf("%d trials; want 15 at each of two budgets, and two targets", len(all))
	}
}

// More seeds go to the points that could be the best of their epsilon, and none
// to the ones that surely are not.
func TestAdaptiveRepeats(t *testing.T) {
	s := parse(t, strings.Replace(adaptive, "max: 10}", "max: 10, num: 5}", 1)+"repeats: {min: 2, max: 6}\n")
	if !s.Adaptive() || s.Len() != 60 || s.Most() != 180 {
		t.Fatalf("adaptive %v, Len %d, Most %d", s.Adaptive(), s.Len(), s.Most())
	}
	all := sweepThrough(t, s, 3)
	repeats := map[sweep.PointID]int{}
	for _, trial := range all {
		repeats[trial.Params.Point()]++
	}
	for _, trial := range all[:30] {
		n := repeats[trial.Params.Point()]
		if best := trial.Params.Batch == 256 && trial.Params.LearnRate > 2 && trial.Params.LearnRate < 4; best && n != 6 {
			t.Errorf("%s may be the best, and has %d repeats", trial.Label, n)
		}
		if trial.Params.LearnRate == 0.1 && n != 2 {
			t.Errorf("%s is surely dominated, and has %d repeats", trial.Label, n)
		}
	}
}

// A changed file keeps the trials that it still has room for.
func TestKeep(t *testing.T) {
	s := withStrategy(t, "tpe", "")
	var known []Known
	for _, trial := range sweepThrough(t, s, 1) {
		known = append(known, Known{ID: trial.Params.ID(), Asked: trial.Asked, Repeat: trial.Repeat})
	}
	narrow := parse(t, strings.Replace(adaptive, "[64, 128, 256]", "[128, 256, 512]", 1)+"strategy: "+everyStrategy["tpe"])
	kept, err := narrow.Keep(known, halves)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, k := range known {
		if !strings.Contains(k.Asked, `"batch_size":"64"`) {
			want++
		}
	}
	if len(kept) != want || want == 0 || want == len(known) {
		t.Errorf("%d of %d trials were kept, want %d", len(kept), len(known), want)
	}
}

func ExampleSweep_Suggest() {
	s, err := Parse("example.yaml", []byte(adaptive+"strategy: {name: tpe, trials: 40}"))
	if err != nil {
		fmt.Println(err)
		return
	}
	trials, done, err := s.Suggest(nil, 2, halves)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(trials), "of", s.Most(), done)
	// Output: 2 of 40 false
}
