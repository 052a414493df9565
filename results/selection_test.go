package results

import (
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"

	"sweep"
	"sweep/privacy"
)

// selecting is a sweep of two private selections, each among the trials of one of
// grid's noise multipliers.
func selecting(t testing.TB, s *Store) (sweep.SweepID, []TrialRecord) {
	t.Helper()
	r := file("secret")
	r.Disclosure, r.Accountant = sweep.PrivateSelect, privacy.Certified
	all := grid(1)
	slots := []TrialRecord{all[0], all[3]}
	for i := range slots {
		slots[i].Params.Seed = uint64(1000 + i)
		slots[i].Index, slots[i].Label = i, fmt.Sprintf("private selection %d", i)
		slots[i].Select = &privacy.Select{Run: privacy.DPSGD{SampleRate: 1, Noise: 10 / float64(i+1), Steps: 4}, Count: privacy.Geometric, Mean: 8} // priced at once
	}
	add(t, s, r, slots)
	return r.ID, slots
}

// drawn has an attempt at the slot report a draw.
func drawn(t testing.TB, s *Store, id sweep.SweepID, slot TrialRecord, draw string) sweep.AttemptRef {
	t.Helper()
	ref := begin1(t, s, id, slot.Params.ID())
	if err := s.Collect(t.Context(), ref, sweep.Reading{Offset: 1, Started: true, NoiseID: draw, Worker: draw + "'s worker"}); err != nil {
		t.Fatal(err)
	}
	return ref
}

// win decides the selection of ref for a trial of that seed.
func win(t testing.TB, s *Store, ref sweep.AttemptRef, slot TrialRecord, seed uint64, accuracy float64) sweep.Params {
	t.Helper()
	p := slot.Params
	p.Seed = seed
	o := outcomeOf(p, accuracy)
	o.Seconds = 0
	if err := s.RecordWin(t.Context(), ref, sweep.Win{Params: p, Label: fmt.Sprint("winner ", seed), Outcome: o}); err != nil {
		t.Fatal(err)
	}
	return p
}

func spent(t testing.TB, s *Store) Account {
	t.Helper()
	all, err := s.Accounts(t.Context(), "glyphs", delta)
	if err != nil || len(all) != 1 {
		t.Fatalf("accounts %+v, %v", all, err)
	}
	return all[0]
}

// costOf is the certified ε of selections composed, each so many times.
func costOf(t testing.TB, times int, slots ...TrialRecord) float64 {
	t.Helper()
	var all privacy.Composed
	for range times {
		for _, slot := range slots {
			all = append(all, *slot.Select)
		}
	}
	ε, err := privacy.Certified.Epsilon(all, delta)
	if err != nil {
		t.Fatal(err)
	}
	return ε
}

func sound(t *testing.T, s *Store) {
	t.Helper()
	if _, found := verify(t, s, func(_ sweep.SweepID, _ bool, text string) (SweepRecord, iter.Seq2[TrialRecord, error], error) {
		r := file(strings.TrimSpace(strings.TrimPrefix(text, "name: ")))
		if r.Name == "secret" {
			r.Disclosure, r.Accountant = sweep.PrivateSelect, privacy.Certified
		}
		return r, nil, nil
	}); len(found) > 0 {
		t.Errorf("disagreements: %q", found)
	}
}

// A sweep of selections is charged whole before its first attempt, whatever comes
// of it, and no trial of it has a row in the ledger.
func TestSelectionIsChargedBefore(t *testing.T) {
	s := openTemp(t)
	id, slots := selecting(t, s)
	drawn(t, s, id, slots[0], "a")
	if a := spent(t, s); a.Trials != 0 || a.Steps != 0 || a.Held != 0 || math.Abs(float64(a.Spent)-costOf(t, 1, slots...)) > 1e-9 {
		t.Errorf("account %+v; want both selections and no steps, epsilon %v", a, costOf(t, 1, slots...))
	}
	win(t, s, begin1(t, s, id, slots[0].Params.ID()), slots[0], 5, 0.7)
	if a := spent(t, s); math.Abs(float64(a.Spent)-costOf(t, 1, slots...)) > 1e-9 {
		t.Errorf("decided, it costs %v", a.Spent)
	}
	sound(t, s)
}

