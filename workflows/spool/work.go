package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"sweep"
	"sweep/trainerplugin"
)

// Work is the folder in which an attempt's trainer works. No other attempt's
// trainer knows it, so that one believed dead can write over nothing.
func (f Folder) Work(ref sweep.AttemptRef) string {
	return filepath.Join(f.Trial(ref.Trial), "attempt-"+strconv.Itoa(ref.Number))
}

// CreateWork makes the attempt's folder, and removes those of earlier attempts:
// what counts of them is kept elsewhere, and what they hold is private.
func (f Folder) CreateWork(ref sweep.AttemptRef) error {
	for number := range ref.Number {
		earlier := ref
		earlier.Number = number
		if err := f.RemoveWork(earlier); err != nil {
			return err
		}
	}
	return os.Mkdir(f.Work(ref), 0o700)
}

// RemoveWork removes the attempt's folder.
func (f Folder) RemoveWork(ref sweep.AttemptRef) error { return os.RemoveAll(f.Work(ref)) }

// Superseded reports whether the attempt may not write any more: a later one
// has begun, or the trial is recorded.
func (f Folder) Superseded(ref sweep.AttemptRef) bool {
	later := ref
	later.Number++
	_, err := os.Stat(f.report(later))
	return err == nil || f.IsRecorded(ref.Trial)
}

// KeepWeights takes the weights that a trainer left in its folder out of it,
// for [Folder.Recorded] to find.
func (f Folder) KeepWeights(ref sweep.AttemptRef) error {
	err := os.Rename(filepath.Join(f.Work(ref), trainerplugin.WeightsFile), f.weights(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the trainer was to keep its weights, and has left no %s", trainerplugin.WeightsFile)
	}
	return err
}

func (f Folder) weights(ref sweep.AttemptRef) string {
	return filepath.Join(f.Trial(ref.Trial), "weights-"+strconv.Itoa(ref.Number)+".safetensors")
}
