package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// drainGrid is one trial that does not end, and no checkpoint but when asked.
const drainGrid = `
name: drain
data: {name: glyphs, train: 600}
model: fake
%s
privacy: {noise_multiplier: 1, delta: 1e-4}
grid: {batch_size: [60]}
fixed: {learning_rate: 0.5, steps: 1000000, option.step_time: 20ms}
run: {checkpoint_every: 24h}
`

// TestDrainBySignals sends a worker what Slurm sends before a time limit, and then
// what it sends when the time is over. After the first the trial goes on and no
// other begins; after the second it writes a checkpoint at once, from which
// another worker goes on.
func TestDrainBySignals(t *testing.T) {
	slow(t)
	t.Parallel()
	dir := t.TempDir()
	writeGrid(t, dir, fmt.Sprintf(drainGrid, fakeTrainer(t)))
	defer background(t, sweepIn(dir, "server", "--no-train"))()
	waitForServer(t, dir)
	if out, err := sweepIn(dir, "start", "--detach", "grid.yaml").CombinedOutput(); err != nil {
		t.Fatalf("start: %v\n%s", err, out)
	}
	worker := sweepIn(dir, "worker", "--at-once", "2", "--grace", "1h")
	var said syncBuffer
	worker.Stderr = &said
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- worker.Wait() }()
	waitFor(t, "first step", func() bool { return len(attemptsIn(t, dir)) == 1 && attemptsIn(t, dir)[0].Last > 0 })

	signal := func(s syscall.Signal, says string) {
		t.Helper()
		if err := worker.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "answer to the signal", func() bool { return strings.Contains(said.String(), says) })
	}
	signal(syscall.SIGUSR1, "user defined signal 1: no more trials are taken; running ones may end within 59m30s")
	before := attemptsIn(t, dir)[0].Last
	waitFor(t, "step after the signal", func() bool { return attemptsIn(t, dir)[0].Last > before })
	select {
	case err := <-ended:
		t.Fatalf("the worker has ended while its trial may go on: %v\n%s", err, said.String())
	default:
	}
	time.Sleep(sameAsking) // or the second is the first, passed on
	signal(syscall.SIGTERM, "terminated again: trainers write checkpoints now")
	if err := <-ended; err != nil {
		t.Errorf("the worker: %v, want exit status 0\n%s", err, said.String())
	}
	next := sweepIn(dir, "worker", "--at-once", "2")
	defer background(t, next)()
	waitFor(t, "second attempt's first step", func() bool {
		all := attemptsIn(t, dir)
		return len(all) == 2 && all[1].Last > all[1].From
	})
	all := attemptsIn(t, dir)
	if all[0].Failure != "lost" || !strings.Contains(all[0].Reason, "shutting down") || all[1].From == 0 || all[1].From != all[0].Last {
		t.Errorf("attempts %+v; want the first ended by its worker, and the second to go on where it was", all)
	}
	if out, err := sweepIn(dir, "cancel").CombinedOutput(); err != nil {
		t.Errorf("cancel: %v\n%s", err, out)
	}
}

type attemptShown struct {
	From    int `json:"from_step"`
	Last    int `json:"last_step"`
	Failure string
	Reason  string
}

// attemptsIn are the attempts at dir's only trial.
func attemptsIn(t *testing.T, dir string) []attemptShown {
	t.Helper()
	out, err := sweepIn(dir, "trials", "--show", firstTrial(t, dir)).Output()
	var shown struct {
		Trial struct{ Attempts []attemptShown }
	}
	if err == nil {
		err = json.Unmarshal(out, &shown)
	}
	if exit, ok := err.(*exec.ExitError); ok {
		t.Fatalf("%v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return shown.Trial.Attempts
}
