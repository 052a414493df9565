package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep"
	"sweep/internal/faults"
	"sweep/results"
	"sweep/workflows/devserver"
	"sweep/workflows/spool"
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

// unnoticed is how long nobody notices a machine that has vanished.
const unnoticed = 10 * time.Second

// TestFaultsCostLittle kills, stops or cuts off, one after another, all that a
// trial of SWEEP_COST_SECONDS runs on, with the settings that users have. Each
// time it goes on from its newest checkpoint, within [mostLost].
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
		l.wait()
		l.check(3)
	})
	t.Run("machines", func(t *testing.T) { machinesVanish(t, max(steps, 700)) })
}

// machinesVanish takes the machine that trains off the network, and then, another
// time, off the network and the disk: it stops dead. Both come back while others
// are at the trial. Between them the server stands still for a while.
func machinesVanish(t *testing.T, steps int) {
	names := []string{"wa", "wb", "wc"}
	net := newNetwork(t, append(names, "srv")...)
	l := newLongTrial(t, steps)
	defer background(t, net.on("srv", sweepIn(l.dir, "server", "--no-train", "--listen", net.address("srv"))))()
	waitForServer(t, l.dir)
	info, err := devserver.Running(filepath.Join(l.dir, "results.d"))
	if err != nil {
		t.Fatal(err)
	}
	homes := map[string]string{}
	workers := map[string]*exec.Cmd{}
	for _, name := range names {
		homes[name] = t.TempDir()
		workers[name] = net.on(name, sweepIn(homes[name], "worker", "--at-once", "1"))
		workers[name].Env = append(workers[name].Env, clusterEnv(filepath.Join(l.dir, "results.d"), info)...)
		defer background(t, workers[name])()
	}
	if out, err := net.on("srv", sweepIn(l.dir, "start", "--detach", "grid.yaml")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	here := func() string { // the machine that trains
		at := l.last().Worker
		i := slices.IndexFunc(names, func(n string) bool { return strings.Contains(at, fmt.Sprintf(":%d:", workers[n].Process.Pid)) })
		if i < 0 {
			t.Fatalf("no machine has worker %s", at)
		}
		return names[i]
	}
	l.awaitStep(steps / 5)
	on := here()
	l.hit("kill -9 of its trainer", func() { l.killOn(homes[on], isFake) })
	l.awaitStep(2 * steps / 5)
	l.serverAway(2 * int(unnoticed/(100*time.Millisecond)))
	l.awaitStep(3 * steps / 5)
	on = here()
	l.hit("cut of its network", func() { net.cut(on) })
	net.heal(on)
	l.awaitStep(4 * steps / 5)
	on = here()
	var all []faults.Process
	l.hit("end of its machine", func() {
		net.cut(on)
		all = l.signal(homes[on], syscall.SIGSTOP)
	})
	net.heal(on)
	for _, p := range all {
		if err := p.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	}
	l.wait()
	l.check(len(l.trial().Attempts))
}

// serverAway stops the server until so many steps have been trained without it,
// which takes longer than it takes to give an attempt up. They count, but for
// those after the last checkpoint.
func (l *longTrial) serverAway(steps int) {
	l.t.Helper()
	at := l.last()
	ref := sweep.AttemptRef{Sweep: at.Sweep, Trial: l.trial().ID, Number: at.Number}
	server := l.signal(l.dir, syscall.SIGSTOP)
	stopped := l.last().LastStep
	trained := 0
	l.await("training without the server", func() bool {
		r, err := spool.Folder(filepath.Join(l.dir, "results.d", "trials")).Read(ref, 0)
		if err != nil {
			l.t.Fatal(err)
		}
		trained = r.Step
		return trained >= stopped+steps
	})
	for _, p := range server {
		if err := p.Signal(syscall.SIGCONT); err != nil {
			l.t.Error(err)
		}
	}
	l.await("attempt that goes on", func() bool { a := l.last(); return a.NoiseID != "" && a.LastStep > trained })
	all := l.trial().Attempts
	from := all[len(all)-1].FromStep
	l.t.Logf("the server was away from step %d to step %d: attempt %d goes on from step %d", stopped, trained, len(all), from)
	if len(all) > ref.Number && from < trained-100 { // checkpoints are 50 steps apart
		l.t.Errorf("it goes on from step %d; it was trained to step %d", from, trained)
	}
}

// signal sends s to all processes of a home and returns them.
func (l *longTrial) signal(home string, s syscall.Signal) []faults.Process {
	l.t.Helper()
	all, err := faults.Marked("HOME=" + home)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, p := range all {
		if err := p.Signal(s); err != nil {
			l.t.Fatal(err)
		}
	}
	return all
}

func (l *longTrial) wait() {
	l.t.Helper()
	if out, err := sweepIn(l.dir, "wait", "--timeout", "20m").CombinedOutput(); err != nil {
		l.t.Errorf("%v\n%s", err, out)
	}
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
	back  time.Duration // it took to go on after the last fault that was noticed at once
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
	l.killOn(l.dir, kind)
}

func (l *longTrial) killOn(home string, kind func(faults.Process) bool) {
	l.t.Helper()
	all, err := faults.Marked("HOME=" + home)
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
	most := mostLost
	if strings.HasPrefix(fault, "kill") {
		l.back = away
	} else {
		most = max(most, unnoticed+2*l.back) // a machine so slow that starting takes longer
	}
	if away > most {
		l.t.Errorf("%s: the trial goes on after %v; want %v at most", fault, away, most)
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
