package results

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/privacy"
)

// accuracyOf makes up accuracies of a grid(3): more noise is worse, η = 1 is
// best, repeats differ by a hundredth.
func accuracyOf(p sweep.Params, repeat int) float64 {
	return 0.9 - 0.1*p.Noise - 0.05*math.Abs(math.Log2(p.LearnRate)) + 0.01*float64(repeat-1)
}

// trained is a store whose only sweep, of grid(3), is completed.
func trained(t testing.TB) (*Store, sweep.SweepID, []TrialRecord) {
	t.Helper()
	s, trials := openTemp(t), grid(3)
	add(t, s, file("trained"), trials)
	for _, tr := range trials {
		run(t, s, file("trained").ID, tr.Params, accuracyOf(tr.Params, tr.Repeat))
	}
	return s, file("trained").ID, trials
}

func frontierOf(t testing.TB, s *Store, id sweep.SweepID) Frontier {
	t.Helper()
	f, err := s.Frontier(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

func TestFrontier(t *testing.T) {
	s, id, _ := trained(t)
	f := frontierOf(t, s, id)
	all := 0
	for _, dot := range f.All {
		all += dot.Points
	}
	if len(f.Points) != 2 || all != 6 {
		t.Fatalf("%d points of %d, want 2 of 6", len(f.Points), all)
	}
	for i, want := range []struct{ target, noise float64 }{{2, 2}, {8, 0.8}} {
		p := f.Points[i]
		best := params(want.noise, 1)
		if p.TargetEpsilon != Epsilon(want.target) || p.ID != best.Point() || p.N != 3 || p.BestOf != 9 || p.Dominated {
			t.Errorf("point %d: target %v, point %s, n %d, best of %d, dominated %v; want %v, %s, 3, 9, false",
				i, p.TargetEpsilon, p.ID, p.N, p.BestOf, p.Dominated, want.target, best.Point())
		}
		// Repeats at mean ± 0.01: standard deviation 0.01, and t(0.975, 2) = 4.302653 from any table.
		half := 4.302653 * 0.01 / math.Sqrt(3)
		mean := accuracyOf(best, 1)
		if !near(p.Accuracy, mean, 1e-12) || !near(*p.Std, 0.01, 1e-9) || !near(*p.Low, mean-half, 1e-7) || !near(*p.High, mean+half, 1e-7) {
			t.Errorf("point %d: %v ± %v in [%v, %v], want %v ± 0.01 in ± %v", i, p.Accuracy, *p.Std, *p.Low, *p.High, mean, half)
		}
		ε, err := privacy.RDP.Epsilon(privacy.DPSGD{SampleRate: 0.128, Noise: want.noise, Steps: 10}, delta)
		if err != nil || float64(p.Epsilon) != ε {
			t.Errorf("point %d: ε %v, want %v (%v)", i, p.Epsilon, ε, err)
		}
		if got := p.Params; got.Seed != 0 || got.Point() != best.Point() {
			t.Errorf("point %d: parameters %+v, want %+v", i, got, best)
		}
	}
}

// viewed is a row of the view frontier.
type viewed struct {
	target, epsilon, accuracy, std float64
	n, trials                      int
	point                          sweep.PointID
}

func frontierView(t testing.TB, s *Store) []viewed {
	t.Helper()
	rows, err := gather(t.Context(), s.db, func(rows *sql.Rows) (v viewed, err error) {
		return v, rows.Scan(&v.target, &v.epsilon, &v.accuracy, &v.std, &v.n, &v.trials, &v.point)
	}, `SELECT coalesce(target_epsilon, 0), epsilon, accuracy, coalesce(accuracy_std, -1), n, trials, point FROM frontier`)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The view says what its epsilons count of the search.
func TestFrontierViewDiscloses(t *testing.T) {
	s, id, _ := trained(t)
	disclosed := func() string {
		t.Helper()
		return scalar[string](t, s, `SELECT group_concat(DISTINCT disclosure) FROM frontier WHERE sweep = ?`, string(id))
	}
	if got := disclosed(); got != "research" {
		t.Errorf("disclosure %q, want research", got)
	}
	scalar[int](t, s, `UPDATE sweeps SET disclosure = 'composed' WHERE id = ? RETURNING 1`, string(id))
	if got := disclosed(); got != "composed" {
		t.Errorf("disclosure %q, want composed", got)
	}
}

// The view, the method and a loop over the trials must agree.
func TestFrontierViewAgrees(t *testing.T) {
	s, id, trials := trained(t)
	means := map[float64]map[sweep.PointID]float64{}
	for _, tr := range trials {
		if means[tr.TargetEpsilon] == nil {
			means[tr.TargetEpsilon] = map[sweep.PointID]float64{}
		}
		means[tr.TargetEpsilon][tr.Params.Point()] += accuracyOf(tr.Params, tr.Repeat) / 3
	}
	view, f := frontierView(t, s), frontierOf(t, s, id)
	if len(view) != 2 {
		t.Fatalf("the view has %d rows, want 2", len(view))
	}
	for i, v := range view {
		if chosen := means[v.target][v.point]; !near(v.accuracy, chosen, 1e-12) {
			t.Errorf("at ε = %v the view gives %s accuracy %v, its mean is %v", v.target, v.point, v.accuracy, chosen)
		}
		for point, mean := range means[v.target] {
			if mean > v.accuracy+1e-12 {
				t.Errorf("at ε = %v the view chose %s at %v, but %s has %v", v.target, v.point, v.accuracy, point, mean)
			}
		}
		p := f.Points[i]
		if got := (viewed{float64(p.TargetEpsilon), float64(p.Epsilon), p.Accuracy, *p.Std, p.N, p.BestOf, p.ID}); got != v {
			t.Errorf("the method says %+v, the view %+v", got, v)
		}
	}
}

// Where the file gave noise multipliers, each computed ε is a place of its own,
// and a place that a cheaper point beats is marked.
func TestFrontierByComputedEpsilon(t *testing.T) {
	s, trials := openTemp(t), grid(1)
	for i := range trials {
		trials[i].TargetEpsilon = 0
	}
	id := file("sigma").ID
	add(t, s, file("sigma"), trials)
	for i, accuracy := range []float64{0.3, 0.4, 0.2, 0.5, 0.6, 0.1} { // σ = 0.8 three times, then σ = 2
		run(t, s, id, trials[i].Params, accuracy)
	}
	f := frontierOf(t, s, id)
	if len(f.Points) != 2 {
		t.Fatalf("%d points, want 2", len(f.Points))
	}
	low, high := f.Points[0], f.Points[1]
	if low.Params.Noise != 2 || low.Accuracy != 0.6 || low.Dominated || high.Params.Noise != 0.8 || high.Accuracy != 0.4 || !high.Dominated {
		t.Errorf("points %+v and %+v; want σ = 2 at 0.6, and σ = 0.8 at 0.4 dominated", low, high)
	}
	if low.Std != nil || low.Low != nil {
		t.Error("a single repeat has a standard deviation")
	}
	for i, v := range frontierView(t, s) {
		if p := f.Points[i]; v.point != p.ID || v.accuracy != p.Accuracy || v.epsilon != float64(p.Epsilon) || v.std != -1 {
			t.Errorf("the view's row %d is %+v, want %+v", i, v, p)
		}
	}
}

func TestEqualRepeatsHaveNoDeviation(t *testing.T) {
	s, trials := openTemp(t), grid(3)
	add(t, s, file("a"), trials)
	for _, tr := range trials {
		run(t, s, file("a").ID, tr.Params, 0.7) // 3 · 0.7² - 3 · 0.7² is not 0 in floating point
	}
	if f := frontierOf(t, s, file("a").ID); *f.Points[0].Std != 0 {
		t.Errorf("standard deviation %v, want exactly 0", *f.Points[0].Std)
	}
}

func checkDoubts(t *testing.T, f Frontier, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !slices.ContainsFunc(f.Doubts, func(d string) bool { return strings.Contains(d, part) }) {
			t.Errorf("doubts %q lack %q", f.Doubts, part)
		}
	}
}

func TestDoubtsSayWhatIsWrong(t *testing.T) {
	s, id, trials := small(t)
	baseline := params(0, 1).WithRepeat(0)
	baseline.NoiseFrom = sweep.Seeded
	more := append(slices.Clone(trials), TrialRecord{Params: baseline, Index: 6, Label: "baseline", TargetEpsilon: math.Inf(1), Delta: delta})
	composed := file("small")
	composed.Text, composed.Disclosure = "name: small\ndisclosure: composed\n", "composed"
	add(t, s, composed, more[1:])

	f := frontierOf(t, s, id)
	checkDoubts(t, f, "6 of 6 trials are not finished")
	if len(f.Points) != 0 || len(f.Doubts) != 1 || f.Composed != 0 {
		t.Errorf("empty frontier %+v; want no points, no cost, and one doubt", f)
	}

	run(t, s, id, trials[1].Params, 0.5)
	ref := begin1(t, s, id, trials[2].Params.ID())
	if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Refused, Next: sweep.Failed}); err != nil {
		t.Fatal(err)
	}
	f = frontierOf(t, s, id)
	checkDoubts(t, f, "all trials of the search together, composed, cost epsilon", "validation split", "each point was run with one seed",
		"4 of 6 trials are not finished", "1 of 6 trials failed")
	if f.Composed != f.Points[0].Epsilon {
		t.Errorf("composition of the only trained trial is ε = %v, want its own %v", f.Composed, f.Points[0].Epsilon)
	}

	run(t, s, id, baseline, 0.9)
	f = frontierOf(t, s, id)
	checkDoubts(t, f, "not private", "noise is seeded", "cost epsilon ∞")
}