// A budget refuses selections for what they cost by the theorem, and says what
// would fit: each suggestion fits when it is taken, and little more does.
func TestSelectionsThatDoNotFit(t *testing.T) {
	full := openTemp(t)
	id, slots := selecting(t, full)
	both, one := costOf(t, 1, slots...), costOf(t, 1, slots[0])
	for _, ε := range []float64{1.01 * one, 0.7 * one, 0.02} {
		s := openTemp(t)
		if err := s.SetBudget(t.Context(), "glyphs", Budget{Epsilon: Epsilon(ε), Delta: delta}); err != nil {
			t.Fatal(err)
		}
		selecting(t, s)
		a, err := s.Afford(t.Context(), seq(slots))
		if err != nil || a.Fits || a.Selections != 2 || a.Trials != 0 || math.Abs(float64(a.After)-both) > 1e-9 || a.Selection == nil {
			t.Fatalf("budget %v: %+v, %v", ε, a, err)
		}
		if c, err := s.Begin(t.Context(), id, slots[0].Params.ID()); err != nil || c.Denied == "" || !strings.Contains(c.Denied, "private selection") {
			t.Errorf("budget %v: claimed all the same: %+v, %v", ε, c, err)
		}
		f := a.Selection
		if want := map[bool]int{true: 1}[one <= ε]; f.Prefix != want {
			t.Errorf("budget %v: the first %d fit, want %d (one costs %v)", ε, f.Prefix, want, one)
		}
		changed := func(change func(*privacy.Select)) float64 {
			var all privacy.Composed
			for _, slot := range slots {
				e := *slot.Select
				change(&e)
				all = append(all, e)
			}
			cost, err := privacy.Certified.Epsilon(all, delta)
			if err != nil {
				t.Fatal(err)
			}
			return cost
		}
		mean := func(m float64) float64 { return changed(func(e *privacy.Select) { e.Mean = m }) }
		noise := func(x float64) float64 { return changed(func(e *privacy.Select) { e.Run = louder(e.Run, x) }) }
		if f.Mean == 0 && mean(1) <= ε || f.Mean > 0 && (mean(f.Mean) > ε || f.Mean < 8 && mean(1.15*f.Mean) <= ε) {
			t.Errorf("budget %v: mean %v costs %v, 1 costs %v", ε, f.Mean, mean(f.Mean), mean(1))
		}
		if f.Noise == 0 && noise(64) <= ε || f.Noise > 0 && (noise(f.Noise) > ε || noise(0.98*f.Noise) <= ε) {
			t.Errorf("budget %v: %v times the noise costs %v", ε, f.Noise, noise(f.Noise))
		}
		if want := changed(func(e *privacy.Select) { e.Count = privacy.Logarithmic }) <= ε; f.Logarithmic != want {
			t.Errorf("budget %v: the law logarithmic fits: %v, want %v", ε, f.Logarithmic, want)
		}
	}
}

