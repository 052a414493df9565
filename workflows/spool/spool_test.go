package spool

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

var ref = sweep.AttemptRef{Sweep: "s-1", Trial: "abc", Number: 2}

func TestReportIsReadOnceInWholeLines(t *testing.T) {
	dir := Folder(t.TempDir())
	if r, err := dir.Read(ref, 0); err != nil || r.Offset != 0 {
		t.Fatalf("before the report exists: %+v, %v; want nothing", r, err)
	}
	report, err := dir.Create(ref, "worker@host")
	if err != nil {
		t.Fatal(err)
	}
	events := []trainerplugin.Event{
		trainerplugin.Started{Step: 4, NoiseID: "n1", Checkpoint: "step-4.ckpt"},
		trainerplugin.Progress{Step: 5, BatchSize: 7, Loss: 0.5},
		trainerplugin.Evaluation{Step: 5, Split: sweep.Test, Examples: 10, Accuracy: 0.75},
		trainerplugin.Note{Step: 5, Text: "a note"},
	}
	for _, e := range events {
		if err := report.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	kept := sweep.CheckpointRef{Attempt: 2, Step: 5, File: "step-5.ckpt", Digest: "sha256:00", Bytes: 12, Accuracy: 0.75, Store: "s3://b"}
	flaw := sweep.Flaw{Checkpoint: sweep.CheckpointRef{Attempt: 1, Step: 4, File: "step-4.ckpt"}, Reason: "cut short"}
	if err := errors.Join(report.Kept(kept), report.Flawed(flaw)); err != nil {
		t.Fatal(err)
	}
	first, err := dir.Read(ref, 0)
	if err != nil {
		t.Fatal(err)
	}
	if first.Worker != "worker@host" || !first.Started || first.FromStep != 4 || first.NoiseID != "n1" || first.Step != 5 {
		t.Errorf("reading %+v; want the worker, the start at step 4 and step 5", first)
	}
	if len(first.Notes) != 1 || len(first.Metrics) != 11 {
		t.Errorf("%d notes, %d metrics; want 1, 11", len(first.Notes), len(first.Metrics))
	}
	if !slices.Equal(first.Checkpoints, []sweep.CheckpointRef{kept}) || !slices.Equal(first.Flaws, []sweep.Flaw{flaw}) {
		t.Errorf("checkpoints %+v, flaws %+v", first.Checkpoints, first.Flaws)
	}

	// A line that is still being written waits for its end.
	half := `{"progress":{"Step":6,`
	file, err := os.OpenFile(dir.report(ref), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, half)
	if r, err := dir.Read(ref, first.Offset); err != nil || r.Offset != first.Offset {
		t.Errorf("half a line: %+v, %v; want nothing yet", r, err)
	}
	write(t, file, "\"Loss\":1}}\ngarbage\n")
	r, err := dir.Read(ref, first.Offset)
	if err != nil || r.Step != 6 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Text, "damaged") {
		t.Errorf("reading %+v, %v; want step 6 and a note on the damaged line", r, err)
	}
	if info, err := os.Stat(dir.report(ref)); err != nil || info.Mode().Perm() != 0o600 || info.Size() != r.Offset {
		t.Errorf("report %v, %v; want mode 0600 and the size that was read, %d", info.Mode(), err, r.Offset)
	}
	if _, err := dir.Create(ref, "another"); !errors.Is(err, os.ErrExist) {
		t.Errorf("second report of one attempt: %v, want an error", err)
	}
}

func write(t *testing.T, f *os.File, s string) {
	t.Helper()
	if _, err := f.WriteString(s); err != nil {
		t.Fatal(err)
	}
}

func TestOutcomeAndCleaning(t *testing.T) {
	dir := Folder(filepath.Join(t.TempDir(), "a[b [exp] *")) // no pattern, but a name
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Outcome(ref); !errors.Is(err, ErrNoOutcome) {
		t.Errorf("no outcome yet: %v, want ErrNoOutcome", err)
	}
	report, err := dir.Create(ref, "w")
	if err != nil {
		t.Fatal(err)
	}
	want := sweep.Outcome{Accuracy: 1.0 / 3, Steps: 7, Split: sweep.Validation, WeightsDigest: "sha256:aa"}
	log, err := dir.CreateLog(ref)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Write([]byte("a line\n")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(dir.WriteOutcome(ref, want), report.Close(), log.Close(), dir.CreateWork(ref)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"step-000000007.ckpt", trainerplugin.WeightsFile} {
		if err := os.WriteFile(filepath.Join(dir.Work(ref), name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.KeepWeights(ref); err != nil {
		t.Fatal(err)
	}
	if err := dir.KeepWeights(ref); err == nil || !strings.Contains(err.Error(), trainerplugin.WeightsFile) {
		t.Errorf("a trainer that left no weights: %v", err)
	}
	if ids, err := dir.Leftovers(); err != nil || !slices.Equal(ids, []sweep.TrialID{ref.Trial}) {
		t.Errorf("leftovers %v, %v; want those of the trial", ids, err)
	}
	if got, err := dir.Outcome(ref); err != nil || got != want {
		t.Errorf("outcome %+v, %v; want %+v", got, err, want)
	}
	for range 2 { // the second time there is nothing to do
		if err := errors.Join(dir.MarkRecorded(ref.Trial), dir.Recorded(ref)); err != nil {
			t.Fatal(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(strings.NewReplacer("[", `\[`, "*", `\*`).Replace(dir.Trial(ref.Trial)), "*"))
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{"recorded", "trainer-2.log", "weights.safetensors"}; err != nil || !slices.Equal(left, want) || !dir.IsRecorded(ref.Trial) {
		t.Errorf("left behind: %v, %v; want %v", left, err, want)
	}
	if ids, err := dir.Leftovers(); err != nil || len(ids) != 0 {
		t.Errorf("leftovers %v, %v; want none", ids, err)
	}
	if tail, err := dir.LogTail(ref); err != nil || tail != "a line\n" {
		t.Errorf("log tail %q, %v", tail, err)
	}
}

// A later attempt removes the folder of one that is believed dead, and the
// earlier one learns that it may not write any more.
func TestWorkOfEarlierAttempts(t *testing.T) {
	dir := Folder(t.TempDir())
	first := sweep.AttemptRef{Sweep: "s-1", Trial: "abc", Number: 1}
	for _, r := range []sweep.AttemptRef{first, ref} {
		if dir.Superseded(first) {
			t.Errorf("attempt 1 is superseded before attempt %d has begun", r.Number)
		}
		report, err := dir.Create(r, "w")
		if err == nil {
			err = errors.Join(report.Close(), dir.CreateWork(r))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir.Work(first)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder of attempt 1: %v; want it gone", err)
	}
	if info, err := os.Stat(dir.Work(ref)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder of attempt 2: %v, %v; want mode 0700", info, err)
	}
	if !dir.Superseded(first) || dir.Superseded(ref) {
		t.Errorf("superseded: attempt 1 %t, attempt 2 %t; want the first alone", dir.Superseded(first), dir.Superseded(ref))
	}
	if err := dir.MarkRecorded(ref.Trial); err != nil || !dir.Superseded(ref) {
		t.Errorf("recorded: %v, %t; want attempt 2 superseded", err, dir.Superseded(ref))
	}
}
