package results

import (
	"math"
	"strings"
	"testing"
	"time"

	"sweep"
	"sweep/privacy"
)

// exactly is a budget for so many steps of grid's two kinds and no more.
func exactly(loud, quiet int) Budget {
	ε := priceTogether(map[kindOfStep]int{{256. / 2000, 0.8}: loud, {256. / 2000, 2}: quiet}, nil, delta)
	return Budget{Epsilon: Epsilon(ε * (1 + 1e-9)), Delta: delta}
}

func setBudget(t testing.TB, s *Store, b Budget) {
	t.Helper()
	if err := s.SetBudget(t.Context(), "glyphs", b); err != nil {
		t.Fatal(err)
	}
}

func account(t testing.TB, s *Store) Account {
	t.Helper()
	all, err := s.Accounts(t.Context(), "glyphs", delta)
	if err != nil || len(all) != 1 {
		t.Fatalf("accounts %+v, error %v; want one", all, err)
	}
	return all[0]
}

func TestBudgetRefusesAndWaits(t *testing.T) {
	s, id, trials := small(t) // three trials of σ 0.8, three of σ 2, ten steps each
	setBudget(t, s, exactly(20, 0))
	first := begin1(t, s, id, trials[0].Params.ID())
	begin1(t, s, id, trials[1].Params.ID())
	c, err := s.Begin(t.Context(), id, trials[2].Params.ID())
	if err != nil || c.State != sweep.Pending || c.Wait == "" || c.Denied != "" {
		t.Fatalf("claim %+v, error %v; want to wait for what others have reserved", c, err)
	}
	if n := scalar[int](t, s, `SELECT count(*) FROM attempts`); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
	// A crash before the first report gives back what was reserved.
	if err := s.EndAttempt(t.Context(), first, sweep.Ending{Failure: sweep.Crashed, Next: sweep.Failed}); err != nil {
		t.Fatal(err)
	}
	run(t, s, id, trials[2].Params, 0.5)
	if err := s.Record(t.Context(), sweep.AttemptRef{Sweep: id, Trial: trials[1].Params.ID(), Number: 1}, outcomeOf(trials[1].Params, 0.5)); err != nil {
		t.Fatal(err)
	}
	c, err = s.Begin(t.Context(), id, trials[3].Params.ID())
	if err != nil || c.Denied == "" || !strings.Contains(c.Denied, "budget of glyphs") {
		t.Errorf("claim %+v, error %v; want it denied", c, err)
	}
	if at := account(t, s); at.Spent > at.Budget.Epsilon || at.Steps != 20 || at.Held != 0 || at.Trials != 3 {
		t.Errorf("account %+v; want 20 steps within the budget", at)
	}
	// More room, and it goes on; none at all, and nothing is in the way.
	setBudget(t, s, exactly(20, 10))
	run(t, s, id, trials[3].Params, 0.5)
	setBudget(t, s, Budget{Lifted: true, Delta: delta})
	run(t, s, id, trials[4].Params, 0.5)
	history, err := s.BudgetHistory(t.Context(), "glyphs")
	if err != nil || len(history) != 3 || !history[0].Lifted || history[2].Number != 1 {
		t.Errorf("history %+v, error %v; want three, the lifting first", history, err)
	}
}

func TestBudgetRefusesWhatHasNoNoise(t *testing.T) {
	s := openTemp(t)
	p := params(0, 1)
	add(t, s, file("bare"), []TrialRecord{{Params: p, TargetEpsilon: math.Inf(1), Delta: delta}})
	setBudget(t, s, Budget{Epsilon: 1e6, Delta: delta})
	if c, err := s.Begin(t.Context(), file("bare").ID, p.ID()); err != nil || c.Denied == "" {
		t.Errorf("claim %+v, error %v; want it denied", c, err)
	}
	if err := s.SetBudget(t.Context(), "glyphs", Budget{Epsilon: -1, Delta: delta}); err == nil {
		t.Error("a negative budget was set")
	}
	if err := s.SetBudget(t.Context(), "glyphs", Budget{Epsilon: 1}); err == nil {
		t.Error("a budget without delta was set")
	}
}

// An attempt that was given up holds what it could still do until it is surely over.
func TestLostAttemptsHoldOn(t *testing.T) {
	s, id, trials := small(t)
	setBudget(t, s, exactly(0, 20))
	ref := begin1(t, s, id, trials[3].Params.ID())
	if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Lost, Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	begin1(t, s, id, trials[4].Params.ID())
	if c, err := s.Begin(t.Context(), id, trials[5].Params.ID()); err != nil || c.Wait == "" {
		t.Errorf("claim %+v, error %v; want to wait for the lost attempt", c, err)
	}
	past := time.Now().Add(-time.Second).UTC().Format(timeFormat)
	if _, err := s.db.Exec(`UPDATE attempts SET doubtful_until = ?; UPDATE holds SET until = ? WHERE until IS NOT NULL`, past, past); err != nil {
		t.Fatal(err)
	}
	begin1(t, s, id, trials[5].Params.ID())
}

