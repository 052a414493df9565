package results

import (
	"slices"
	"strings"
	"testing"

	"sweep"
)

// A claim names the checkpoints to go on from: not those that turned out to be
// of no use, and not those of an attempt that was superseded when it told of them.
func TestClaimsNameCheckpoints(t *testing.T) {
	s, id, trials := small(t)
	trial := trials[0].Params.ID()
	at := func(attempt, step int, accuracy float64) sweep.CheckpointRef {
		return sweep.CheckpointRef{
			Attempt: attempt, Step: step, File: "step-" + strings.Repeat("i", step), Digest: "sha256:c", Bytes: 9,
			Accuracy: accuracy, Store: "s3://bucket/prefix",
		}
	}
	first := begin1(t, s, id, trial)
	told := []sweep.CheckpointRef{at(1, 1, 0.5), at(1, 2, 0.3), at(1, 3, 0.4), at(1, 4, 0)}
	if err := s.Collect(t.Context(), first, sweep.Reading{Offset: 5, Step: 4, Checkpoints: told}); err != nil {
		t.Fatal(err)
	}
	second, err := s.Begin(t.Context(), id, trial)
	if want := []sweep.CheckpointRef{told[3], told[2], told[0]}; err != nil || !slices.Equal(second.Checkpoints, want) {
		t.Fatalf("second claim goes on from %+v, error %v; want %+v", second.Checkpoints, err, want)
	}

	// The first attempt was believed dead, comes back and has gone further.
	late := sweep.Reading{From: 5, Offset: 9, Step: 6, Checkpoints: []sweep.CheckpointRef{at(1, 6, 0.9)}}
	want(t, s.Collect(t.Context(), first, late), sweep.ErrFenced)

	ref := sweep.AttemptRef{Sweep: id, Trial: trial, Number: 2}
	flaw := sweep.Flaw{Checkpoint: told[3], Reason: "it was cut short"}
	r := sweep.Reading{Offset: 5, Started: true, FromStep: 3, Step: 5, Flaws: []sweep.Flaw{flaw}, Checkpoints: []sweep.CheckpointRef{at(2, 5, 0.45)}}
	if err := s.Collect(t.Context(), ref, r); err != nil {
		t.Fatal(err)
	}
	third, err := s.Begin(t.Context(), id, trial)
	if want := []sweep.CheckpointRef{at(2, 5, 0.45), told[2], told[0]}; err != nil || !slices.Equal(third.Checkpoints, want) {
		t.Errorf("third claim goes on from %+v, error %v; want %+v", third.Checkpoints, err, want)
	}
	got, err := s.Trial(t.Context(), string(trial))
	if err != nil || len(got.Checkpoints) != 5 || got.Checkpoints[3].Flaw != "attempt 2: it was cut short" || got.Checkpoints[2].Flaw != "" {
		t.Errorf("checkpoints %+v, error %v; want five, the fourth with its flaw", got.Checkpoints, err)
	}
	stores, err := s.CheckpointStores(t.Context(), trial)
	if err != nil || !slices.Equal(stores, []string{"s3://bucket/prefix"}) {
		t.Errorf("stores %v, error %v", stores, err)
	}
}
