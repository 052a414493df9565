package search

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/privacy"
)

const selecting = `
name: s
data: {name: glyphs, train: 1000, validation: 200}
model: linear
privacy: {epsilon: [1, 4], delta: 1e-5}
grid: {batch_size: [50, 100], learning_rate: [0.5, 1, 2], steps: [10]}
where: learning_rate * batch_size < 200
disclosure: {name: private-select, law: geometric, mean: 6}
`

// quick stands in for a calibration where the noise is nothing to the test.
func quick(_ privacy.Accountant, target privacy.Budget, rate float64, _ int) (float64, error) {
	return (1 + rate) / target.Epsilon, nil
}

func selector(t *testing.T, text string) *Sweep {
	t.Helper()
	s, err := Parse("s.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each target is one selection, priced for all points that it may draw and under
// a name that no trial of the grid has.
func TestSelections(t *testing.T) {
	s := selector(t, selecting)
	all, err := s.Selections("s-1", privacy.CalibrateNoise)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d selections, %v; want one for each of the two targets", len(all), err)
	}
	grid := map[sweep.TrialID]bool{}
	events := map[float64]map[privacy.DPSGD]bool{1: {}, 4: {}}
	for trial, err := range s.Trials(privacy.CalibrateNoise) {
		if err != nil {
			t.Fatal(err)
		}
		grid[trial.Params.ID()] = true
		p := trial.Params
		events[trial.Target.Epsilon][privacy.DPSGD{SampleRate: p.SampleRate(), Noise: p.Noise, Steps: p.Steps}] = true
	}
	ids := map[sweep.TrialID]bool{}
	for i, sel := range all {
		target := []float64{1, 4}[i]
		if sel.Slot.Target.Epsilon != target || sel.Slot.Index != i || grid[sel.Slot.Params.ID()] || !strings.Contains(sel.Slot.Label, "selection") {
			t.Errorf("selection %d stands as %+v", i, sel.Slot)
		}
		if sel.Event.Count != privacy.Geometric || sel.Event.Mean != 6 {
			t.Errorf("selection %d is %+v; want a geometric number of mean 6", i, sel.Event)
		}
		parts := sel.Event.Run.(privacy.OneOf)
		if len(parts) != len(events[target]) {
			t.Errorf("target %v: priced over %d events, the grid has %d", target, len(parts), len(events[target]))
		}
		for _, e := range parts {
			if !events[target][e.(privacy.DPSGD)] {
				t.Errorf("target %v: %v is no event of the grid", target, e)
			}
		}
		ids[sel.Slot.Params.ID()] = true
	}
	other, err := s.Selections("s-2", privacy.CalibrateNoise)
	if err != nil || ids[other[0].Slot.Params.ID()] || len(ids) != 2 {
		t.Errorf("another sweep of the file: %v, and %d names; want its own", err, len(ids))
	}
	again, err := s.Selections("s-1", privacy.CalibrateNoise)
	if err != nil || again[1].Slot.Params.ID() != all[1].Slot.Params.ID() {
		t.Errorf("the same again: %v; want the same names", err)
	}
	if none, err := selector(t, strings.Replace(selecting, "private-select, law: geometric, mean: 6", "composed", 1)).Selections("s-1", privacy.CalibrateNoise); err != nil || len(none) != 0 {
		t.Errorf("selections of a sweep that discloses all: %v, %v", none, err)
	}
}

// Points are drawn independently, uniformly and with replacement, and only those
// of the target that pass. With 1,200 draws of 5 points a χ² of 4 degrees
// of freedom is above 23.5 once in 10,000.
func TestDrawIsUniform(t *testing.T) {
	for _, strategy := range []string{"grid", "random"} {
		s := selector(t, selecting+"strategy: "+strategy+"\n")
		random := mathrand.NewChaCha8([32]byte{7})
		seen, seeds, counts := map[string]int{}, map[uint64]bool{}, map[int]int{}
		n := 0
		for n < 1200 {
			trials, err := s.Draw(4, quick, random)
			if err != nil {
				t.Fatal(err)
			}
			counts[len(trials)]++
			for _, d := range trials {
				p := d.Params
				if d.Target.Epsilon != 4 || p.LearnRate*float64(p.Batch) >= 200 || p.Noise <= 0 || p.NoiseFrom != sweep.Secure {
					t.Fatalf("%s drew %+v", strategy, d)
				}
				seen[fmt.Sprint(p.Batch, p.LearnRate)]++
				seeds[p.Seed] = true
				n++
			}
		}
		χ2 := 0.0
		for _, k := range seen {
			want := float64(n) / 5
			χ2 += (float64(k) - want) * (float64(k) - want) / want
		}
		if len(seen) != 5 || χ2 > 23.5 {
			t.Errorf("%s: χ² %.1f over %v", strategy, χ2, seen)
		}
		if len(seeds) != n {
			t.Errorf("%s: %d seeds for %d trials", strategy, len(seeds), n)
		}
		if len(counts) < 5 || counts[0] > 0 {
			t.Errorf("%s: numbers of trials %v; want those of a geometric law", strategy, counts)
		}
	}
}

// A range needs random, and its ends are met by no list.
func TestDrawFromARange(t *testing.T) {
	s := selector(t, strings.Replace(selecting, "[0.5, 1, 2]", "{log: {min: 0.5, max: 2}}", 1)+"strategy: random\n")
	trials, err := s.Draw(1, quick, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range trials {
		if x := d.Params.LearnRate; x < 0.5 || x > 2 || d.Target.Epsilon != 1 {
			t.Errorf("drew %+v", d)
		}
	}
	all, err := s.Selections("s-1", privacy.CalibrateNoise)
	if err != nil || len(all) != 2 || len(all[0].Event.Run.(privacy.OneOf)) != 2 {
		t.Errorf("%+v, %v; want each priced over the two batch sizes", all, err)
	}
}

func TestDrawFailsWithItsSource(t *testing.T) {
	s := selector(t, selecting)
	for n := range 16 { // 8 for the number, 1 for a point and 7 for a seed are enough
		if trials, err := s.Draw(1, quick, bytes.NewReader(make([]byte, n))); err == nil {
			t.Fatalf("%d random bytes drew %v", n, trials)
		}
	}
}

// What the selection costs by the theorem, worked out here from the same events
// and none of the sweep's code.
func TestSelectionIsPricedByItsDearestPoint(t *testing.T) {
	s := selector(t, selecting)
	all, err := s.Selections("s-1", privacy.CalibrateNoise)
	if err != nil {
		t.Fatal(err)
	}
	got, err := privacy.RDP.Epsilon(all[1].Event, 1e-5)
	if err != nil {
		t.Fatal(err)
	}
	dearest := 0.0
	for _, e := range all[1].Event.Run.(privacy.OneOf) {
		one := all[1].Event
		one.Run = e
		ε, err := privacy.RDP.Epsilon(one, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		dearest = max(dearest, ε)
	}
	if got < dearest || got > 1.05*dearest || math.IsInf(got, 0) || got < 4 {
		t.Errorf("epsilon %v; its dearest point alone %v", got, dearest)
	}
}

// A selection is drawn and priced as a whole.
func TestSelectionIsNotExtended(t *testing.T) {
	s := selector(t, selecting)
	for _, next := range []string{strings.Replace(selecting, "[1, 4]", "[1, 4, 8]", 1), strings.Replace(selecting, "private-select, law: geometric, mean: 6", "research", 1)} {
		if err := Extends(s, selector(t, next)); err == nil || !strings.Contains(err.Error(), "name of its own") {
			t.Errorf("extended: %v", err)
		}
	}
	ids := []sweep.SweepID{s.ID(), selector(t, strings.Replace(selecting, "mean: 6", "mean: 7", 1)).ID(), selector(t, strings.Replace(selecting, "geometric", "poisson", 1)).ID()}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 3 {
		t.Errorf("IDs %v: the law is part of what a sweep is", ids)
	}
}

// Seeds of its own make other trials of the same points, the same each time.
func TestOwnSeeds(t *testing.T) {
	s := selector(t, strings.Replace(selecting, "disclosure: {name: private-select, law: geometric, mean: 6}", "repeats: 2", 1))
	ids := func(s *Sweep) (all []sweep.TrialID, points []sweep.PointID) {
		for trial, err := range s.Trials(quick) {
			if err != nil {
				t.Fatal(err)
			}
			all, points = append(all, trial.Params.ID()), append(points, trial.Params.Point())
		}
		return all, points
	}
	plain, points := ids(s)
	fresh := s.FreshID(1)
	own, ownPoints := ids(s.WithOwnSeeds(fresh))
	again, _ := ids(s.WithOwnSeeds(fresh))
	other, _ := ids(s.WithOwnSeeds(s.FreshID(2)))
	if !slices.Equal(own, again) || !slices.Equal(points, ownPoints) {
		t.Errorf("own seeds made %v, then %v", own, again)
	}
	all := slices.Concat(plain, own, other)
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 3*len(plain) {
		t.Errorf("%d different trials of 3 sweeps with %d each", n, len(plain))
	}
	if s.FreshID(0) != s.ID() || fresh == s.ID() || !strings.HasPrefix(string(fresh), "s-") {
		t.Errorf("IDs %s, %s and %s", s.ID(), s.FreshID(0), fresh)
	}
}
