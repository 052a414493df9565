package sweep

import (
	"fmt"
	"slices"
	"testing"
)

func TestKeptCheckpoints(t *testing.T) {
	at := func(attempt, step int, accuracy float64) CheckpointRef {
		return CheckpointRef{Attempt: attempt, Step: step, File: fmt.Sprintf("step-%d", step), Accuracy: accuracy}
	}
	for _, c := range []struct {
		name      string
		all, want []CheckpointRef
	}{
		{"none", nil, nil},
		{"one", []CheckpointRef{at(1, 0, 0)}, []CheckpointRef{at(1, 0, 0)}},
		{"the last two", []CheckpointRef{at(1, 0, 0), at(1, 5, 0), at(1, 9, 0)}, []CheckpointRef{at(1, 9, 0), at(1, 5, 0)}},
		{"and the best", []CheckpointRef{at(1, 1, 0.3), at(1, 2, 0.6), at(1, 3, 0.5), at(1, 4, 0.4)}, []CheckpointRef{at(1, 4, 0.4), at(1, 3, 0.5), at(1, 2, 0.6)}},
		{"the newest of equals is best", []CheckpointRef{at(1, 1, 0.6), at(1, 2, 0.6), at(1, 3, 0.6)}, []CheckpointRef{at(1, 3, 0.6), at(1, 2, 0.6)}},
		{"the furthest step whichever attempt", []CheckpointRef{at(1, 8, 0), at(2, 0, 0), at(2, 4, 0)}, []CheckpointRef{at(1, 8, 0), at(2, 4, 0)}},
		{"the newer attempt's of one name", []CheckpointRef{at(1, 8, 0.1), at(2, 8, 0.2)}, []CheckpointRef{at(2, 8, 0.2)}},
	} {
		if got := KeptCheckpoints(c.all); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
