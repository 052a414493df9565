package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep/trainerplugin/model"
	"sweep/trainerplugin/xla"
	"sweep/trainerplugin/xla/pjrt"
	"sweep/trainerplugin/xla/pjrt/pjrttest"
)

// tiny is a plan for a device that is slow, or computes nothing.
var tiny = plan{
	gradients: []gradientCase{{"tanh-cnn", 4, 2, xla.Full, 1e-4}},
	multiply:  64, rounds: 2,
	speed: []speedCase{{model: "linear", views: 2, batch: 16, precision: xla.Full, microbatch: 8}},
	timed: 2,
	learn: learnCase{model: "linear", batch: 64, steps: 12, held: 200, views: 1, rate: 2, noise: 0.5, least: 0.2, precision: xla.Full},
}

// python makes a program that stands in for Python: it keeps the script and the
// task that it was given, and says what it is told to.
func python(t *testing.T, says string, status string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "python")
	text := "#!/bin/sh\nprintf '%s' \"$2\" > " + dir + "/script\ncat > " + dir + "/task\ncat <<'END'\n" + says + "END\n" + status + "\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkWith runs the tiny plan.
func checkWith(t *testing.T, plugin, python string, limit time.Duration) (ok bool, printed string, r report, err error) {
	t.Helper()
	s := settings{plugin: plugin, python: python, data: t.TempDir(), out: filepath.Join(t.TempDir(), "r.json"), limit: limit, anyDevice: true}
	var out bytes.Buffer
	ok, err = check(t.Context(), s, tiny, &out)
	if text, e := os.ReadFile(s.out); e == nil {
		if e := json.Unmarshal(text, &r); e != nil {
			t.Fatal(e)
		}
	}
	return ok, out.String(), r, err
}

func verdicts(r report) string {
	var all []string
	for _, c := range r.Checks {
		all = append(all, c.Check+": "+c.Verdict)
	}
	return strings.Join(all, "\n")
}

const peerSays = `{"jax": "0.9", "device": "H0", "platform": "gpu"}
{"label": "JAX vmap(grad) DP-SGD", "kind": "dp", "model": "linear", "views": 2, "images_per_second": 10.0, "microbatch": 4, "compile_seconds": 1.5}
{"label": "JAX SGD, not private", "kind": "plain", "model": "linear", "views": 2, "skipped": "out of time"}
`

// A device that answers every call and computes nothing fails what looks at
// results, passes what does not, and leaves the whole table.
func TestDeviceThatComputesNothing(t *testing.T) {
	p := pjrttest.Open(t)
	py := python(t, peerSays, "")
	ok, printed, r, err := checkWith(t, p.Path, py, time.Hour)
	if err != nil || ok || r.OK {
		t.Fatalf("ok %t, error %v\n%s", ok, err, printed)
	}
	want := `plugin loads: ok
gradients of tanh-cnn in f32: FAIL
stop and resume: FAIL
bf16 rate: ok
speed of linear, K = 2: ok
a trial learns: FAIL
Opacus beside it: skipped
JAX beside it: ok`
	if got := verdicts(r); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, want := range []string{
		"FAIL    gradients of tanh-cnn in f32", "differ by 1.0e+00 of their norm; the bound is 1e-04",
		"| sweep | linear | 2 | f32 | 16 | 8 | ", "| JAX vmap(grad) DP-SGD | linear | 2 | f32 | 16 | 4 | 10 | – | – |",
		"| JAX SGD, not private | linear | 2 | f32 | 16 | 0 | out of time | – | – |", " times JAX vmap(grad) DP-SGD", "NOT ALL CHECKS PASSED",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("printed\n%s\nwant %q", printed, want)
		}
	}
	if len(r.Speed) != 3 || r.Speed[0].Images <= 0 || r.Speed[0].Peak <= 0 || r.Device != "Stand-in 9000" || r.JAX != "0.9" || r.MultiplyTFLOPS <= 0 {
		t.Errorf("report %+v", r)
	}
	script, err := os.ReadFile(filepath.Join(filepath.Dir(py), "script"))
	if err != nil || string(script) != peerScript {
		t.Errorf("the script was not what is embedded; error %v", err)
	}
	var task struct {
		Precision string
		Cases     []peerCase
	}
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(py), "task"))
	if err := json.Unmarshal(text, &task); err != nil || len(task.Cases) != 1 || task.Cases[0].Microbatch != 16 || task.Cases[0].Tensors["classifier/w"][0] != 784 {
		t.Errorf("task %s, error %v", text, err)
	}
}

