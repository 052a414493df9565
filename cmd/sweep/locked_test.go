package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep/internal/faults"
)

// lockedGrid is one trial of a second, in which the record gets locked.
const lockedGrid = `
name: locked
data: {name: glyphs, train: 600}
model: fake
%s
privacy: {noise_multiplier: 1, delta: 1e-4}
grid: {batch_size: [10]}
fixed: {learning_rate: 0.5, steps: 50, option.step_time: 20ms}
run: {parallel: 1}
`

// A process that is told to end while another one has the record locked ends all
// the same, and what its trial came to is recorded when the sweep goes on: once.
func TestLockedRecordAtTheEnd(t *testing.T) {
	slow(t)
	t.Parallel()
	for name, args := range map[string][]string{"start": {"start", "grid.yaml"}, "server": {"server"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeGrid(t, dir, fmt.Sprintf(lockedGrid, fakeTrainer(t)))
			host := sweepIn(dir, args...)
			host.Env = append(host.Env, endWithinVariable+"=2s")
			var out bytes.Buffer
			host.Stdout, host.Stderr = &out, &out
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			if name == "server" {
				waitForServer(t, dir)
				if out, err := sweepIn(dir, "start", "--detach", "grid.yaml").CombinedOutput(); err != nil {
					t.Fatalf("start: %v\n%s", err, out)
				}
			}
			waitFor(t, "running trainer", func() bool { return someFile(t, dir, "report-1.jsonl") })
			unlock := lock(t, filepath.Join(dir, "results.db"))
			waitFor(t, "outcome that waits to be recorded", func() bool { return someFile(t, dir, "outcome-1.json") })
			if err := host.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- host.Wait() }()
			select {
			case <-ended:
			case <-time.After(time.Minute): // the record is locked for as long as this test likes
				t.Errorf("it has not ended a minute after SIGTERM, since the record is locked\n%s", out.String())
				host.Process.Kill()
				<-ended
			}
			if name == "start" && (host.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(out.String(), "sweep resume locked-")) {
				t.Errorf("exit status %d, want %d and how to go on\n%s", host.ProcessState.ExitCode(), exitInterrupted, out.String())
			}
			unlock()
			if left, err := faults.Gone("HOME="+dir, 10*time.Second); err != nil || len(left) > 0 {
				t.Errorf("processes outlive their host: %v, error %v", left, err)
			}
			if out, err := sweepIn(dir, "resume", "locked").CombinedOutput(); err != nil {
				t.Fatalf("resume: %v\n%s", err, out)
			}
			rows, err := sweepIn(dir, "trials", "--attempts", "-o", "csv").Output()
			if err != nil || strings.Count(string(rows), ",completed,") != 1 || strings.Count(string(rows), "\n") != 2 {
				t.Errorf("attempts: %v\n%s\nwant one, completed", err, rows)
			}
		})
	}
}

// lock takes the write lock of a results file until unlock is called.
func lock(t *testing.T, file string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+file+"?_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// someFile reports whether some trial of dir's sweep has a file of that name.
func someFile(t *testing.T, dir, name string) bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "results.d", "trials", "*", name))
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}
