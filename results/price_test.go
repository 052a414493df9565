package results

import (
	"testing"

	"sweep"
	"sweep/privacy"
)

// tried is one attempt at a trial of ten steps, in the order they were made.
type tried struct {
	noise string // "" never reported
	step  int    // the furthest it reported
}

// What a trial is charged, worked out by hand from what a reader of its
// reports could have seen.
func TestStepsCharged(t *testing.T) {
	for _, c := range []struct {
		name     string
		source   sweep.NoiseSource
		attempts []tried
		complete bool // by the last attempt
		want     int
	}{
		{"undisturbed", sweep.Secure, []tried{{"a", 10}}, true, 10},
		{"resumed from its checkpoint", sweep.Secure, []tried{{"a", 7}, {"a", 10}}, true, 10},
		{"started over with fresh noise", sweep.Secure, []tried{{"a", 7}, {"b", 10}}, true, 17},
		{"twice", sweep.Secure, []tried{{"a", 7}, {"b", 4}, {"c", 10}}, true, 21},
		{"fresh noise, then resumed", sweep.Secure, []tried{{"a", 7}, {"b", 4}, {"b", 10}}, true, 17},
		{"lost before it reported", sweep.Secure, []tried{{"", 0}, {"b", 10}}, true, 10},
		{"reports lag behind the outcome", sweep.Secure, []tried{{"a", 3}}, true, 10},
		{"stopped half-way", sweep.Secure, []tried{{"a", 5}}, false, 5},
		{"failed after two streams", sweep.Secure, []tried{{"a", 5}, {"b", 6}}, false, 11},
		{"seeded noise repeats itself", sweep.Seeded, []tried{{"a", 7}, {"a", 10}}, true, 10},
		{"seeded noise has one stream, whatever it is called", sweep.Seeded, []tried{{"a", 7}, {"b", 10}}, true, 10},
		{"seeded and stopped", sweep.Seeded, []tried{{"a", 7}, {"a", 4}}, false, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openTemp(t)
			p := params(1, 1).WithRepeat(0)
			p.NoiseFrom = c.source
			id := file("a").ID
			add(t, s, file("a"), []TrialRecord{{Params: p, Delta: delta}})
			for i, a := range c.attempts {
				ref := begin1(t, s, id, p.ID())
				if a.noise != "" {
					if err := s.Collect(t.Context(), ref, sweep.Reading{Offset: 1, Started: true, NoiseID: a.noise, Step: a.step}); err != nil {
						t.Fatal(err)
					}
				}
				var err error
				if c.complete && i == len(c.attempts)-1 {
					err = s.Record(t.Context(), ref, outcomeOf(p, 0.5))
				} else {
					err = s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Next: sweep.Pending})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			checkCharge(t, s, p, c.want)
			if _, err := s.Recount(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			checkCharge(t, s, p, c.want)
		})
	}
}

func checkCharge(t *testing.T, s *Store, p sweep.Params, steps int) {
	t.Helper()
	tr, err := s.Trial(t.Context(), string(p.ID()))
	if err != nil {
		t.Fatal(err)
	}
	event, err := privacy.UnmarshalEvent(tr.Event)
	if err != nil {
		t.Fatal(err)
	}
	want := privacy.DPSGD{SampleRate: 0.128, Noise: 1, Steps: steps}
	if event != want || tr.Steps != steps {
		t.Errorf("event %+v and %d steps, want %+v", event, tr.Steps, want)
	}
	ε, err := privacy.RDP.Epsilon(want, delta)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Cost{delta, privacy.RDP, privacy.RDP.Version(), Epsilon(ε)}); len(tr.Costs) != 1 || tr.Costs[0] != want {
		t.Errorf("costs %+v, want %+v alone", tr.Costs, want)
	}
}

// What arrives after the trial was recorded, and from whom, still counts.
func TestLateReportsAreCharged(t *testing.T) {
	s := openTemp(t)
	p := params(1, 1).WithRepeat(0)
	id := file("a").ID
	add(t, s, file("a"), []TrialRecord{{Params: p, Delta: delta}})
	lost := begin1(t, s, id, p.ID())
	ref := begin1(t, s, id, p.ID())
	if err := s.Record(t.Context(), ref, outcomeOf(p, 0.5)); err != nil {
		t.Fatal(err)
	}
	checkCharge(t, s, p, 10)
	want(t, s.Collect(t.Context(), lost, sweep.Reading{Offset: 9, Started: true, NoiseID: "a", Step: 6}), sweep.ErrFenced)
	checkCharge(t, s, p, 16)
	// The finisher turns out to have resumed the very same stream.
	if err := s.Collect(t.Context(), ref, sweep.Reading{Offset: 9, Started: true, NoiseID: "a", Step: 10, FromStep: 6}); err != nil {
		t.Fatal(err)
	}
	checkCharge(t, s, p, 10)
}

func TestRecountRefillsWhatWasLost(t *testing.T) {
	s, _, _ := trained(t)
	before := scalar[string](t, s, `SELECT group_concat(trial || ' ' || delta || ' ' || accountant || ' ' || epsilon) FROM costs`)
	for _, query := range []string{`UPDATE costs SET epsilon = 0.001, version = 'old'`, `DELETE FROM costs`, `DELETE FROM privacy_events`} {
		if _, err := s.db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Recount(t.Context(), privacy.RDP); err != nil || n != 18 {
			t.Fatalf("recounted %d trials, error %v; want 18", n, err)
		}
		if after := scalar[string](t, s, `SELECT group_concat(trial || ' ' || delta || ' ' || accountant || ' ' || epsilon) FROM costs`); after != before {
			t.Errorf("after %s: costs %s, want %s", query, after, before)
		}
	}
	if _, err := s.Recount(t.Context(), "abacus"); err == nil {
		t.Error("an unknown accountant recounted")
	}
}
