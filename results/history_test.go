package results

import (
	"fmt"
	"math"
	"testing"

	"sweep"
)

// Trials end in a known order, and each moment is what the frontier of a record
// with just those trials says of itself.
func TestHistory(t *testing.T) {
	s := openTemp(t)
	trials := grid(2)
	add(t, s, file("course"), trials)
	id := file("course").ID
	if all, err := s.History(t.Context(), id, 10); err != nil || len(all) != 0 {
		t.Errorf("of nothing %v, error %v", all, err)
	}
	var want []float64
	for i, tr := range trials {
		accuracy := 0.5 + 0.03*float64((i*7)%11)
		run(t, s, id, tr.Params, accuracy)
		if _, err := s.db.ExecContext(t.Context(), `UPDATE outcomes SET recorded = ? WHERE recorded > '2026-01-03' OR recorded < '2026-01-02'`,
			fmt.Sprintf("2026-01-02T00:%02d:00.000Z", i)); err != nil {
			t.Fatal(err)
		}
		want = append(want, frontierOf(t, s, id).MeanAccuracy)
	}
	all, err := s.History(t.Context(), id, 100)
	if err != nil || len(all) != len(trials) {
		t.Fatalf("%d moments, error %v; want one for each of %d trials", len(all), err, len(trials))
	}
	both := false // targets have a completed trial: before, the frontier alone does not know its range
	for i, m := range all {
		if m.Completed != i+1 || m.At.Minute() != i {
			t.Errorf("moment %d is %+v", i, m)
		}
		if both = both || want[i] > 0; both && math.Abs(m.Accuracy-want[i]) > 1e-12 {
			t.Errorf("after %d trials %v, the frontier then said %v", i+1, m.Accuracy, want[i])
		}
	}
	few, err := s.History(t.Context(), id, 3)
	if err != nil || len(few) != 3 || few[2] != all[len(all)-1] {
		t.Errorf("three moments are %v, error %v; the last should be %v", few, err, all[len(all)-1])
	}
}

// The figure on the test split stands beside the point that the validation split
// chose, and a better one elsewhere changes nothing.
func TestTestFigureChoosesNothing(t *testing.T) {
	s := openTemp(t)
	trials := grid(3)
	for i := range trials {
		trials[i].Params.Data.Validation = 100
	}
	add(t, s, file("apart"), trials)
	id := file("apart").ID
	// Two points of one target: the first is better on validation, the second on test.
	accuracies, tests := []float64{0.90, 0.91, 0.92, 0.80, 0.81, 0.82}, []float64{0.87, 0.88, 0.89, 0.95, 0.96, 0.97}
	for i, tr := range trials[:6] {
		testOn(t, s, id, tr.Params, accuracies[i], tests[i])
	}
	f := frontierOf(t, s, id)
	if len(f.Points) != 1 || f.Points[0].ID != trials[0].Params.Point() {
		t.Fatalf("points %+v, want the one that is better on validation", f.Points)
	}
	got := f.Points[0].Test
	if got == nil || got.N != 3 || !near(got.Accuracy, 0.88, 1e-12) || !near(*got.Std, 0.01, 1e-12) {
		t.Errorf("test figure %+v, want 0.88 ± 0.01 of 3", got)
	}
	best, err := s.Best(t.Context(), id, 0, 10)
	if err != nil || len(best) != 2 || best[0].ID != f.Points[0].ID || !near(best[1].Test.Accuracy, 0.96, 1e-12) {
		t.Errorf("best %+v, error %v; want the order of validation", best, err)
	}
}

// testOn runs a trial that measures its last weights on both splits.
func testOn(t *testing.T, s *Store, id sweep.SweepID, p sweep.Params, validation, test float64) {
	t.Helper()
	c, err := s.Begin(t.Context(), id, p.ID())
	if err != nil {
		t.Fatal(err)
	}
	ref := sweep.AttemptRef{Sweep: id, Trial: p.ID(), Number: c.Attempt}
	reading := sweep.Reading{Offset: 10, Started: true, NoiseID: string(p.ID()), Worker: "w", Step: p.Steps, Metrics: []sweep.Metric{
		{Step: 1, Name: "test/accuracy", Value: 0.1}, {Step: p.Steps, Name: "validation/accuracy", Value: validation}, {Step: p.Steps, Name: "test/accuracy", Value: test},
	}}
	if err := s.Collect(t.Context(), ref, reading); err != nil {
		t.Fatal(err)
	}
	o := outcomeOf(p, validation)
	o.Split = sweep.Validation
	if err := s.Record(t.Context(), ref, o); err != nil {
		t.Fatal(err)
	}
}
