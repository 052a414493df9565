package results

import (
	"testing"
	"time"

	"sweep"
)

// The clock of the record's machine is set back by a day in the middle of a
// sweep. Attempts keep their order and their fences, and what a lost one may still
// be spending is held for as long as it is by a clock that runs, and no day longer.
func TestClockSetBack(t *testing.T) {
	at := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	clock = func() time.Time { at = at.Add(time.Second); return at }
	t.Cleanup(func() { clock = time.Now })
	s, id, trials := small(t)
	setBudget(t, s, exactly(0, 20))
	trial := trials[3].Params.ID()
	first := begin1(t, s, id, trial)
	if err := s.EndAttempt(t.Context(), first, sweep.Ending{Failure: sweep.Lost, Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	at = at.Add(-24 * time.Hour)
	begin1(t, s, id, trials[4].Params.ID())
	if c, err := s.Begin(t.Context(), id, trials[5].Params.ID()); err != nil || c.Wait == "" {
		t.Errorf("claim %+v, error %v; want it to wait for what the lost attempt may still spend", c, err)
	}
	at = at.Add(lease)
	second, err := s.Begin(t.Context(), id, trial)
	if err != nil || second.Attempt != 2 {
		t.Fatalf("claim %+v, error %v; want attempt 2", second, err)
	}
	want(t, s.Record(t.Context(), first, outcomeOf(trials[3].Params, 0.25)), sweep.ErrFenced)
	ref := sweep.AttemptRef{Sweep: id, Trial: trial, Number: 2}
	if err := s.Record(t.Context(), ref, outcomeOf(trials[3].Params, 0.5)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Trial(t.Context(), string(trial))
	if err != nil || got.State != sweep.Completed || len(got.Attempts) != 2 {
		t.Fatalf("trial %+v, error %v; want it completed by the second attempt", got, err)
	}
	if a := got.Attempts; a[0].Number != 1 || a[0].Failure != sweep.Lost || a[1].Failure != "" || !a[1].Started.Before(a[0].Started) {
		t.Errorf("attempts %+v; want the lost one first, though it began a day later by the clock", a)
	}
	rows, err := s.Attempts(t.Context(), id)
	if err != nil || len(rows) != 3 || rows[0].Trial != trial || rows[0].Number != 1 || rows[1].Number != 2 {
		t.Errorf("attempts of the sweep %+v, error %v", rows, err)
	}
}