func TestDeletingRefundsNothing(t *testing.T) {
	s, id, trials := small(t)
	run(t, s, id, trials[0].Params, 0.5)
	before := account(t, s)
	for _, q := range []string{`DELETE FROM ledger`, `UPDATE ledger SET spent = 0`} {
		if _, err := s.db.Exec(q); err == nil || !strings.Contains(err.Error(), "refunds nothing") {
			t.Errorf("%s: %v, want a refusal", q, err)
		}
	}
	for _, table := range []string{"costs", "privacy_events", "outcomes", "metrics", "attempts", "sweep_trials", "trials", "revisions", "sweeps"} {
		if _, err := s.db.Exec(`DELETE FROM ` + table); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
	if after := account(t, s); after.Spent != before.Spent || after.Steps != before.Steps || after.Spent == 0 {
		t.Errorf("with everything deleted the account holds %+v, before %+v", after, before)
	}
}

// One content under two names is one data set, under the tighter budget.
func TestSameContentIsOneAccount(t *testing.T) {
	s, id, trials := small(t)
	copied := params(2, 1)
	copied.Data.Name = "folder:copy"
	add(t, s, file("copy"), []TrialRecord{{Params: copied, Delta: delta}})
	setBudget(t, s, exactly(0, 20))
	run(t, s, id, trials[3].Params, 0.5)
	run(t, s, file("copy").ID, copied, 0.5) // reports the same digest
	if at := account(t, s); len(at.Data) != 2 || at.Steps != 20 || len(at.Fingerprints) != 2 || at.Budget == nil {
		t.Errorf("account %+v; want both names, 20 steps and the budget", at)
	}
	if c, err := s.Begin(t.Context(), id, trials[4].Params.ID()); err != nil || c.Denied == "" {
		t.Errorf("claim %+v, error %v; want it denied", c, err)
	}
}

// With too many kinds to compose, rounding them may only raise the price.
func TestCoarseningOnlyRaisesThePrice(t *testing.T) {
	counts := map[kindOfStep]int{}
	for i := range 300 {
		counts[kindOfStep{0.01 + float64(i%17)/1700, 1 + float64(i)/300}] = 1 + i%7
	}
	fine, coarse := coarsen(counts, len(counts)), coarsen(counts, 40)
	price := func(counts map[kindOfStep]int) float64 {
		var t privacy.Tally
		for k, n := range counts {
			if err := t.Add(k.times(1), n); err != nil {
				panic(err)
			}
		}
		return t.Epsilon(delta)
	}
	if a, b := price(fine), price(coarse); len(coarse) > 40 || b < a || b > 1.3*a {
		t.Errorf("%d kinds cost %v, %d cost %v; want a little more", len(fine), a, len(coarse), b)
	}
}

// A claim under a budget, in an account that holds a hundred thousand trials.
func BenchmarkClaimUnderBudget(b *testing.B) {
	for _, c := range []struct {
		name   string
		budget Budget
	}{{"far", Budget{Epsilon: 1e5, Delta: delta}}, {"none", Budget{Lifted: true, Delta: delta}}} {
		b.Run(c.name, func(b *testing.B) {
			s := openTemp(b)
			all := make([]TrialRecord, 5000)
			for i := range all {
				all[i] = TrialRecord{Params: params(2, 1).WithRepeat(i), Index: i, Repeat: i, Delta: delta}
			}
			add(b, s, file("many"), all)
			if _, err := accountOfForTest(s); err != nil {
				b.Fatal(err)
			}
			if _, err := s.db.Exec(`
				WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
				INSERT INTO ledger (trial, account, sample_rate, noise_multiplier, spent, held, opened, changed)
				SELECT 'old' || i, 1, 0.01 + (i % 10) / 100.0, 2 + (i % 100) / 50.0, 10, 0, '', '' FROM n`); err != nil {
				b.Fatal(err)
			}
			setBudget(b, s, c.budget)
			i := 0
			for b.Loop() {
				begin1(b, s, file("many").ID, all[i%len(all)].Params.ID())
				i++
			}
		})
	}
}

func accountOfForTest(s *Store) (int64, error) {
	_, err := s.db.Exec(`INSERT INTO accounts (key, unit, relation, version) VALUES (1, 'example', 'add_remove', 0);
		INSERT INTO account_names (name, account) VALUES ('glyphs', 1)`)
	return 1, err
}
