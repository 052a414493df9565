package search

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"sweep"
	"sweep/privacy"
)

// halves calibrates without privacy: any function of the question serves to
// see that answers reach the right trials.
func halves(_ privacy.Accountant, target privacy.Budget, q float64, steps int) (float64, error) {
	return q * math.Sqrt(float64(steps)) / target.Epsilon, nil
}

func trials(t testing.TB, s *Sweep, c Calibration) []Trial {
	t.Helper()
	var all []Trial
	for trial, err := range s.Trials(c) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, trial)
	}
	return all
}

func only(t testing.TB, s *Sweep) Trial {
	t.Helper()
	all := trials(t, s, halves)
	if len(all) != 1 {
		t.Fatalf("%d trials, want one", len(all))
	}
	return all[0]
}

// TestTrials enumerates a grid by nested loops, and wants the same trials in
// the same order.
func TestTrials(t *testing.T) {
	s := parse(t, `
name: loops
data: {name: mnist, train: 50000, validation: 10000}
model: tanh-cnn
privacy: {epsilon: [2, 1, inf], delta: 1e-6, noise: seeded}
grid:
  steps: [100, 50]
  learning_rate: [1, 2, 4]
  batch_size: [500, 1000]
  augmult: [0, 4]
  augment: [flip, crop]
fixed: {ema: 0.9}
where: learning_rate * batch_size <= 2000 or epsilon < 1.5
repeats: 2
`)
	var want []Trial
	for repeat := range 2 {
		for _, ε := range []float64{2, 1, math.Inf(1)} {
			for _, b := range []int{500, 1000} {
				for _, η := range []float64{1, 2, 4} {
					for _, view := range []struct {
						k    int
						kind sweep.Augmentation
					}{{0, ""}, {4, "flip"}, {4, "crop"}} {
						for _, T := range []int{100, 50} {
							if η*float64(b) > 2000 && ε >= 1.5 {
								continue
							}
							p := sweep.Params{
								Data: sweep.Data{Name: "mnist", Train: 50000, Validation: 10000}, Model: "tanh-cnn",
								Batch: b, Clip: 1, LearnRate: η, AugMult: view.k, Augment: view.kind, Steps: T, EMA: 0.9,
								Noise: float64(b) / 50000 * math.Sqrt(float64(T)) / ε, NoiseFrom: sweep.Seeded,
							}
							want = append(want, Trial{Index: len(want), Params: p.WithRepeat(repeat), Repeat: repeat, Target: privacy.Budget{Epsilon: ε, Delta: 1e-6}})
						}
					}
				}
			}
		}
	}
	got := trials(t, s, halves)
	if len(got) != len(want) || s.Len() != len(want) {
		t.Fatalf("%d trials, Len %d; want %d", len(got), s.Len(), len(want))
	}
	for i := range want {
		want[i].Label = got[i].Label // TestLabels
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("trial %d\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
}

func TestTrialsAreDistinct(t *testing.T) {
	s := parseFile(t, "testdata/every-key.yaml")
	seen := make(map[sweep.TrialID]string)
	for _, trial := range trials(t, s, halves) {
		id := trial.Params.ID()
		if first, twice := seen[id]; twice {
			t.Fatalf("%q and %q are the same trial", first, trial.Label)
		}
		seen[id] = trial.Label
	}
	if len(seen) != s.Len() {
		t.Errorf("%d trials, Len %d", len(seen), s.Len())
	}
}

func TestExternalTrainer(t *testing.T) {
	s := parseFile(t, "testdata/every-key.yaml")
	for _, trial := range trials(t, s, halves) {
		p := trial.Params
		if p.Trainer != "sha256:"+strings.Repeat("0123456789abcdef", 4) {
			t.Fatalf("trainer %q", p.Trainer)
		}
		if o := p.Options; len(o) != 4 || o["optimizer"] != "sgd" || o["nesterov"] != "true" || o["depth"] != "2" && o["depth"] != "4" || o["dropout"] != "0.1" && o["dropout"] != "0" {
			t.Fatalf("options %v", o)
		}
	}
}

func TestLabels(t *testing.T) {
	for _, c := range []struct{ edit, to, want string }{
		{"", "", "x"},
		{"epsilon: [1]", "epsilon: [8, inf]", "ε=8, ε=inf"},
		{"epsilon: [1]", "noise_multiplier: [0.5, 1e-5]", "σ=0.5, σ=1e-5"},
		{"[1], steps: [10]", "[2, 0.25], steps: [10], clip_norm: [1, 2]", "C=1 η=2, C=1 η=0.25, C=2 η=2, C=2 η=0.25"},
		{"steps: [10]", "steps: [10], augmult: [0, 4]", "K=0, K=4"},
		{"steps: [10]}", "steps: [10, 20]}\nrepeats: 2", "T=10 #1, T=20 #1, T=10 #2, T=20 #2"},
	} {
		var labels []string
		for _, trial := range trials(t, parse(t, strings.Replace(minimal, c.edit, c.to, 1)), halves) {
			labels = append(labels, trial.Label)
		}
		if got := strings.Join(labels, ", "); got != c.want {
			t.Errorf("%q: labels %q, want %q", c.to, got, c.want)
		}
	}
}

// Adding values, repeats and constraints to a file changes no trial that it
// had: a sweep is extended, never started over.
func TestTrialsSurviveExtension(t *testing.T) {
	before := trials(t, parse(t, minimal), halves)
	after := make(map[sweep.TrialID]bool)
	wider := strings.NewReplacer("[1], delta", "[8, 1], delta", "[100]", "[50, 100]", "steps: [10]", "steps: [10], augmult: [0, 1]").Replace(minimal)
	for _, trial := range trials(t, parse(t, wider+"repeats: 3\nwhere: epsilon < 100\n"), halves) {
		after[trial.Params.ID()] = true
	}
	for _, trial := range before {
		if !after[trial.Params.ID()] {
			t.Errorf("trial %+v is lost", trial)
		}
	}
}

// TestCalibratedNoiseMeetsTargets goes through the real accountant both ways.
func TestCalibratedNoiseMeetsTargets(t *testing.T) {
	s := parse(t, strings.NewReplacer("[1], delta", "[0.5, 3, 8], delta", "[10]", "[10, 100]").Replace(minimal))
	for _, trial := range trials(t, s, privacy.CalibrateNoise) {
		p := trial.Params
		ε, err := s.Privacy.Accountant.Epsilon(privacy.DPSGD{SampleRate: p.SampleRate(), Noise: p.Noise, Steps: p.Steps}, trial.Target.Delta)
		if err != nil || ε > trial.Target.Epsilon || ε < 0.99*trial.Target.Epsilon {
			t.Errorf("%s: σ=%g costs ε=%g, error %v; want just below %g", trial.Label, p.Noise, ε, err, trial.Target.Epsilon)
		}
	}
}

func TestEachQuestionIsAskedOnce(t *testing.T) {
	s := parse(t, strings.NewReplacer("epsilon: [1]", "epsilon: [1, 2, inf]", "[100]", "[50, 100]", "learning_rate: [1]", "learning_rate: {lin: {min: 1, max: 2, num: 50}}").Replace(minimal)+"repeats: 4\n")
	var asked []string
	count := func(a privacy.Accountant, target privacy.Budget, q float64, steps int) (float64, error) {
		asked = append(asked, fmt.Sprintln(a, target, q, steps))
		return halves(a, target, q, steps)
	}
	if n := len(trials(t, s, count)); n != 1200 {
		t.Errorf("%d trials, want 3·2·50·4", n)
	}
	want := []string{"certified {1 1e-05} 0.05 10\n", "certified {1 1e-05} 0.1 10\n", "certified {2 1e-05} 0.05 10\n", "certified {2 1e-05} 0.1 10\n"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestInfeasibleTarget(t *testing.T) {
	s := parse(t, strings.Replace(minimal, "epsilon: [1]", "epsilon: [8, 0.1, 4]", 1))
	below1 := func(a privacy.Accountant, target privacy.Budget, q float64, steps int) (float64, error) {
		if target.Epsilon < 1 {
			return 0, fmt.Errorf("%w: no σ is large enough", privacy.ErrInfeasible)
		}
		return halves(a, target, q, steps)
	}
	var indices []int
	var failed []error
	for trial, err := range s.Trials(below1) {
		indices = append(indices, trial.Index)
		if err != nil {
			failed = append(failed, err)
		}
	}
	if !slices.Equal(indices, []int{0, 1, 2}) || len(failed) != 1 {
		t.Fatalf("indices %v, errors %v; want three trials and one error", indices, failed)
	}
	const want = "good.yaml:4:24: privacy.epsilon: 0.1 at batch_size 100 and steps 10 (trial ε=0.1): privacy target is infeasible: no σ is large enough"
	if failed[0].Error() != want || !errors.Is(failed[0], privacy.ErrInfeasible) {
		t.Errorf("error %q\nwant  %q, which is ErrInfeasible", failed[0], want)
	}
}

// Two targets so close that they need the same noise would be one trial twice.
func TestTargetsOfEqualNoise(t *testing.T) {
	s := parse(t, strings.Replace(minimal, "epsilon: [1]", "epsilon: [1, 1.0000001]", 1))
	var got []string
	for _, err := range s.Trials(func(privacy.Accountant, privacy.Budget, float64, int) (float64, error) { return 2, nil }) {
		if err != nil {
			got = append(got, err.Error())
		}
	}
	if len(got) != 1 || !strings.HasPrefix(got[0], "good.yaml:4:24: ") || !strings.Contains(got[0], "epsilon 1 needs the same noise, 2") {
		t.Errorf("errors %q", got)
	}
}

func TestTrialsStopsWhenTold(t *testing.T) {
	s := parse(t, strings.Replace(minimal, "learning_rate: [1]", "learning_rate: {lin: {min: 1, max: 2, num: 10000}}", 1)+"repeats: 100\n")
	n := 0
	for range s.Trials(halves) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 || s.Len() != 1_000_000 {
		t.Errorf("%d trials seen of %d", n, s.Len())
	}
}

func TestTrialsFromManyGoroutines(t *testing.T) {
	s := parseFile(t, "testdata/every-key.yaml")
	want := trials(t, s, halves)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for trial, err := range s.Trials(halves) {
				if err != nil || !reflect.DeepEqual(trial, want[trial.Index]) {
					t.Errorf("trial %d: got %+v, error %v", trial.Index, trial, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkTrials100k(b *testing.B) {
	s := parse(b, `
name: large
data: {name: cifar10, train: 45000}
model: wrn-16-4
privacy: {epsilon: [1, 2, 3, 4, 6, 8, 10, 12, 14, 16], delta: 1e-5}
grid:
  batch_size: {range: {from: 1000, to: 10000, step: 1000}}
  learning_rate: {log: {min: 0.1, max: 10, num: 100}}
  augmult: [1, 2, 4, 8, 16]
  ema: [0.99, 0.999]
fixed: {steps: 1000}
where: learning_rate * augmult < 1000
`)
	if s.Len() != 100_000 {
		b.Fatalf("%d trials", s.Len())
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range s.Trials(halves) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(s.Len()*b.N)/b.Elapsed().Seconds(), "trials/s")
	b.ReportMetric(heldAtTheEnd(s), "held-B")
}

// heldAtTheEnd is by how many bytes the heap in use has grown when the last of
// s's trials is out.
func heldAtTheEnd(s *Sweep) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for trial := range s.Trials(halves) {
		if trial.Index == s.Len()-1 {
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
	}
	return float64(after.HeapAlloc) - float64(before.HeapAlloc)
}

// What Prepare asks is what the trials ask, each once, wherever axes derive
// batches and steps or a constraint leaves points out.
func TestPrepareAsksWhatTrialsAsk(t *testing.T) {
	listed := strings.Replace(adaptive, "max: 10}", "max: 10, num: 3}", 1)
	for name, text := range map[string]string{
		"plain": listed, "constrained": listed + "where: batch_size < 256 || epsilon > 1\n",
		"derived": strings.Replace(listed, "steps: 90", `steps: {expr: "round(23040 / batch_size)"}`, 1),
	} {
		s := parse(t, text)
		var mu sync.Mutex
		asked := func(times map[string]int) Calibration {
			return func(a privacy.Accountant, b privacy.Budget, q float64, steps int) (float64, error) {
				mu.Lock()
				defer mu.Unlock()
				times[fmt.Sprint(a, b, q, steps)]++
				return halves(a, b, q, steps)
			}
		}
		before, during := map[string]int{}, map[string]int{}
		s.Prepare(asked(before))
		for _, err := range s.Trials(asked(during)) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !maps.Equal(before, during) || len(before) < 4 {
			t.Errorf("%s: prepared %v, asked %v", name, before, during)
		}
	}
}
