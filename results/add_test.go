package results

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"sweep"
)

func compareWith(t testing.TB, s *Store, id sweep.SweepID, trials []TrialRecord) Added {
	t.Helper()
	added, err := s.Compare(t.Context(), id, seq(trials))
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// Each step compares first: Compare must foretell what AddSweep then reports.
func TestAddSweepNewAgainAndExtended(t *testing.T) {
	s := openTemp(t)
	all := grid(2) // 12 trials
	first, changed, shrunk := file("a"), file("a"), file("a")
	changed.Text += "# one more value\n"
	shrunk.Text += "# fewer\n"
	for _, step := range []struct {
		name   string
		file   SweepRecord
		trials []TrialRecord
		want   Added
	}{
		{"new", first, all[:6], Added{New: 6}},
		{"again", first, all[:6], Added{Known: 6}},
		{"extended", changed, all, Added{New: 6, Known: 6}},
		{"fewer", shrunk, all[4:], Added{Known: 8, Gone: 4}},
		{"back to the first", first, all[:6], Added{Known: 6, Gone: 6}},
		{"all again", changed, all, Added{Known: 12}},
		{"each twice", changed, slices.Concat(all, all), Added{Known: 24}},
	} {
		if got := compareWith(t, s, step.file.ID, step.trials); got != step.want && step.name != "each twice" {
			t.Errorf("%s: compare says %+v, want %+v", step.name, got, step.want)
		}
		if got := add(t, s, step.file, step.trials); got != step.want {
			t.Errorf("%s: added %+v, want %+v", step.name, got, step.want)
		}
	}
	revisions, err := s.Revisions(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, r := range revisions {
		texts = append(texts, r.Text)
	}
	if want := []string{first.Text, changed.Text, shrunk.Text, first.Text, changed.Text}; !slices.Equal(texts, want) {
		t.Errorf("revisions %q, want %q", texts, want)
	}
	if n := scalar[int](t, s, `SELECT count(*) FROM trials`); n != 12 {
		t.Errorf("%d trials, want 12", n)
	}
}

func TestAddSweepThatFailsAddsNothing(t *testing.T) {
	s := openTemp(t)
	broken := errors.New("line 7 is wrong")
	_, err := s.AddSweep(t.Context(), file("a"), func(yield func(TrialRecord, error) bool) {
		_ = yield(grid(1)[0], nil) && yield(TrialRecord{}, broken)
	})
	want(t, err, broken)
	if n := scalar[int](t, s, `SELECT (SELECT count(*) FROM trials) + (SELECT count(*) FROM sweeps)`); n != 0 {
		t.Errorf("%d rows were left behind", n)
	}
	unpriceable := grid(1)
	unpriceable[3].Params.Batch = unpriceable[3].Params.Data.Train + 1
	if _, err := s.AddSweep(t.Context(), file("a"), seq(unpriceable)); err == nil {
		t.Error("a sampling rate above 1 was accepted")
	}
	other := file("a")
	other.Accountant = "abacus"
	if _, err := s.AddSweep(t.Context(), other, seq(grid(1))); err == nil {
		t.Error("an unknown accountant was accepted")
	}
}

// A trial belongs to no sweep: completed once, it serves every sweep that lists
// it, priced at that sweep's own delta; failed once, it gets another chance.
func TestAddSweepReusesTrials(t *testing.T) {
	s, id, trials := small(t)
	run(t, s, id, trials[0].Params, 0.9)
	ref := begin1(t, s, id, trials[1].Params.ID())
	if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Reason: "boom", Next: sweep.Failed}); err != nil {
		t.Fatal(err)
	}
	b := slices.Clone(trials)
	for i := range b {
		b[i].Delta = 1e-6
	}
	if got, want := add(t, s, file("b"), b), (Added{New: 5, Reused: 1}); got != want {
		t.Errorf("added %+v, want %+v", got, want)
	}
	p, err := s.Progress(t.Context(), file("b").ID)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counts{Trials: 6, Pending: 5, Completed: 1}); p.Counts != want {
		t.Errorf("counts %+v, want %+v", p.Counts, want)
	}
	loose := scalar[float64](t, s, `SELECT epsilon FROM trial_results WHERE sweep LIKE 'small-%' AND accuracy IS NOT NULL`)
	tight := scalar[float64](t, s, `SELECT epsilon FROM trial_results WHERE sweep LIKE 'b-%' AND accuracy IS NOT NULL`)
	if !(tight > loose && loose > 0) {
		t.Errorf("ε = %v at δ = 1e-5 and %v at 1e-6; a smaller δ costs more", loose, tight)
	}
}