// Selections come through an import whole: the winner, what stands for the one
// that is not decided, and one charge, also when it is imported twice.
func TestImportOfSelections(t *testing.T) {
	from := openTemp(t)
	id, slots := selecting(t, from)
	drawn(t, from, id, slots[0], "a") // the next attempt takes its place
	winner := win(t, from, begin1(t, from, id, slots[0].Params.ID()), slots[0], 5, 0.7)
	drawn(t, from, id, slots[1], "b")
	into := openTemp(t)
	add(t, into, file("other"), grid(1)[:2])
	for range 2 {
		if got := imports(t, into, backup(t, from)); len(got.Conflicts) > 0 {
			t.Errorf("%+v", got)
		}
		if a := spent(t, into); a.Selections != 1 || math.Abs(float64(a.Spent)-costOf(t, 1, slots...)) > 1e-9 {
			t.Errorf("it costs %+v", a)
		}
		got, err := into.Trial(t.Context(), string(winner.ID()))
		if err != nil || got.State != sweep.Completed || len(got.Attempts) != 2 || got.Outcome.Accuracy != 0.7 {
			t.Errorf("the winner is %+v, %v", got, err)
		}
	}
	c, err := into.Begin(t.Context(), id, slots[1].Params.ID())
	if err != nil || c.Selection == nil || c.Stream != "b" {
		t.Errorf("the undecided one goes on as %+v, %v; want its own draw, which is not here", c, err)
	}
	sound(t, into)
}

// A selection that was decided in one copy of a record and not begun in the other
// is decided in both, and never drawn again.
func TestImportDecidesSelections(t *testing.T) {
	ours := openTemp(t)
	id, slots := selecting(t, ours)
	theirs := openAt(t, backup(t, ours))
	winner := win(t, theirs, drawn(t, theirs, id, slots[0], "b"), slots[0], 5, 0.7)
	if got := imports(t, ours, backup(t, theirs)); got.Outcomes != 1 || len(got.Conflicts) > 0 {
		t.Errorf("%+v", got)
	}
	c, err := ours.Begin(t.Context(), id, slots[0].Params.ID())
	if err != nil || c.State != sweep.Completed {
		t.Errorf("begun again: %+v, %v", c, err)
	}
	got, err := ours.Trial(t.Context(), string(winner.ID()))
	if err != nil || got.Outcome.Accuracy != 0.7 || got.Params.Seed != 5 {
		t.Errorf("the winner is %+v, %v", got, err)
	}
	if label := scalar[string](t, ours, `SELECT label FROM sweep_trials WHERE trial = (SELECT trial FROM selections WHERE slot = ?)`, slots[0].Params.ID()); label != "winner 5" {
		t.Errorf("its label is %q", label)
	}
	if a := spent(t, ours); math.Abs(float64(a.Spent)-costOf(t, 1, slots...)) > 1e-9 {
		t.Errorf("it costs %v", a.Spent)
	}
	sound(t, ours)
}

// Selections that were drawn in both records are two, and both are charged, once
// each, in whichever direction and however often the records are merged.
func TestImportChargesBothDraws(t *testing.T) {
	ours := openTemp(t)
	id, slots := selecting(t, ours)
	theirs := openAt(t, backup(t, ours))
	winners := map[*Store]sweep.Params{}
	for i, s := range []*Store{ours, theirs} {
		winners[s] = win(t, s, drawn(t, s, id, slots[0], fmt.Sprint("draw:", i)), slots[0], uint64(5+i), 0.7+0.1*float64(i))
		drawn(t, s, id, slots[1], fmt.Sprint("draw:", 2+i))
	}
	for i, s := range []*Store{ours, theirs, ours, theirs} {
		other := map[*Store]*Store{ours: theirs, theirs: ours}[s]
		got := imports(t, s, backup(t, other))
		if len(got.Conflicts) != 2 || !strings.Contains(got.Conflicts[0], "drawn in both records") {
			t.Errorf("import %d: %+v", i, got)
		}
		if a := spent(t, s); math.Abs(float64(a.Spent)-costOf(t, 2, slots...)) > 1e-9 {
			t.Errorf("import %d: it costs %v, want %v for two draws of each", i, a.Spent, costOf(t, 2, slots...))
		}
		trials := scalar[int](t, s, `SELECT count(*) FROM trials`)
		if _, err := s.Trial(t.Context(), string(winners[s].ID())); err != nil || trials != 2 {
			t.Errorf("import %d: %d trials, and the winner %v", i, trials, err)
		}
		sound(t, s)
	}
}
