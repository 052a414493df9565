// Package spool is what a worker leaves for the record: one folder for each
// trial, with a report that grows while an attempt runs and an outcome once it
// has finished. The worker that trains never opens the record; whoever owns the
// record reads the spool. What is in it survives the death of either.
//
//	ROOT/<trial>/report-<attempt>.jsonl   one event a line, appended
//	ROOT/<trial>/outcome-<attempt>.json   written once, atomically
//	ROOT/<trial>/trainer-<attempt>.log    what the trainer printed
//	ROOT/<trial>/attempt-<attempt>/       where the trainer works, while it does
//	ROOT/<trial>/weights-<attempt>…       weights to be kept, until the attempt is recorded
//	ROOT/<trial>/checkpoints/             see package checkpoints, unless a bucket has them
//	ROOT/<trial>/selection/               of a private selection: see [Vault]
package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sweep"
	"sweep/trainerplugin"
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

// MarkRecorded tells attempts that were believed dead that the trial is in the
// record. It comes before anything is cleared away.
func (f Folder) MarkRecorded(id sweep.TrialID) error {
	err := os.WriteFile(filepath.Join(f.Trial(id), recorded), nil, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody has removed the trial's folder: there is nobody to tell
	}
	return err
}

// Recorded clears away what the record has taken over from ref, the attempt
// that has completed its trial: what may hold a noise key first, the outcome
// last, so that a repeated call finds what an interrupted one left. Logs stay,
// and weights that were to be kept get their name.
func (f Folder) Recorded(ref sweep.AttemptRef) error {
	err := os.Rename(f.weights(ref), filepath.Join(f.Trial(ref.Trial), trainerplugin.WeightsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.Tidy(ref.Trial)
}

// Tidy removes what a trial that has its final state needs no more.
func (f Folder) Tidy(id sweep.TrialID) error {
	return f.remove(id, append(slices.Clone(private), "weights-*", "report-*.jsonl", "outcome-*.json", "selection", "win.json")...)
}

// private are the names of what may hold a trial's noise key.
var private = []string{"attempt-*", ".*.tmp*"}

// Forget removes what holds the noise key of a trial that has failed for good,
// or that an attempt believed dead has left behind a record.
func (f Folder) Forget(id sweep.TrialID) error { return f.remove(id, private...) }

// IsRecorded reports whether the trial's outcome is in the record.
func (f Folder) IsRecorded(id sweep.TrialID) bool {
	_, err := os.Stat(filepath.Join(f.Trial(id), recorded))
	return err == nil
}

// Leftovers lists the trials of which something is left beside logs, weights
// and the mark that they are recorded.
func (f Folder) Leftovers() (ids []sweep.TrialID, err error) {
	trials, err := os.ReadDir(string(f))
	if err != nil {
		return nil, err
	}
	for _, trial := range trials {
		files, err := os.ReadDir(filepath.Join(string(f), trial.Name()))
		if err != nil {
			continue // no folder, or gone by now
		}
		if slices.ContainsFunc(files, func(file fs.DirEntry) bool { return !stays(file.Name()) }) {
			ids = append(ids, sweep.TrialID(trial.Name()))
		}
	}
	return ids, nil
}

func stays(name string) bool {
	log, _ := filepath.Match("trainer-*.log", name) // the pattern is valid
	return log || name == recorded || name == trainerplugin.WeightsFile
}

// remove deletes the trial's files and folders that match one of the patterns,
// in their order.
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
			all = errors.Join(all, os.RemoveAll(filepath.Join(f.Trial(id), file.Name())))
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
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
