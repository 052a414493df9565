package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"

	"sweep"
	"sweep/results"
	"sweep/trainerplugin"
	"sweep/trainerplugin/builtin"
	"sweep/workflows/devserver"
)

// check compares what the record says with what an undisturbed trainer does and
// with what the witnesses saw, and looks for what should not be left.
func (s *soak) check() {
	t := s.t
	t.Helper()
	r, err := results.OpenReader(t.Context(), filepath.Join(s.dir, "results.db"))
	if err != nil {
		t.Fatal(err)
	}
	seen := testimony(t, s.dir)
	var trials []results.Trial
	for _, name := range s.sweeps {
		info, err := r.Sweep(t.Context(), name)
		if err != nil || info.State != results.Completed {
			t.Fatalf("sweep %s is %s, error %v; want it completed", name, info.State, err)
		}
		rows, err := r.Trials(t.Context(), info.ID, results.Filter{})
		if err != nil || len(rows) != trialsPerSweep {
			t.Fatalf("sweep %s has %d trials, error %v; want %d", name, len(rows), err, trialsPerSweep)
		}
		for _, row := range rows {
			trial, err := r.Trial(t.Context(), string(row.ID))
			if err != nil {
				t.Fatal(err)
			}
			trials = append(trials, trial)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	attempts, over, flaws := 0, 0, 0
	for _, trial := range trials {
		s.checkAttempts(trial)
		if s.checkCharge(trial, seen[trial.ID]) {
			over++
		}
		attempts += len(trial.Attempts)
		for _, c := range trial.Checkpoints {
			if c.Flaw != "" {
				flaws++
			}
		}
	}
	t.Logf("%d trials in %d attempts; %d checkpoints passed over; %d trials with more than one noise stream", len(trials), attempts, flaws, over)
	s.checkBits(trials)
	s.checkLeft()
}

// checkAttempts looks for one outcome by the last attempt, and an end to each
// of the others.
func (s *soak) checkAttempts(trial results.Trial) {
	t := s.t
	t.Helper()
	if trial.State != sweep.Completed || trial.Outcome == nil {
		t.Errorf("trial %s is %s", trial.ID, trial.State)
		return
	}
	for i, a := range trial.Attempts {
		last := i == len(trial.Attempts)-1
		if a.Ended.IsZero() || (a.Failure == "") != last || a.Number != i+1 {
			t.Errorf("trial %s, attempt %d of %d: %+v", trial.ID, i+1, len(trial.Attempts), a)
		}
	}
}

// checkCharge compares the steps charged with those that the witnesses saw
// noised, and reports whether there was more than one noise stream.
//
// With one stream they are equal. Where a stream was lost with its checkpoints,
// steps that the dying trainer had made and not yet reported left no trace and
// are not charged: what it reported is the least that must be.
func (s *soak) checkCharge(trial results.Trial, seen map[string]int) (several bool) {
	t := s.t
	t.Helper()
	noised, reported := 0, map[string]int{}
	for _, steps := range seen {
		noised += steps
	}
	for _, a := range trial.Attempts {
		if a.NoiseID != "" {
			reported[a.NoiseID] = max(reported[a.NoiseID], a.LastStep)
		}
	}
	if trial.Params.NoiseFrom == sweep.Seeded && (len(seen) != 1 || trial.Steps != soakSteps) {
		t.Errorf("trial %s: %d steps charged, streams %v; want %d of the one seeded stream", trial.ID, trial.Steps, seen, soakSteps)
	}
	if len(seen) == 1 {
		if trial.Steps != noised || noised != soakSteps {
			t.Errorf("trial %s: %d steps charged, %d noised; want %d", trial.ID, trial.Steps, noised, soakSteps)
		}
		return false
	}
	least := 0
	for _, steps := range reported {
		least += steps
	}
	if trial.Steps < least || trial.Steps > noised || noised <= soakSteps {
		t.Errorf("trial %s: %d steps charged; %d were noised (%v), and %d of them reported (%v)", trial.ID, trial.Steps, noised, seen, least, reported)
	}
	return true
}

// checkBits trains each seeded trial once more, with nothing around the trainer.
func (s *soak) checkBits(trials []results.Trial) {
	t := s.t
	t.Helper()
	var trainer builtin.Trainer
	var both sync.WaitGroup
	work := make(chan results.Trial)
	for range 2 {
		both.Go(func() {
			for trial := range work {
				j := trainerplugin.Job{Trial: trial.ID, Params: trial.Params, Dir: t.TempDir(), Threads: 1}
				want, err := trainer.Train(t.Context(), j, func(trainerplugin.Event) error { return nil })
				got := *trial.Outcome
				want.Seconds = got.Seconds
				if err != nil || got != want {
					t.Errorf("trial %s: %+v; undisturbed %+v, error %v", trial.ID, got, want, err)
				}
			}
		})
	}
	n := 0
	for _, trial := range trials {
		if trial.Params.NoiseFrom == sweep.Seeded && trial.Outcome != nil {
			work <- trial
			n++
		}
	}
	close(work)
	both.Wait()
	t.Logf("%d seeded trials compared with undisturbed runs", n)
}

// checkLeft looks for locks, temporary files and whatever holds a noise key.
// The record's empty log may be there: SQLite leaves it where the last to close
// the file could only read it.
func (s *soak) checkLeft() {
	t := s.t
	t.Helper()
	if _, err := devserver.Running(filepath.Join(s.dir, "results.d")); !errors.Is(err, devserver.ErrNotRunning) {
		t.Errorf("the server's lock: %v, want it free", err)
	}
	unwanted := []string{"*.ckpt", "*.tmp", ".*", "attempt-*", "checkpoints", "outcome-*", "report-*", "weights-*", "sweep-trainer-*", "server.json"}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		for _, pattern := range unwanted {
			if match, _ := filepath.Match(pattern, d.Name()); match {
				t.Errorf("left behind: %s", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