func TestInfiniteEpsilonHasAJSONForm(t *testing.T) {
	s := openTemp(t)
	p := params(0, 1).WithRepeat(0)
	add(t, s, file("a"), []TrialRecord{{Params: p, TargetEpsilon: math.Inf(1), Delta: delta}})
	run(t, s, file("a").ID, p, 0.9)
	f := frontierOf(t, s, file("a").ID)
	rows, err := s.Trials(t.Context(), f.Sweep, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"points": f.Points, "trials": rows})
	if err != nil || strings.Count(string(text), `"epsilon":"inf"`) != 2 || strings.Count(string(text), `"target_epsilon":"inf"`) != 2 {
		t.Errorf("JSON %s, error %v; want four infinite epsilons in it", text, err)
	}
	var back struct{ Points []Point }
	if err := json.Unmarshal(text, &back); err != nil || !math.IsInf(float64(back.Points[0].Epsilon), 1) {
		t.Errorf("read back %+v, error %v; want an infinite epsilon", back, err)
	}
}

func TestResearchFrontierSaysTheSearchIsNotCounted(t *testing.T) {
	s, id, _ := trained(t)
	f := frontierOf(t, s, id)
	checkDoubts(t, f, "best of 18 trials: epsilon is each trial's own and does not count the search", "all trials of the search together, composed, cost epsilon ")
	for _, p := range f.Points {
		if f.Composed <= p.Epsilon {
			t.Errorf("composed ε = %v, want more than the %v of one trial", f.Composed, p.Epsilon)
		}
	}
}

