package results

import (
	"testing"

	"sweep"
)

// A trial that was claimed ahead of its turn is not among those that run, and
// no trial is lost between the two.
func TestClaimedTrialsWait(t *testing.T) {
	s, id, trials := small(t)
	first, second := begin1(t, s, id, trials[0].Params.ID()), begin1(t, s, id, trials[1].Params.ID())
	if err := s.Collect(t.Context(), first, sweep.Reading{Offset: 10, Worker: "host/7"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Collect(t.Context(), second, sweep.Reading{Offset: 10, Started: true, NoiseID: "n", Worker: "host/7"}); err != nil {
		t.Fatal(err)
	}
	p, err := s.Progress(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Counts; c.Waiting != 1 || c.Running != 1 || c.Left() != len(trials) || c.Trials != len(trials) {
		t.Errorf("counts %+v; want one waiting, one running, and %d left", c, len(trials))
	}
	if len(p.Running) != 2 || p.Running[0].ID != second.Trial || p.Running[0].Waiting || !p.Running[1].Waiting {
		t.Errorf("trials %+v; want first the one that has begun, then the one that waits", p.Running)
	}
}
