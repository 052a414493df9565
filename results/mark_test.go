package results

import "testing"

// What a page has worked out from the points stands as long as they do.
func TestPointsMark(t *testing.T) {
	s, id, trials := small(t)
	mark := func() string {
		t.Helper()
		m, err := s.PointsMark(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := mark()
	ref := begin1(t, s, id, trials[0].Params.ID())
	if now := mark(); now != first {
		t.Errorf("a trial that only began changed the mark from %q to %q", first, now)
	}
	if err := s.Record(t.Context(), ref, outcomeOf(trials[0].Params, 0.5)); err != nil {
		t.Fatal(err)
	}
	second := mark()
	if second == first {
		t.Errorf("a result left the mark at %q", first)
	}
	run(t, s, id, trials[1].Params, 0.5)
	if now := mark(); now == second {
		t.Errorf("another result left the mark at %q", now)
	}
}
