package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep/trainerplugin/xla"
)

// beside makes a checker of a device that is not there, with an hour left.
func beside(platform, opacusPython string, speed ...speedCase) *checker {
	return &checker{
		settings: settings{opacusPython: opacusPython, limit: time.Hour}, plan: plan{speed: speed, timed: 2},
		device: &xla.Device{Platform: platform}, report: &report{Began: time.Now()},
	}
}

var narrow = []speedCase{
	{model: "wrn-10-1", views: 2, batch: 4, precision: xla.Full},
	{model: "wrn-10-1", views: 2, batch: 4, precision: xla.Full, taps: true},
	{model: "wrn-10-1", views: 1, batch: 8, precision: xla.Full},
}

const opacusSays = `{"opacus": "1.6.0", "torch": "2.15.0+cu132", "device": "H0", "platform": "cuda"}
{"label": "Opacus DP-SGD, ghost", "kind": "dp", "model": "wrn-10-1", "views": 1, "images_per_second": 40.0, "microbatch": 8, "peak_bytes": 2500000000, "modes": {"hooks": "30 images/s", "ew": "RuntimeError: unknown", "ghost": "40 images/s"}}
{"label": "PyTorch SGD, not private", "kind": "plain", "model": "wrn-10-1", "views": 1, "images_per_second": 400.0, "microbatch": 8}
{"label": "Opacus DP-SGD", "kind": "dp", "model": "wrn-10-1", "views": 2, "skipped": "out of memory at one example", "modes": {"hooks": "out of memory at one example"}}
{"label": "PyTorch SGD, not private", "kind": "plain", "model": "wrn-10-1", "views": 2, "error": "RuntimeError: cuDNN"}
`

// What Opacus' script says becomes lines of the table, with the ratio to ours.
func TestOpacus(t *testing.T) {
	py := python(t, opacusSays, "")
	c := beside("cuda", py, narrow...)
	c.report.Speed = []speed{{Program: program, Model: "wrn-10-1", Views: 1, Precision: "f32", Batch: 8, Images: 100}}
	if got, err := c.peers(t.Context(), c.opacus()); err != nil || got != "2 figures by Opacus 1.6.0, PyTorch 2.15.0+cu132" {
		t.Errorf("%q, error %v", got, err)
	}
	var printed bytes.Buffer
	c.report.print(&printed)
	for _, want := range []string{
		"| Opacus DP-SGD, ghost | wrn-10-1 | 1 | f32 | 8 | 8 | 40 | – | 2.5 GB |",
		"| PyTorch SGD, not private | wrn-10-1 | 1 | f32 | 8 | 8 | 400 | – | – |",
		"| Opacus DP-SGD | wrn-10-1 | 2 | f32 | 4 | 0 | out of memory at one example | – | – |",
		"| PyTorch SGD, not private | wrn-10-1 | 2 | f32 | 4 | 0 | RuntimeError: cuDNN | – | – |",
		"wrn-10-1, K = 1: 2.50 times Opacus DP-SGD, ghost", "wrn-10-1, K = 1: 0.25 times PyTorch SGD, not private",
	} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("printed\n%s\nwant %q", printed.String(), want)
		}
	}
	if r := c.report; r.Opacus != "1.6.0" || r.Torch != "2.15.0+cu132" || r.JAX != "" || r.Speed[1].Modes["ew"] != "RuntimeError: unknown" {
		t.Errorf("report %+v", r)
	}
	if script, err := os.ReadFile(filepath.Join(filepath.Dir(py), "script")); err != nil || string(script) != opacusScript {
		t.Errorf("the script was not what is embedded; error %v", err)
	}
	var task peerTask
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(py), "task"))
	if err := json.Unmarshal(text, &task); err != nil || task.Device != "cuda" || task.Precision != xla.Full || task.Seconds != 80 || len(task.Cases) != 2 || task.Cases[1].Microbatch != 8 {
		t.Errorf("task %s, error %v", text, err)
	}
}

// What is not installed, has no device, no memory or no time is skipped, with the
// reason; what breaks is a failure.
func TestOpacusThatMeasuresNothing(t *testing.T) {
	const head = `{"opacus": "1.6.0", "torch": "2.15", "device": "H0", "platform": "cuda"}` + "\n"
	const line = `{"label": "Opacus DP-SGD", "kind": "dp", "model": "wrn-10-1", "views": 1, `
	for _, c := range []struct {
		says, status, want string
		skipped            bool
	}{
		{"", "echo \"ModuleNotFoundError: No module named 'opacus'\" >&2; exit 1", "the Python has no Opacus: ModuleNotFoundError: No module named 'opacus'", true},
		{`{"opacus": "1.6.0", "torch": "2.15", "device": "cpu", "platform": "cpu"}` + "\n", "", "Opacus 1.6.0, PyTorch 2.15 has no device but cpu", true},
		{head + line + `"skipped": "out of time"}` + "\n", "", "out of time", true},
		{head + line + `"skipped": "out of time"}` + "\n" + line + `"error": "no mode of Opacus runs"}` + "\n", "", "no mode of Opacus runs", false},
		{head + `{"model": "wrn-16-4", "views": 3}` + "\n", "", "peer_opacus.py speaks of wrn-16-4, K = 3", false},
		{"", "echo boom >&2; exit 3", "peer_opacus.py: exit status 3: boom", false},
	} {
		k := beside("cuda", python(t, c.says, c.status), narrow...)
		_, err := k.peers(t.Context(), k.opacus())
		if skipped, ok := errors.AsType[errSkipped](err); ok != c.skipped || ok && string(skipped) != c.want || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %s, skipped %t", err, c.want, c.skipped)
		}
	}
	k := beside("cuda", python(t, "", "exec sleep 60"), narrow...)
	p := k.opacus()
	p.limit = 50 * time.Millisecond
	if _, err := k.peers(t.Context(), p); !errors.Is(err, errSkipped("Opacus measured nothing in its 0 s")) {
		t.Errorf("killed: %v", err)
	}
}

// Opacus gets a third of what is left and 100 s at most, so that JAX, which is
// asked after it, has its time too.
func TestOpacusLeavesTime(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{8 * time.Minute: 100 * time.Second, 90 * time.Second: 30 * time.Second} {
		c := beside("cuda", "")
		c.limit = left
		if got := c.opacus().limit; got > want || got < want-time.Second {
			t.Errorf("of %v it gets %v; want %v", left, got, want)
		}
	}
}

// The script measures every case on the CPU where SWEEP_TEST_PYTHON names a Python
// that has Opacus.
func TestRealOpacus(t *testing.T) {
	python := os.Getenv("SWEEP_TEST_PYTHON")
	if python == "" {
		t.Skip("no Python: SWEEP_TEST_PYTHON is not set")
	}
	c := beside("cpu", python, narrow...)
	p := c.opacus()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got, err := c.peers(ctx, p)
	if skipped, ok := errors.AsType[errSkipped](err); ok {
		t.Skip(string(skipped))
	}
	if err != nil || !strings.HasPrefix(got, "4 figures by Opacus ") {
		t.Errorf("%q, error %v", got, err)
	}
	for _, s := range c.report.Speed {
		if s.Images <= 0 || s.Microbatch != s.Batch {
			t.Errorf("%+v", s)
		}
	}
}
