package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep"
	"sweep/internal/faults"
	"sweep/results"
)

// costGrid is one trial of the fake trainer, of so many steps of a tenth of a
// second.
const costGrid = `
name: cost
data: {name: glyphs, train: 600, validation: 300}
model: fake
trainer: {command: [/bin/sh, %s/fake.sh], sha256: %x}
privacy: {noise_multiplier: [2], delta: 1e-4, noise: seeded}
grid: {batch_size: [60], learning_rate: [0.5]}
fixed: {steps: %d, option.step_time: 100ms}
run: {parallel: 1, checkpoint_every: 5s}
`

// mostLost is what a fault may cost beside what was trained since the last
// checkpoint.
const mostLost = 15 * time.Second

// TestFaultsCostLittle kills, one after another, all that a trial of
// SWEEP_COST_SECONDS runs on, with the settings that users have. Each time it
// goes on from its newest checkpoint, within [mostLost].
func TestFaultsCostLittle(t *testing.T) {
	slow(t)
	steps := 10 * number(t, "SWEEP_COST_SECONDS", 30)
	t.Run("one process", func(t *testing.T) {
		l := newLongTrial(t, steps)
		l.begin("start", "grid.yaml")
		for i, kind := range []string{"trainer", "shim", "process that runs the sweep", "trainer"} {
			l.awaitStep((i + 1) * steps / 5)
			l.hit("kill -9 of the "+kind, func() {
				l.kill(map[string]func(faults.Process) bool{"trainer": isFake, "shim": isShim, "process that runs the sweep": isHost}[kind])
				if kind == "process that runs the sweep" {
					_ = l.main.Wait() // killed
					l.begin("resume", "cost")
				}
			})
		}
		if err := l.main.Wait(); err != nil {
			t.Error(err)
		}
		l.check(5)
	})
	t.Run("workers beside it", func(t *testing.T) {
		l := newLongTrial(t, steps)
		defer background(t, sweepIn(l.dir, "server", "--no-train"))()
		waitForServer(t, l.dir)
		for range 3 {
			w := sweepIn(l.dir, "worker", "--at-once", "1")
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _, _ = w.Process.Signal(syscall.SIGTERM), w.Wait() }() // it may have been killed
		}
		if out, err := sweepIn(l.dir, "start", "--detach", "grid.yaml").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for i := range 2 {
			l.awaitStep((i + 1) * steps / 3)
			at := l.last()
			l.hit("kill -9 of its worker", func() {
				l.kill(func(p faults.Process) bool { return strings.Contains(at.Worker, fmt.Sprintf(":%d:", p.PID)) })
			})
		}
		if out, err := sweepIn(l.dir, "wait", "--timeout", "20m").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		l.check(3)
	})
}

func isFake(p faults.Process) bool { return filepath.Base(p.Args[0]) == "fake-trainer" }

// A longTrial is the one of a sweep of its own.
type longTrial struct {
	t     *testing.T
	dir   string
	steps int
	main  *exec.Cmd
	began time.Time
	cost  time.Duration // of all faults together, by what was measured of each
}

