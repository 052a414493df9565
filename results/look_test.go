package results

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sweep"
)

func TestAxes(t *testing.T) {
	s, id, _ := trained(t)
	axes, err := s.Axes(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(axes), "[{target_epsilon [] [2 8] 2 8} {learning_rate [] [0.5 1 2] 0.5 2}]"; got != want {
		t.Errorf("axes %s, want %s", got, want)
	}
}

// What only some trials have lies in the parameters' JSON form, and is an axis too.
func TestAxesOfRareParameters(t *testing.T) {
	s := openTemp(t)
	var all []TrialRecord
	for i, p := range []sweep.Params{params(1, 1), params(1, 1), params(1, 1)} {
		p.Momentum = 0.45 * float64(i)
		p.Schedule = []sweep.Schedule{sweep.Constant, sweep.Cosine, sweep.Cosine}[i]
		all = append(all, TrialRecord{Params: p, Index: i, Delta: delta})
	}
	add(t, s, file("rare"), all)
	axes, err := s.Axes(t.Context(), file("rare").ID)
	if err != nil || len(axes) != 2 || axes[0].Key != "momentum" || axes[1].Key != "schedule" || !slices.Equal(axes[1].Names, []string{"", "cosine"}) {
		t.Errorf("axes %+v, error %v; want momentum, and schedule with and without cosine", axes, err)
	}
}

func TestSamples(t *testing.T) {
	s, id, trials := trained(t)
	axes, err := s.Axes(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := s.Samples(t.Context(), id, axes, 0, 100)
	if err != nil || len(samples) != 6 {
		t.Fatalf("%d samples, error %v; want 6", len(samples), err)
	}
	for i, got := range samples {
		if i > 0 && got.Accuracy < samples[i-1].Accuracy {
			t.Errorf("sample %d is less accurate than the one before", i)
		}
		for _, tr := range trials {
			if tr.TargetEpsilon == got.At[0] && tr.Params.LearnRate == got.At[1] && tr.Repeat == 1 && !near(accuracyOf(tr.Params, 1), got.Accuracy, 1e-12) {
				t.Errorf("sample at %v has accuracy %v, want the mean %v", got.At, got.Accuracy, accuracyOf(tr.Params, 1))
			}
		}
	}
	few, err := s.Samples(t.Context(), id, axes, 8, 2)
	if err != nil || len(few) > 2 {
		t.Errorf("%d samples, error %v; want at most 2", len(few), err)
	}
}

// Cells are means over points, added up here by hand.
func TestCells(t *testing.T) {
	s, id, trials := trained(t)
	axes, err := s.Axes(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	both, err := s.Cells(t.Context(), id, 0, [2]Axis{axes[1], axes[0]}, [2]Axis{axes[1], axes[1]})
	if err != nil || len(both) != 2 || len(both[0]) != 6 || len(both[1]) != 3 {
		t.Fatalf("cells %v, error %v; want 6, and 3 of one axis", both, err)
	}
	for _, c := range both[1] {
		sum := 0.0
		for _, d := range both[0] {
			if d.X == c.X {
				sum += d.Mean
			}
		}
		if c.Points != 2 || c.Y != c.X || !near(c.Mean, sum/2, 1e-12) {
			t.Errorf("cell %+v, want the mean %v of two points", c, sum/2)
		}
	}
	for _, c := range both[0] {
		rate, target := axes[1].Values[c.X], axes[0].Values[c.Y]
		i := slices.IndexFunc(trials, func(tr TrialRecord) bool {
			return tr.TargetEpsilon == target && tr.Params.LearnRate == rate && tr.Repeat == 1
		})
		if want := accuracyOf(trials[i].Params, 1); c.Points != 1 || !near(c.Mean, want, 1e-12) || !near(c.Best, want, 1e-12) || c.Label != trials[i].Label && c.Trial == trials[i].Params.ID() {
			t.Errorf("cell %v, %v: %+v, want one point of %v", rate, target, c, want)
		}
	}
	if some, err := s.Cells(t.Context(), id, 8, [2]Axis{axes[1], axes[0]}); err != nil || len(some[0]) != 3 {
		t.Errorf("cells %v at one target, error %v; want 3", some, err)
	}
}

func TestCellsOfManyValues(t *testing.T) {
	s := openTemp(t)
	var all []TrialRecord
	for i := range 2 * MaxValues {
		all = append(all, TrialRecord{Params: params(1+float64(i%2), 1+float64(i)), Index: i, Delta: delta})
	}
	add(t, s, file("many"), all)
	for _, tr := range all {
		run(t, s, file("many").ID, tr.Params, 0.5)
	}
	axes, err := s.Axes(t.Context(), file("many").ID)
	if err != nil || len(axes) != 2 || axes[1].Values != nil || axes[1].Low != 1 || axes[1].High != 2*MaxValues {
		t.Fatalf("axes %+v, error %v; want a learning rate from 1 to %d", axes, err, 2*MaxValues)
	}
	cells, err := s.Cells(t.Context(), file("many").ID, 0, [2]Axis{axes[1], axes[0]})
	if err != nil {
		t.Fatal(err)
	}
	points := 0
	for _, c := range cells[0] {
		points += c.Points
		if c.X < 0 || c.X >= Bins || c.Y < 0 || c.Y > 1 {
			t.Errorf("cell %+v lies outside", c)
		}
	}
	if points != 2*MaxValues {
		t.Errorf("%d points in cells, want %d", points, 2*MaxValues)
	}
}

func TestConditions(t *testing.T) {
	s, id, trials := trained(t)
	for where, want := range map[string]func(TrialRecord) bool{
		"learning_rate >= 1": func(tr TrialRecord) bool { return tr.Params.LearnRate >= 1 },
		"learning_rate in [0.5, 2] and target_epsilon == 8":   func(tr TrialRecord) bool { return tr.Params.LearnRate != 1 && tr.TargetEpsilon == 8 },
		"not (noise_multiplier < 1) || repeat == 2":           func(tr TrialRecord) bool { return tr.Params.Noise >= 1 || tr.Repeat == 2 },
		"batch_size / 512 == 0.5 && model == 'tanh-cnn'":      func(tr TrialRecord) bool { return true },
		"optimizer == 'adam'":                                 func(tr TrialRecord) bool { return false },
		"-learning_rate * 2 + 1 > -2 and abs(clip_norm) == 1": func(tr TrialRecord) bool { return tr.Params.LearnRate < 1.5 },
		"accuracy > 0.81":                                     func(tr TrialRecord) bool { return accuracyOf(tr.Params, tr.Repeat) > 0.81 },
	} {
		n := 0
		for _, tr := range trials {
			if want(tr) {
				n++
			}
		}
		rows, err := s.Trials(t.Context(), id, Filter{Where: where})
		counted, countErr := s.CountTrials(t.Context(), id, Filter{Where: where})
		if err != nil || countErr != nil || len(rows) != n || counted != n {
			t.Errorf("%s: %d trials, counted %d, errors %v, %v; want %d", where, len(rows), counted, err, countErr, n)
		}
	}
}

func TestBadConditions(t *testing.T) {
	s, id, _ := small(t)
	for _, where := range []string{
		"learning_rate ==", "rate > 1", "accuracy > 1; DROP TABLE trials", "'; DROP TABLE trials --", "trials.params == 1", "len(model) > 3", "model matches 'x'", "learning_rate in 3",
		"filter([1], # > 0)", "option[0] == 1", "{1: 2}", "let x = 1; x",
	} {
		if _, err := s.Trials(t.Context(), id, Filter{Where: where}); !errors.Is(err, ErrCondition) {
			t.Errorf("%s: error %v, want ErrCondition", where, err)
		}
	}
}

// FuzzCondition holds that whatever is typed is refused or is SQL that runs.
func FuzzCondition(f *testing.F) {
	s, id, _ := small(f)
	for _, seed := range []string{"learning_rate >= 1 and batch_size in [1, 2]", "not (a or b)", `option.x == "'"`, "-(-1) % 2 == 1", `label == "'; --"`, "option[\"a'b\"] == 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, where string) {
		if _, err := s.Trials(t.Context(), id, Filter{Where: where, Limit: 1}); err != nil && !errors.Is(err, ErrCondition) {
			t.Errorf("%q: %v", where, err)
		}
	})
}

// Where attempts overlap, the newest one's values stand.
func TestCurves(t *testing.T) {
	s, id, trials := small(t)
	trial := trials[0].Params.ID()
	ref := begin1(t, s, id, trial)
	first := sweep.Reading{Offset: 1, Started: true, NoiseID: "a", Step: 3, Metrics: []sweep.Metric{{Name: "loss", Step: 1, Value: 3}, {Name: "loss", Step: 2, Value: math.NaN()}, {Name: "loss", Step: 3, Value: 9}}}
	second := sweep.Reading{Offset: 1, Started: true, NoiseID: "b", Step: 4, Metrics: []sweep.Metric{{Name: "loss", Step: 3, Value: 2}, {Name: "loss", Step: 4, Value: 1}}}
	if err := s.Collect(t.Context(), ref, first); err != nil {
		t.Fatal(err)
	}
	if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	again := begin1(t, s, id, trial)
	if err := s.Collect(t.Context(), again, second); err != nil {
		t.Fatal(err)
	}
	curves, err := s.Curves(t.Context(), trial, []string{"nothing", "loss"}, 0)
	if err != nil || len(curves) != 1 || fmt.Sprint(curves[0].Readings) != "[{1 3} {2 NaN} {3 2} {4 1}]" {
		t.Errorf("curves %v, error %v; want steps 1 to 4, the third of the second attempt", curves, err)
	}
	if names, err := s.MetricNames(t.Context(), trial); err != nil || fmt.Sprint(names) != "[loss]" {
		t.Errorf("names %v, error %v", names, err)
	}
}

// A thinned curve keeps its ends and its extremes, and no point that it did not have.
func TestThin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []Reading
	known := map[Reading]bool{}
	for i := range 10_000 {
		v := math.Sin(float64(i)/800) + 0.01*random.NormFloat64()
		if i == 5000 {
			v = 20 // a spike of one step
		}
		all = append(all, Reading{i, v})
		known[all[i]] = true
	}
	few := thin(all, 300)
	if len(few) != 300 || few[0] != all[0] || few[299] != all[9999] || !slices.Contains(few, all[5000]) {
		t.Errorf("%d points, from %v to %v; want 300 with both ends and the spike", len(few), few[0], few[len(few)-1])
	}
	for i, p := range few {
		if !known[p] || i > 0 && p.Step <= few[i-1].Step {
			t.Fatalf("point %d is %v: made up, or out of order", i, p)
		}
	}
	if same := thin(all[:50], 300); len(same) != 50 {
		t.Errorf("a curve of 50 points became one of %d", len(same))
	}
	gaps := slices.Clone(all)
	gaps[3000].Value = math.NaN()
	if out := thinned(gaps, 300); len(out) > 310 || !slices.ContainsFunc(out, func(r Reading) bool { return math.IsNaN(r.Value) }) {
		t.Errorf("%d points, or the gap is lost", len(out))
	}
}

func TestTimeline(t *testing.T) {
	s, id, trials := small(t)
	ref := begin1(t, s, id, trials[0].Params.ID())
	if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Reason: "boom", Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	begin1(t, s, id, trials[0].Params.ID())
	run(t, s, id, trials[1].Params, 0.5)
	spans, total, err := s.Timeline(t.Context(), id, 2)
	if err != nil || total != 3 || len(spans) != 2 || spans[1].Trial != trials[1].Params.ID() {
		t.Errorf("%d of %d attempts, error %v; want the last 2 of 3", len(spans), total, err)
	}
	failures, err := s.Failures(t.Context(), id)
	if err != nil || len(failures) != 1 || failures[0].Times != 1 || failures[0].Reason != "boom" {
		t.Errorf("failures %+v, error %v; want one", failures, err)
	}
	workers, err := s.Workers(t.Context(), id)
	attempts := 0
	for _, w := range workers {
		attempts += w.Attempts
	}
	if err != nil || attempts != 3 {
		t.Errorf("workers %+v, error %v; want 3 attempts", workers, err)
	}
}

func TestBestAndPairs(t *testing.T) {
	s, id, trials := trained(t)
	best, err := s.Best(t.Context(), id, 0, 2)
	if err != nil || len(best) != 2 || best[0].ID != params(0.8, 1).Point() || len(best[0].Accuracies) != 3 {
		t.Fatalf("best %+v, error %v; want σ = 0.8 and η = 1 first, with three repeats", best, err)
	}
	for i, a := range best[0].Accuracies {
		if !near(a, accuracyOf(params(0.8, 1), i), 1e-12) {
			t.Errorf("repeat %d has accuracy %v, want %v", i, a, accuracyOf(params(0.8, 1), i))
		}
	}
	p, err := s.PointOf(t.Context(), id, string(trials[4].Params.ID())[:12])
	if err != nil || p.ID != trials[4].Params.Point() {
		t.Errorf("point %s, error %v; want %s", p.ID, err, trials[4].Params.Point())
	}
	if _, err := s.PointOf(t.Context(), id, "ffffffff"); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("error %v, want ErrNotFound", err)
	}
	axes, err := s.Axes(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	pairs, err := s.Pairs(t.Context(), id, axes, "learning_rate", 0.5, 1)
	if err != nil || len(pairs) != 2 {
		t.Fatalf("pairs %+v, error %v; want one for each target", pairs, err)
	}
	for _, p := range pairs {
		if !near(p.B-p.A, 0.05, 1e-12) { // by accuracyOf
			t.Errorf("pair %+v: difference %v, want 0.05", p, p.B-p.A)
		}
	}
}

func TestWatch(t *testing.T) {
	s, id, trials := small(t)
	r, err := OpenReader(t.Context(), pathOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := r.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	before, err := w.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if same, err := w.Version(t.Context()); err != nil || same != before {
		t.Errorf("version %d, error %v; want %d as long as nobody writes", same, err, before)
	}
	run(t, s, id, trials[0].Params, 0.5)
	if after, err := w.Version(t.Context()); err != nil || after == before {
		t.Errorf("version %d, error %v; want another after a write", after, err)
	}
}

func pathOf(t testing.TB, s *Store) string {
	t.Helper()
	return scalar[string](t, s, `SELECT file FROM pragma_database_list WHERE name = 'main'`)
}
