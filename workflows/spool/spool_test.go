package spool

import (
	"errors"
	"os"
	"path/filepath"
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
		trainerplugin.Checkpoint{Step: 5, File: "step-5.ckpt", Digest: "sha256:00", Bytes: 12},
		trainerplugin.Note{Step: 5, Text: "a note"},
	}
	for _, e := range events {
		if err := report.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	first, err := dir.Read(ref, 0)
	if err != nil {
		t.Fatal(err)
	}
	if first.Worker != "worker@host" || !first.Started || first.FromStep != 4 || first.NoiseID != "n1" || first.Step != 5 {
		t.Errorf("reading %+v; want the worker, the start at step 4 and step 5", first)
	}
	if len(first.Checkpoints) != 1 || len(first.Notes) != 1 || len(first.Metrics) != 11 {
		t.Errorf("%d checkpoints, %d notes, %d metrics; want 1, 1, 11", len(first.Checkpoints), len(first.Notes), len(first.Metrics))
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
	secret := filepath.Join(dir.Trial(ref.Trial), "step-000000007.ckpt")
	if err := errors.Join(dir.WriteOutcome(ref, want), report.Close(), log.Close(), os.WriteFile(secret, []byte("key"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, err := dir.Outcome(ref); err != nil || got != want {
		t.Errorf("outcome %+v, %v; want %+v", got, err, want)
	}
	for range 2 { // the second time there is nothing to do
		if err := dir.Recorded(ref.Trial); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(dir.Trial(ref.Trial))
	if err != nil || len(left) != 2 || left[0].Name() != "recorded" || left[1].Name() != filepath.Base(dir.Log(ref)) || !dir.IsRecorded(ref.Trial) {
		t.Errorf("left behind: %v, %v; want the mark and the log alone", left, err)
	}
	if tail, err := dir.LogTail(ref); err != nil || tail != "a line\n" {
		t.Errorf("log tail %q, %v", tail, err)
	}
}
