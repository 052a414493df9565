package results

import (
	"slices"
	"testing"

	"sweep"
)

// What is removed by the policy, for a flaw or with the end of the trial is said
// to be.
func TestRemovedCheckpoints(t *testing.T) {
	announced := []Checkpoint{
		{Attempt: 1, Step: 10, File: "10", Accuracy: 0.9}, {Attempt: 1, Step: 20, File: "20", Accuracy: 0.1},
		{Attempt: 1, Step: 30, File: "30", Flaw: "damaged"}, {Attempt: 1, Step: 30, File: "30b"},
		{Attempt: 2, Step: 40, File: "40"},
	}
	for state, want := range map[sweep.State][]bool{
		sweep.Running: {false, true, true, false, false}, sweep.Stopped: {false, true, true, false, false},
		sweep.Completed: {true, true, true, true, true}, sweep.Failed: {true, true, true, true, true},
	} {
		trial := Trial{State: state, Checkpoints: slices.Clone(announced)}
		trial.markRemoved()
		for i, c := range trial.Checkpoints {
			if c.Removed != want[i] {
				t.Errorf("%s: that of step %d is removed: %v, want %v", state, c.Step, c.Removed, want[i])
			}
		}
	}
}
