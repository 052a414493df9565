package workflows

import (
	"testing"

	"sweep"
	"sweep/trainerplugin"
	"sweep/workflows/spool"
)

// Whoever looks at an attempt's accuracy sees that of the validation split, also
// after the test part was measured: heartbeats, and which checkpoint is kept.
func TestTestFigureDecidesNothing(t *testing.T) {
	params := sweep.Params{Data: sweep.Data{Name: "glyphs", Train: 10, Validation: 5}, Steps: 3}
	ref := sweep.AttemptRef{Sweep: "s", Trial: params.ID(), Number: 1}
	folder := spool.Folder(t.TempDir())
	report, err := folder.Create(ref, "w")
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()
	k, p := &keeper{spool: folder, ref: ref, report: report, params: params}, &pulse{params: params}
	var beat Beat
	for _, e := range []trainerplugin.Evaluation{
		{Step: 2, Split: sweep.Validation, Examples: 5, Accuracy: 0.2},
		{Step: 3, Split: sweep.Validation, Examples: 5, Accuracy: 0.4},
		{Step: 3, Split: sweep.Test, Examples: 100, Accuracy: 0.9},
	} {
		if err := k.event(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		beat = p.event(e)
	}
	if k.accuracy != 0.4 || beat.Accuracy != 0.4 || beat.Step != 3 {
		t.Errorf("checkpoints are kept for an accuracy of %v, and the beat is %+v; want 0.4", k.accuracy, beat)
	}
	r, err := folder.Read(ref, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, m := range r.Metrics {
		found[m.Name] = m.Value
	}
	if found["validation/accuracy"] != 0.4 || found["test/accuracy"] != 0.9 {
		t.Errorf("the report has %v", found)
	}
}

// A trial that is judged on the test part itself is asked for no second figure.
func TestWhoIsAskedForATestFigure(t *testing.T) {
	a := &TrainActivities{Devices: NewDevices(nil, 1, 1)}
	for _, tt := range []struct {
		validation int
		set, want  bool
	}{{5, true, true}, {5, false, false}, {0, true, false}} {
		p := sweep.Params{Data: sweep.Data{Train: 10, Validation: tt.validation}, Steps: 3}
		if got := a.job(TrainInput{Params: p, Settings: Settings{EvaluateTest: tt.set}}, nil).EvaluateTest; got != tt.want {
			t.Errorf("with %d validation examples and evaluate_test %t: asked %t", tt.validation, tt.set, got)
		}
	}
}