func newLongTrial(t *testing.T, steps int) *longTrial {
	l := &longTrial{t: t, dir: t.TempDir(), steps: steps, began: time.Now()}
	script := writeFake(t, l.dir)
	text := fmt.Sprintf(costGrid, l.dir, sha256.Sum256([]byte(script)), steps)
	if err := os.WriteFile(filepath.Join(l.dir, "grid.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

// begin has a process of its own run the sweep.
func (l *longTrial) begin(args ...string) {
	l.t.Helper()
	l.main = sweepIn(l.dir, args...)
	if err := l.main.Start(); err != nil {
		l.t.Fatal(err)
	}
	main := l.main.Process
	l.t.Cleanup(func() { _ = main.Kill() }) // after a failure
}

// trial is what the record knows of the trial; nothing, while there is no record.
func (l *longTrial) trial() (trial results.Trial) {
	l.t.Helper()
	r, err := results.OpenReader(l.t.Context(), filepath.Join(l.dir, "results.db"))
	if err != nil {
		return trial
	}
	defer r.Close()
	info, err := r.Sweep(l.t.Context(), "cost")
	if err != nil {
		return trial
	}
	rows, err := r.Trials(l.t.Context(), info.ID, results.Filter{})
	if err != nil || len(rows) != 1 {
		l.t.Fatalf("%d trials, error %v; want one", len(rows), err)
	}
	if trial, err = r.Trial(l.t.Context(), string(rows[0].ID)); err != nil {
		l.t.Fatal(err)
	}
	return trial
}

// last is the newest attempt.
func (l *longTrial) last() results.Attempt {
	all := l.trial().Attempts
	if len(all) == 0 {
		return results.Attempt{}
	}
	return all[len(all)-1]
}

// await waits for something that takes as long as the trial, at most.
func (l *longTrial) await(what string, there func() bool) {
	l.t.Helper()
	limit := 5*time.Minute + time.Duration(l.steps)*time.Second
	for began := time.Now(); !there(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > limit {
			l.t.Fatalf("no %s within %v: %+v", what, limit, l.trial())
		}
	}
}

// awaitStep waits until the attempt that runs is so far, and has left a
// checkpoint of its own.
func (l *longTrial) awaitStep(step int) {
	l.t.Helper()
	l.await(fmt.Sprintf("step %d", step), func() bool {
		trial := l.trial()
		n := len(trial.Checkpoints)
		return n > 0 && trial.Checkpoints[n-1].Attempt == len(trial.Attempts) && l.last().LastStep >= step
	})
}

func (l *longTrial) kill(kind func(faults.Process) bool) {
	l.t.Helper()
	all, err := faults.Marked("HOME=" + l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, p := range all {
		if kind(p) {
			if err := p.Signal(syscall.SIGKILL); err != nil {
				l.t.Fatal(err)
			}
			return
		}
	}
	l.t.Fatalf("nothing to kill among %v", all)
}

// hit makes a fault happen and waits until the trial goes on.
func (l *longTrial) hit(fault string, happen func()) {
	l.t.Helper()
	before := l.trial()
	n := len(before.Attempts)
	newest := before.Checkpoints[len(before.Checkpoints)-1].Step
	began := time.Now()
	happen()
	l.await("attempt after "+fault, func() bool { a := l.last(); return a.Number > n && a.NoiseID != "" })
	away := time.Since(began)
	all := l.trial().Attempts
	old, next := all[n-1], all[n]
	again := time.Duration(old.LastStep-next.FromStep) * 100 * time.Millisecond
	l.cost += away + again
	l.t.Logf("%s at step %d of %d: goes on after %.1f s from step %d, whose checkpoint was %.1f s old (%s: %s)",
		fault, old.LastStep, l.steps, away.Seconds(), next.FromStep, again.Seconds(), old.Failure, old.Reason)
	if away > mostLost {
		l.t.Errorf("%s: the trial goes on after %v; want %v at most", fault, away, mostLost)
	}
	if next.FromStep < newest {
		l.t.Errorf("%s: it goes on from step %d; there was a checkpoint of step %d", fault, next.FromStep, newest)
	}
}

// check looks for one outcome after so many attempts, with no step charged twice.
func (l *longTrial) check(attempts int) {
	l.t.Helper()
	trial := l.trial()
	if trial.State != sweep.Completed || len(trial.Attempts) != attempts || trial.Steps != l.steps {
		l.t.Errorf("%+v\nwant it completed in %d attempts, with %d steps charged", trial, attempts, l.steps)
	}
	l.t.Logf("%.1f s of training took %.1f s, start and end included; its %d faults cost %.1f s",
		float64(l.steps)/10, time.Since(l.began).Seconds(), attempts-1, l.cost.Seconds())
}