func TestNextGivesTrialsInGridOrder(t *testing.T) {
	s, id, trials := small(t)
	ids := make([]sweep.TrialID, len(trials))
	for i, tr := range trials {
		ids[i] = tr.Params.ID()
	}
	run(t, s, id, trials[2].Params, 0.5) // completed
	begin1(t, s, id, ids[4])             // left running
	stopped := begin1(t, s, id, ids[0])
	if err := s.EndAttempt(t.Context(), stopped, sweep.Ending{Failure: sweep.Cancelled, Next: sweep.Stopped}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		limit      int
		skip, want []sweep.TrialID
	}{
		{10, nil, []sweep.TrialID{ids[0], ids[1], ids[3], ids[4], ids[5]}},
		{2, nil, []sweep.TrialID{ids[0], ids[1]}},
		{10, []sweep.TrialID{ids[4], ids[0]}, []sweep.TrialID{ids[1], ids[3], ids[5]}},
		{0, nil, nil},
	} {
		next, err := s.Next(t.Context(), id, c.limit, c.skip)
		if err != nil {
			t.Fatal(err)
		}
		var got []sweep.TrialID
		for _, n := range next {
			got = append(got, n.Trial)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("limit %d, skip %v: %v, want %v", c.limit, c.skip, got, c.want)
		}
	}
	next, err := s.Next(t.Context(), id, 1, nil)
	want := sweep.Candidate{Trial: ids[0], Label: trials[0].Label, Epsilon: 8, Model: "tanh-cnn", Data: "glyphs"}
	if err != nil || next[0] != want {
		t.Errorf("candidate %+v, error %v; want %+v", next[0], err, want)
	}
	_, err = s.Next(t.Context(), "nobody", 1, nil)
	if !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("error %v, want not found", err)
	}
}

func TestGoneTrialsAreNotRun(t *testing.T) {
	s, id, trials := small(t)
	run(t, s, id, trials[0].Params, 0.9)
	shrunk := file("small")
	shrunk.Text = "name: small\n# only the last two\n"
	add(t, s, shrunk, trials[4:])
	next, err := s.Next(t.Context(), id, 10, nil)
	if err != nil || len(next) != 2 {
		t.Errorf("%d trials to run, error %v; want 2", len(next), err)
	}
	if n := scalar[int](t, s, `SELECT count(*) FROM trial_results WHERE accuracy = 0.9`); n != 1 {
		t.Errorf("the result of a trial that is gone is not shown")
	}
}

func TestLookups(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "r.db"))
	for _, r := range []SweepRecord{
		{ID: "mnist-aa11", Name: "mnist"}, {ID: "mnist-big-bb22", Name: "mnist-big"}, {ID: "twin-1", Name: "twin"}, {ID: "twin-2", Name: "twin"},
	} {
		full := file("x")
		full.ID, full.Name = r.ID, r.Name
		add(t, s, full, nil)
	}
	for given, id := range map[string]sweep.SweepID{
		"mnist": "mnist-aa11", "mnist-aa11": "mnist-aa11", "mnist-b": "mnist-big-bb22", "twin-1": "twin-1",
	} {
		if got, err := s.Sweep(t.Context(), given); err != nil || got.ID != id {
			t.Errorf("sweep %q is %q, error %v; want %q", given, got.ID, err, id)
		}
	}
	for _, given := range []string{"mni", "twin", "twin-"} {
		_, err := s.Sweep(t.Context(), given)
		if e, ok := errors.AsType[*AmbiguousError](err); !ok || len(e.Candidates) != 2 {
			t.Errorf("sweep %q: error %v, want one naming two candidates", given, err)
		}
	}
	for _, given := range []string{"", "nobody", "%", "MNIST"} {
		_, err := s.Sweep(t.Context(), given)
		want(t, err, sweep.ErrNotFound)
	}
	if got, err := s.FindByName(t.Context(), "twin"); err != nil || got.ID != "twin-2" {
		t.Errorf("newest twin is %q, error %v; want twin-2", got.ID, err)
	}
	_, err := s.FindByName(t.Context(), "mni")
	want(t, err, sweep.ErrNotFound)
}