// What JAX lacks or breaks on is said, and fails only where it is JAX's fault.
func TestPeersThatSayNothing(t *testing.T) {
	p := pjrttest.Open(t)
	for want, c := range map[string]struct{ says, status, python string }{
		"skipped the Python has no JAX: ModuleNotFoundError: No module named 'jax'": {status: "echo \"ModuleNotFoundError: No module named 'jax'\" >&2; exit 1"},
		"skipped JAX 0.9 has no device but cpu":                                     {says: `{"jax": "0.9", "device": "cpu", "platform": "cpu"}` + "\n"},
		"skipped there is no Python":                                                {python: "/no/python"},
		"FAIL peer.py: exit status 3: boom":                                         {status: "echo boom >&2; exit 3"},
		`FAIL peer.py wrote "nonsense"`:                                             {says: "nonsense\n"},
	} {
		py := c.python
		if py == "" {
			py = python(t, c.says, c.status)
		}
		s := settings{plugin: p.Path, python: py, out: filepath.Join(t.TempDir(), "r.json"), limit: time.Hour, anyDevice: true}
		var out bytes.Buffer
		if _, err := check(t.Context(), s, plan{speed: []speedCase{{model: "linear", views: 1, batch: 8, precision: xla.Full, microbatch: 8}}, timed: 1, learn: tiny.learn}, &out); err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(s.out)
		var r report
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		last := r.Checks[len(r.Checks)-1]
		if got := last.Verdict + " " + last.Finding; !strings.HasPrefix(got, want) {
			t.Errorf("%s; want %s", got, want)
		}
	}
}

// Without a GPU the command says so and fails; when time is up it leaves out.
func TestNoGPU(t *testing.T) {
	out := filepath.Join(t.TempDir(), "r.json")
	t.Setenv(pjrt.PluginVariable, "/no/such.so")
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-out", out}, &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "gpu-check: there is no GPU to check: there is no PJRT plugin: SWEEP_PJRT_PLUGIN: stat /no/such.so") {
		t.Errorf("status %d: %s", status, stderr.String())
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("it left a report")
	}
	stderr.Reset()
	if status := run(t.Context(), []string{"now"}, &stdout, &stderr); status != 2 || !strings.Contains(stderr.String(), "it takes no arguments") {
		t.Errorf("status %d: %s", status, stderr.String())
	}
	if status := run(t.Context(), []string{"-nonsense"}, &stdout, &stderr); status != 2 {
		t.Errorf("status %d", status)
	}
	ok, printed, r, err := checkWith(t, pjrttest.Open(t).Path, "", -time.Second)
	if err != nil || !ok || strings.Count(verdicts(r), "skipped") != 8 {
		t.Errorf("out of time: ok %t, error %v\n%s", ok, err, printed)
	}
}

// The peer's forward pass must have the engine's tensors, by name.
func TestPeerKnowsTheTensors(t *testing.T) {
	for _, s := range full.speed {
		e, err := model.New(s.model, inputOf(s.model), 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range e.Tensors() {
			name := tensor.Name[strings.LastIndexByte(tensor.Name, '/')+1:]
			if !strings.Contains(peerScript, `/`+name+`"]`) {
				t.Errorf("%s: the script does not read %s", s.model, tensor.Name)
			}
		}
	}
}

// All checks pass on a real plugin, whatever its device, and JAX's script runs
// where SWEEP_TEST_PYTHON names a Python that has it.
func TestRealPluginPasses(t *testing.T) {
	path := os.Getenv(pjrt.PluginVariable)
	if path == "" {
		t.Skipf("no real plugin: %s is not set", pjrt.PluginVariable)
	}
	ok, printed, _, err := checkWith(t, path, "", time.Hour) // the peers do not know so small a model
	if err != nil || !ok {
		t.Errorf("error %v", err)
	}
	t.Log(printed)
}
