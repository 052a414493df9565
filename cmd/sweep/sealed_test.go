package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sweep/workflows/devserver"
)

const sealedGrid = `
name: %s
data: {name: glyphs, train: 600}
model: fake
%s
privacy: {noise_multiplier: 1, delta: 1e-4}
grid: {batch_size: [60, 120]}
fixed: {learning_rate: 0.5, steps: 3}
run: {queue: gpu}
`

// TestPayloadKeysMustAgree has processes with another payload key, or none, beside
// those of a sealed sweep. They are told so, and a worker that nobody can tell
// takes no trial, which it could only fail. When the key is changed the sweep
// goes on under the new one, though the old one is lost.
func TestPayloadKeysMustAgree(t *testing.T) {
	slow(t)
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"key", "other"} {
		if out, err := sweepIn(dir, "payload-key", name).CombinedOutput(); err != nil {
			t.Fatalf("payload-key: %v\n%s", err, out)
		}
	}
	writeGrid(t, dir, fmt.Sprintf(sealedGrid, "stranger", fakeTrainer(t)))
	stop := background(t, sweepIn(dir, "server", "--no-train", "--payload-key", "key"))
	waitForServer(t, dir)
	for _, args := range [][]string{
		{"start", "--detach", "grid.yaml"},
		{"start", "--detach", "--payload-key", "other", "grid.yaml"},
		{"worker", "--queue", "gpu"},
	} {
		cmd := sweepIn(dir, args...)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), "give both the same --payload-key") {
			t.Errorf("%v beside a server with a key: %v, want exit status %d and what to do\n%s", args, err, exitUsage, out)
		}
	}
	startSealed := func(name string) {
		writeGrid(t, dir, fmt.Sprintf(sealedGrid, name, fakeTrainer(t)))
		if out, err := sweepIn(dir, "start", "--detach", "--no-reuse", "--payload-key", "key", "grid.yaml").CombinedOutput(); err != nil {
			t.Fatalf("start: %v\n%s", err, out)
		}
	}
	train := func(name, key string) {
		defer background(t, sweepIn(dir, "worker", "--queue", "gpu", "--payload-key", key))()
		if out, err := sweepIn(dir, "wait", name, "--timeout", "2m").CombinedOutput(); err != nil {
			t.Errorf("wait for %s: %v\n%s", name, err, out)
		}
		rows, err := sweepIn(dir, "trials", name, "--attempts", "-o", "csv").Output()
		if err != nil || bytes.Count(rows, []byte(",completed,")) != 2 || bytes.Contains(rows, []byte("payload")) {
			t.Errorf("attempts of %s: %v\n%s\nwant two that completed, and none that ended for want of a key", name, err, rows)
		}
	}
	strangers := awayWithoutKey(t, dir, "", filepath.Join(dir, "other"))
	startSealed("sealed")
	train("sealed", "key")
	strangers()

	startSealed("rekeyed")
	stop()
	stop = background(t, sweepIn(dir, "server", "--no-train", "--payload-key", "other"))
	defer func() { stop() }()
	waitForServer(t, dir)
	if out, err := sweepIn(dir, "resume", "rekeyed", "--detach", "--payload-key", "other").CombinedOutput(); err != nil {
		t.Fatalf("resume with another key: %v\n%s", err, out)
	}
	train("rekeyed", "other")
}

// awayWithoutKey has workers with these keys serve the server of dir as if they
// were on other machines, where nothing tells them which key they need.
func awayWithoutKey(t *testing.T, dir string, keys ...string) (stop func()) {
	t.Helper()
	state := filepath.Join(dir, "results.d")
	info, err := devserver.Running(state)
	if err != nil {
		t.Fatal(err)
	}
	var stops []func()
	for _, key := range keys {
		worker := sweepIn(t.TempDir(), "worker", "--queue", "gpu")
		worker.Env = append(append(worker.Env, clusterEnv(state, info)...), "SWEEP_PAYLOAD_KEY="+key)
		said, err := os.Create(filepath.Join(t.TempDir(), "said"))
		if err != nil {
			t.Fatal(err)
		}
		defer said.Close()
		worker.Stderr = said
		stops = append(stops, background(t, worker))
		waitFor(t, "worker without the key", func() bool {
			text, _ := os.ReadFile(said.Name())
			return bytes.Contains(text, []byte("training up to"))
		})
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}
