package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// memoryGrid is two trials that want 64 examples at once: one has room for half
// of them, the other for less.
const memoryGrid = `
name: memory
data: {name: glyphs, train: 600, validation: 300}
model: tanh-cnn
%s
privacy: {noise_multiplier: [2], delta: 1e-4, accountant: rdp, noise: seeded}
grid: {option.fits: [32, 8]}
fixed: {batch_size: 64, learning_rate: 1, steps: 5}
run: {parallel: 2, retries: 0}
`

// A trainer that runs out of memory is started once more with half the
// microbatch, whatever retries the file allows, and the record says so.
func TestOutOfMemoryIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeGrid(t, dir, fmt.Sprintf(memoryGrid, fakeTrainer(t)))
	out, err := sweepIn(dir, "start", "grid.yaml").CombinedOutput()
	if err == nil {
		t.Fatalf("a trial that does not fit has not failed\n%s", out)
	}
	got, err := sweepIn(dir, "query", "-o", "csv", `
		SELECT t.option_fits AS fits, a.number, coalesce(a.failure, ''), a.reason FROM attempts a
		JOIN (SELECT key, json_extract(params, '$.options.fits') AS option_fits FROM trials) t ON t.key = a.trial ORDER BY 1, 2`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, got, out)
	}
	for _, line := range []string{"32,1,no-memory,", "32,2,,", "8,1,no-memory,", "8,2,no-memory,"} {
		if !strings.Contains(string(got), "\n"+line) {
			t.Errorf("no attempt %q in\n%s\n%s", line, got, out)
		}
	}
	if n := bytes.Count(got, []byte("\n")); n != 5 || !bytes.Contains(got, []byte("32 examples at once, and there is room for 8")) {
		t.Errorf("%d lines, want a heading and 4 attempts\n%s", n, got)
	}
}

// steeredGrid has two trials that fail at once, and two that take ten seconds.
const steeredGrid = `
name: steered
data: {name: glyphs, train: 600, validation: 300}
model: tanh-cnn
%s
privacy: {noise_multiplier: [2], delta: 1e-4, accountant: rdp, noise: seeded}
grid: {option.fits: [0, 8], learning_rate: [1, 2%s]}
fixed: {batch_size: 64, steps: 100, option.step_time: 100ms}
run: {parallel: 4, retries: 0}
`

// A sweep that runs is steered from other processes: its failed trials are
// pending again, it has another number at a time, it takes a longer file.
func TestSteering(t *testing.T) {
	slow(t)
	t.Parallel()
	dir := t.TempDir()
	for name, more := range map[string]string{"grid.yaml": "", "more.yaml": ", 3"} {
		if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, steeredGrid, fakeTrainer(t), more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := sweepIn(dir, "start", "grid.yaml")
	out, ended := begin(t, start)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if status, err := sweepIn(dir, "status", "steered").CombinedOutput(); err == nil && bytes.Contains(status, []byte("2 failed")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("two trials do not fail\n%s", out.String())
		}
	}
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"retry", "--failed", "steered"}, "2 failed trials are pending again, and come first"},
		{[]string{"set", "parallel", "3", "steered"}, "up to 3 trials at a time, before it was 4"},
		{[]string{"extend", "more.yaml"}, "2 new"},
		{[]string{"set", "parallel", "2", "steered"}, "up to 2 trials at a time, before it was"},
		{[]string{"cancel", "steered"}, "cancelled"},
	} {
		if said, err := sweepIn(dir, step.args...).CombinedOutput(); err != nil || !bytes.Contains(said, []byte(step.want)) {
			t.Errorf("sweep %s: %v\n%s", strings.Join(step.args, " "), err, said)
		}
	}
	<-ended
	got, err := sweepIn(dir, "query", "-o", "csv", `SELECT count(*), sum(json_extract(params, '$.options.fits') = '8' AND attempt >= 2) FROM trials`).CombinedOutput()
	if err != nil || !bytes.Contains(got, []byte("\n6,2")) {
		t.Errorf("the record has %s, want 6 trials of which 2 were tried twice: %v\n%s", got, err, out.String())
	}
}
