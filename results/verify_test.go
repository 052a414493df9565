package results

import (
	"errors"
	"strings"
	"testing"

	"sweep"
)

func verify(t *testing.T, s *Store, identify Identify) (seen Verified, all []string) {
	t.Helper()
	if identify == nil {
		identify = func(string) (sweep.SweepID, error) { return file("small").ID, nil }
	}
	seen, err := s.Verify(t.Context(), identify, func(f Finding) { all = append(all, f.Where+": "+f.What) })
	if err != nil {
		t.Fatal(err)
	}
	return seen, all
}

// lived is a small sweep with a completed, a restarted, a failed and a running trial.
func lived(t *testing.T) (*Store, []TrialRecord) {
	s, id, trials := small(t)
	run(t, s, id, trials[0].Params, 0.5)
	lost := begin1(t, s, id, trials[1].Params.ID())
	if err := s.Collect(t.Context(), lost, sweep.Reading{Offset: 1, Started: true, NoiseID: "first", Step: 4}); err != nil {
		t.Fatal(err)
	}
	if err := s.EndAttempt(t.Context(), lost, sweep.Ending{Failure: sweep.Crashed, Reason: "killed", Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	run(t, s, id, trials[1].Params, 0.6)
	failed := begin1(t, s, id, trials[2].Params.ID())
	if err := s.EndAttempt(t.Context(), failed, sweep.Ending{Failure: sweep.Diverged, Reason: "loss is NaN", Next: sweep.Failed}); err != nil {
		t.Fatal(err)
	}
	begin1(t, s, id, trials[3].Params.ID())
	return s, trials
}

func TestVerifyWhole(t *testing.T) {
	s, _ := lived(t)
	seen, found := verify(t, s, nil)
	if len(found) > 0 || seen.Sweeps != 1 || seen.Trials != 6 || seen.Prices != 2 {
		t.Errorf("%+v, disagreements %q; want 1 sweep, 6 trials, 2 prices and none", seen, found)
	}
}

// Whatever is altered behind the program's back is found.
func TestVerifyFinds(t *testing.T) {
	for _, tt := range []struct{ alter, want string }{
		{`UPDATE trials SET params = json_set(params, '$.seed', 7) WHERE key = 1`, "its params are those of trial"},
		{`UPDATE trials SET noise_multiplier = 9 WHERE key = 1`, "its columns do not say what its params say"},
		{`UPDATE trials SET point = 'x' WHERE key = 1`, "its row says x"},
		{`UPDATE trials SET params = '[]' WHERE key = 1`, "its params are no JSON"},
		{`DELETE FROM outcomes WHERE trial = 1`, "it is completed, and has 0 outcomes"},
		{`UPDATE outcomes SET steps = steps - 1 WHERE trial = 1`, "it is completed after"},
		{`UPDATE attempts SET failure = 'crashed' WHERE trial = 1`, "the attempt that its outcome is of"},
		{`UPDATE trials SET attempt = 3 WHERE key = 1`, "its newest attempt is number 1, and its row says 3"},
		{`UPDATE attempts SET ended = NULL WHERE trial = 3`, "it is failed, and 1 attempts have not ended"},
		{`UPDATE privacy_events SET steps = 1 WHERE trial = 1`, "`sweep recount` writes it anew"},
		{`UPDATE privacy_events SET event = replace(event, '0.8', '0.9') WHERE trial = 1`, "`sweep recount` writes it anew"},
		{`DELETE FROM privacy_events WHERE trial = 2`, "recorded is"},
		{`UPDATE costs SET epsilon = epsilon * 0.999 WHERE trial = 1`, "`sweep recount` writes it anew"},
		{`UPDATE costs SET epsilon = epsilon * 0.5, version = 'rdp/0' WHERE trial = 1`, "by rdp/0: `sweep recount` writes it anew"},
		{`UPDATE attempts SET last_step = last_step + 3 WHERE trial = 2 AND number = 1`, "and the ledger counts"},
		{`PRAGMA foreign_keys = 0; UPDATE metrics SET trial = 99; INSERT INTO notes (trial, attempt, step, text) VALUES (99, 1, 1, 'x'); PRAGMA foreign_keys = 1`, "refers to a row of"},
	} {
		s, _ := lived(t)
		if _, err := s.db.ExecContext(t.Context(), tt.alter); err != nil {
			t.Fatal(err)
		}
		if _, found := verify(t, s, nil); !strings.Contains(strings.Join(found, "\n"), tt.want) {
			t.Errorf("%s: found %q, want %q", tt.alter, found, tt.want)
		}
	}
}

func TestVerifyOfSweeps(t *testing.T) {
	s, _ := lived(t)
	if _, found := verify(t, s, func(string) (sweep.SweepID, error) { return "other-1", nil }); len(found) != 1 || !strings.Contains(found[0], "that of other-1") {
		t.Errorf("found %q", found)
	}
	if _, found := verify(t, s, func(string) (sweep.SweepID, error) { return "", errors.New("line 3") }); len(found) != 1 || !strings.Contains(found[0], "cannot be read any more: line 3") {
		t.Errorf("found %q", found)
	}
}
