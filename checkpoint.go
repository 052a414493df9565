package sweep

import (
	"cmp"
	"slices"
)

// A CheckpointRef names a checkpoint without holding it.
type CheckpointRef struct {
	Attempt  int     `json:"attempt"`  // number of the attempt that wrote it
	Step     int     `json:"step"`     // updates made when it was written
	File     string  `json:"file"`     // name that the trainer gave it
	Digest   string  `json:"digest"`   // "sha256:…" of its content
	Bytes    int64   `json:"bytes"`    // size of its content
	Accuracy float64 `json:"accuracy"` // of the last evaluation before it, 0 to 1; 0 if there was none
	Store    string  `json:"store"`    // URL of the store it is kept in; "" is the folder of the sweep's trials
}

// A Flaw says why a checkpoint that was announced cannot be gone on from.
type Flaw struct {
	Checkpoint CheckpointRef `json:"checkpoint"`
	Reason     string        `json:"reason"` // one line
}

// newestKept is how many of a trial's checkpoints are kept beside the best one.
// The second serves where the newest turns out to be damaged.
const newestKept = 2

// KeptCheckpoints are those of a trial's whole checkpoints that are kept, the
// one to go on from first: the last two and, if it is not among them, the one
// of the highest accuracy. Of two attempts' checkpoints of one name, the newer
// attempt's is meant.
func KeptCheckpoints(all []CheckpointRef) []CheckpointRef {
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b CheckpointRef) int {
		return cmp.Or(cmp.Compare(b.Step, a.Step), cmp.Compare(b.Attempt, a.Attempt))
	})
	seen := map[string]bool{}
	sorted = slices.DeleteFunc(sorted, func(c CheckpointRef) bool {
		again := seen[c.File]
		seen[c.File] = true
		return again
	})
	if len(sorted) <= newestKept {
		return sorted
	}
	kept, older := sorted[:newestKept:newestKept], sorted[newestKept:]
	best := slices.MaxFunc(sorted, func(a, b CheckpointRef) int { // the first of equals: the newest
		return cmp.Compare(a.Accuracy, b.Accuracy)
	})
	if best.Accuracy > 0 && slices.Contains(older, best) {
		kept = append(kept, best)
	}
	return kept
}
