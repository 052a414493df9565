// Package spool is what a worker leaves for the record: one folder for each
// trial, with a report that grows while an attempt runs and an outcome once it
// has finished. The worker that trains never opens the record; whoever owns the
// record reads the spool. What is in it survives the death of either.
//
//	ROOT/<trial>/report-<attempt>.jsonl   one event a line, appended
//	ROOT/<trial>/outcome-<attempt>.json   written once, atomically
//	ROOT/<trial>/trainer-<attempt>.log    what the trainer printed
//	ROOT/<trial>/step-*.ckpt              the trainer's checkpoints
package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sweep"
)

// ErrNoOutcome says that an attempt has left no outcome.
var ErrNoOutcome = errors.New("attempt has left no outcome")

// A Folder is where trials leave their files.
type Folder string

// Trial is the folder of one trial.
func (f Folder) Trial(id sweep.TrialID) string { return filepath.Join(string(f), string(id)) }

// Log is the path of an attempt's log.
func (f Folder) Log(ref sweep.AttemptRef) string {
	return filepath.Join(f.Trial(ref.Trial), fmt.Sprintf("trainer-%d.log", ref.Number))
}

func (f Folder) report(ref sweep.AttemptRef) string {
	return filepath.Join(f.Trial(ref.Trial), fmt.Sprintf("report-%d.jsonl", ref.Number))
}

func (f Folder) outcome(ref sweep.AttemptRef) string {
	return filepath.Join(f.Trial(ref.Trial), fmt.Sprintf("outcome-%d.json", ref.Number))
}

// WriteOutcome leaves o for the record. Once it returns, o survives a power cut.
func (f Folder) WriteOutcome(ref sweep.AttemptRef, o sweep.Outcome) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("write outcome of trial %s: %w", ref.Trial, err)
	}
	return writeDurably(f.outcome(ref), text)
}

// Outcome reads what WriteOutcome left. The error wraps [ErrNoOutcome] if there
// is none.
func (f Folder) Outcome(ref sweep.AttemptRef) (sweep.Outcome, error) {
	var o sweep.Outcome
	text, err := os.ReadFile(f.outcome(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return o, fmt.Errorf("trial %s, attempt %d: %w", ref.Trial, ref.Number, ErrNoOutcome)
	}
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("%s: %w", f.outcome(ref), err)
	}
	return o, nil
}

// recorded is a file by which an attempt that was believed dead learns that the
// trial is in the record.
const recorded = "recorded"

// Recorded clears away what the record has taken over: checkpoints with their
// noise key first, the outcome last, so that a repeated call finds what an
// interrupted one left. Logs stay.
func (f Folder) Recorded(id sweep.TrialID) error {
	if err := os.WriteFile(filepath.Join(f.Trial(id), recorded), nil, 0o600); err != nil {
		return err
	}
	return f.remove(id, "*.ckpt", ".*.tmp*", "report-*.jsonl", "outcome-*.json")
}

// Forget removes the checkpoints, with their noise key, of a trial that has
// failed for good, or that an attempt believed dead has left behind a record.
func (f Folder) Forget(id sweep.TrialID) error { return f.remove(id, "*.ckpt", ".*.tmp*") }

// IsRecorded reports whether the trial's outcome is in the record.
func (f Folder) IsRecorded(id sweep.TrialID) bool {
	_, err := os.Stat(filepath.Join(f.Trial(id), recorded))
	return err == nil
}

// remove deletes the trial's files that match one of the patterns, in their order.
func (f Folder) remove(id sweep.TrialID, patterns ...string) error {
	files, err := os.ReadDir(f.Trial(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var all error
	for _, pattern := range patterns {
		for _, file := range files {
			if match, err := filepath.Match(pattern, file.Name()); err != nil || !match {
				all = errors.Join(all, err)
				continue
			}
			if err := os.Remove(filepath.Join(f.Trial(id), file.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				all = errors.Join(all, err)
			}
		}
	}
	return all
}

// writeDurably writes a file that is either whole or absent, whatever dies.
func writeDurably(path string, text []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".outcome-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
