package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sweep/internal/faults"
	"sweep/results"
	"sweep/trainerplugin"
	"sweep/trainerplugin/builtin"
)

// diskGrid is four trials of a second or two, with noise that repeats.
const diskGrid = `
name: disk
data: {name: glyphs, train: 600, validation: 300}
model: linear
privacy: {noise_multiplier: [1], delta: 1e-4, noise: seeded}
grid: {batch_size: [60], learning_rate: [0.25, 0.5, 1, 2], steps: [1000]}
run: {parallel: 2, checkpoint_every: 1s}
`

// TestFullDisks fills, while a sweep runs, the disk of the record, of the
// checkpoints, of the trials' folders or of Temporal's database, and makes room
// again some seconds later. The sweep goes on by itself and loses nothing.
func TestFullDisks(t *testing.T) {
	slow(t)
	t.Parallel()
	for _, c := range []struct {
		name, size string
		on         string // which folder the small disk is mounted on
		elsewhere  string // which folder below it is on the large one
	}{
		{"record", "8m", ".", "results.d"},
		{"temporal", "24m", "results.d", "results.d/trials"},
		{"trials", "8m", "results.d/trials", ""},
		{"checkpoints", "400k", "checkpoints", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, large := t.TempDir(), t.TempDir()
			on := filepath.Join(dir, c.on)
			if err := os.MkdirAll(on, 0o700); err != nil {
				t.Fatal(err)
			}
			disk := faults.SmallDisk(t, on, c.size)
			if c.elsewhere != "" {
				if err := os.Symlink(large, filepath.Join(dir, c.elsewhere)); err != nil {
					t.Fatal(err)
				}
			}
			writeGrid(t, dir, diskGrid)
			args := []string{"start", "grid.yaml"}
			if c.name == "checkpoints" {
				args = append(args, "--checkpoints", on)
			}
			start := sweepIn(dir, args...)
			start.Env = append(start.Env, "TMPDIR="+large)
			out, ended := begin(t, start)
			awaitTraining(t, dir, ended, out)
			if err := disk.Fill(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			if err := disk.Free(); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			undisturbed(t, dir, 4)
		})
	}
}

// awaitTraining waits until some trial of dir's sweep has a trainer.
func awaitTraining(t *testing.T, dir string, ended chan error, out *bytes.Buffer) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		found, err := filepath.Glob(filepath.Join(dir, "results.d", "trials", "*", "attempt-1"))
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			t.Fatalf("ended before the disk was full: %v\n%s", err, out.String())
		default:
		}
		if len(found) > 0 {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("nothing is trained after a minute\n%s", out.String())
		}
	}
}

// undisturbed compares the trials of dir's one sweep with what a trainer with
// nothing around it makes of them.
func undisturbed(t *testing.T, dir string, trials int) {
	t.Helper()
	r, err := results.OpenReader(t.Context(), filepath.Join(dir, "results.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, err := r.Sweeps(t.Context())
	if err != nil || len(all) != 1 || all[0].State != results.Completed {
		t.Fatalf("sweeps %+v, error %v; want one, completed", all, err)
	}
	rows, err := r.Trials(t.Context(), all[0].ID, results.Filter{})
	if err != nil || len(rows) != trials {
		t.Fatalf("%d trials, error %v; want %d", len(rows), err, trials)
	}
	var trainer builtin.Trainer
	for _, row := range rows {
		j := trainerplugin.Job{Trial: row.ID, Params: row.Params, Dir: t.TempDir(), Threads: 1}
		want, err := trainer.Train(t.Context(), j, func(trainerplugin.Event) error { return nil })
		if err != nil || row.Outcome == nil {
			t.Fatalf("trial %s: outcome %v, undisturbed: error %v", row.ID, row.Outcome, err)
		}
		got := *row.Outcome
		want.Seconds = got.Seconds
		if got != want {
			t.Errorf("trial %s: %+v; undisturbed %+v", row.ID, got, want)
		}
	}
}