// A sweep that names pld has several kinds of steps composed by certified: within
// pld's own bracket of the truth, and no looser than pld.
func TestComposedByCertifiedForPLD(t *testing.T) {
	s, r, trials := openTemp(t), file("lattice"), grid(1)
	r.Accountant = privacy.PLD
	add(t, s, r, trials)
	all := privacy.Composed{}
	for _, tr := range []TrialRecord{trials[0], trials[len(trials)-1]} {
		run(t, s, r.ID, tr.Params, 0.5)
		all = append(all, mechanism(tr.Params, tr.Params.Steps))
	}
	b, err := privacy.PLD.EpsilonBracketOf(privacy.Question{Event: all}, r.Delta)
	if got := float64(frontierOf(t, s, r.ID).Composed); err != nil || got < b.Lower || got > b.Upper*(1+1e-9) || b.Upper-b.Lower > 1e-3*b.Upper {
		t.Errorf("composed ε = %v, and pld has it from %v to %v, error %v", got, b.Lower, b.Upper, err)
	}
}

// Trials of one mechanism compose to one trial of all their steps.
func TestComposedIsTheSumOfTheSteps(t *testing.T) {
	s, trials := openTemp(t), grid(1)
	r := file("a")
	r.Disclosure = "composed"
	add(t, s, r, trials)
	for _, tr := range trials {
		run(t, s, r.ID, tr.Params, 0.5)
	}
	want, err := privacy.RDP.Epsilon(privacy.Composed{
		privacy.DPSGD{SampleRate: 0.128, Noise: 2, Steps: 30}, privacy.DPSGD{SampleRate: 0.128, Noise: 0.8, Steps: 30},
	}, delta)
	if f := frontierOf(t, s, r.ID); err != nil || !near(float64(f.Composed), want, 1e-9*want) {
		t.Errorf("composed ε = %v, want %v (%v)", f.Composed, want, err)
	}
}

func ExampleFrontier() {
	f := Frontier{Points: []Point{{TargetEpsilon: 2, Epsilon: 1.9993, Accuracy: 0.805, N: 3, BestOf: 24}}, Doubts: []string{
		"best of 24 trials: epsilon is each trial's own and does not count the search (disclosure: research)",
	}}
	for _, p := range f.Points {
		fmt.Printf("ε = %v: %.1f %%\n", p.TargetEpsilon, 100*p.Accuracy)
	}
	for _, d := range f.Doubts {
		fmt.Println("but", d)
	}
	// Output:
	// ε = 2: 80.5 %
	// but best of 24 trials: epsilon is each trial's own and does not count the search (disclosure: research)
}
