package builtin

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/search"
	"sweep/trainerplugin"
	"sweep/trainerplugin/xla/pjrt"
	"sweep/trainerplugin/xla/pjrt/pjrttest"
)

// given is a job that has the GPUs of the given names.
func given(t *testing.T, options map[string]string, gpus ...string) trainerplugin.Job {
	t.Helper()
	j := job(t, func(p *sweep.Params) { p.Options = options })
	j.Devices = gpus
	return j
}

// notes trains j and returns what its notes say.
func notes(t *testing.T, j trainerplugin.Job) (sweep.Outcome, string, error) {
	t.Helper()
	var text []string
	o, err := shared.Train(t.Context(), j, func(e trainerplugin.Event) error {
		if n, ok := e.(trainerplugin.Note); ok {
			text = append(text, n.Text)
		}
		return nil
	})
	return o, strings.Join(text, "\n"), err
}

// A trial that is given a GPU trains there; the stand-in counts that nothing is
// left on it, and t.Setenv keeps other tests away from it.
func TestTrainsOnTheDevice(t *testing.T) {
	p := pjrttest.Open(t)
	t.Setenv(pjrt.PluginVariable, p.Path)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	d, err := shared.Describe(t.Context())
	if err != nil || !slices.Equal(d.Devices, []string{"cpu", "cuda"}) {
		t.Errorf("devices %v, error %v", d.Devices, err)
	}
	j := given(t, map[string]string{"precision": "bf16"}, "3", "4")
	e, err := shared.Check(t.Context(), j)
	if err != nil || e.Microbatch != 32 || e.MemoryBytes < 1000*28*28 || e.Parameters != 7850 {
		t.Errorf("estimate %+v, error %v", e, err)
	}
	o, said, err := notes(t, j)
	if err != nil || o.Steps != 4 || o.Trainer != describe().Program() {
		t.Fatalf("%+v, error %v", o, err)
	}
	for _, want := range []string{"GPU 4 is not used: sweep-builtin trains a trial on one GPU", "trains on Stand-in 9000 in bf16, microbatch 32 of 1 views, compiled in "} {
		if !strings.Contains(said, want) {
			t.Errorf("notes %q; want %q", said, want)
		}
	}
	if n := pjrttest.Counts(t, p)["executions"]; n != 1+4+2 {
		t.Errorf("%d executions, want a trial run, four steps and two evaluations", n)
	}
	if _, said, err := notes(t, given(t, nil, "0")); err != nil || !strings.Contains(said, "in tf32, ") {
		t.Errorf("by default: notes %q, error %v", said, err)
	}
	if _, said, err := notes(t, given(t, map[string]string{"microbatch": "8", "precision": "f32"}, "0")); err != nil || !strings.Contains(said, "in f32, microbatch 8 ") {
		t.Errorf("notes %q, error %v", said, err)
	}
	before := pjrttest.Counts(t, p)["executions"]
	if _, _, err := notes(t, given(t, map[string]string{"device": "cpu"}, "0")); err != nil || pjrttest.Counts(t, p)["executions"] != before {
		t.Errorf("device cpu: error %v, or the device was used", err)
	}
	if _, _, err := notes(t, given(t, nil)); err != nil || pjrttest.Counts(t, p)["executions"] != before {
		t.Errorf("no GPU given: error %v, or the device was used", err)
	}
}

func TestDeviceIsRefused(t *testing.T) {
	for want, c := range map[string]struct {
		options map[string]string
		plugin  string
		gpus    []string
	}{
		"device is gpu, and the trial is given none; start its worker with --gpus":      {options: map[string]string{"device": "gpu"}},
		`device: "tpu"; it is one of auto, cpu, gpu`:                                    {options: map[string]string{"device": "tpu"}},
		`precision: "f16"; it is one of auto, f32, tf32, bf16`:                          {options: map[string]string{"precision": "f16"}},
		`microbatch: "-1"; it is a whole number from 0 to 1048576`:                      {options: map[string]string{"microbatch": "-1"}},
		"precision bf16 is a GPU's; the CPU computes in f32":                            {options: map[string]string{"precision": "bf16"}},
		"SWEEP_PJRT_PLUGIN: stat /no/such.so: no such file or directory; option.device": {plugin: "/no/such.so", gpus: []string{"0"}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Setenv(pjrt.PluginVariable, c.plugin)
			j := given(t, c.options, c.gpus...)
			if _, err := shared.Check(t.Context(), j); !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), want) {
				t.Errorf("check: error %v", err)
			}
			if _, _, err := notes(t, j); !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), want) {
				t.Errorf("train: error %v", err)
			}
		})
	}
}

// A sweep file may give every option that the trainer has, and no other.
func TestOptionsAreKnownToSweepFiles(t *testing.T) {
	file := "name: x\ndata: {name: glyphs, train: 1000, validation: 200}\nmodel: linear\nprivacy: {noise_multiplier: 1, delta: 1e-5}\n" +
		"fixed:\n  batch_size: 100\n  clip_norm: 1\n  learning_rate: 1\n  steps: 10\n"
	for _, p := range parameters {
		file += "  option." + p.Name + ": " + p.Default + "\n"
	}
	if _, err := search.Parse("x.yaml", []byte(file)); err != nil {
		t.Fatal(err)
	}
	if _, err := search.Parse("x.yaml", []byte(file+"  option.width: 3\n")); err == nil || !strings.Contains(err.Error(), "the built-in trainer has option.device, option.microbatch and option.precision") {
		t.Errorf("error %v", err)
	}
}

// The device that SWEEP_PJRT_PLUGIN names, if it computes, and the CPU end alike.
func TestRealDeviceEndsLikeTheCPU(t *testing.T) {
	if os.Getenv(pjrt.PluginVariable) == "" {
		t.Skipf("no real plugin: %s is not set", pjrt.PluginVariable)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	noiseless := func(options map[string]string, gpus ...string) trainerplugin.Job {
		j := job(t, func(p *sweep.Params) { p.Noise, p.Options = 0, options })
		j.Devices = gpus
		return j
	}
	want, _, err := notes(t, noiseless(nil))
	if err != nil {
		t.Fatal(err)
	}
	got, said, err := notes(t, noiseless(map[string]string{"precision": "f32"}, "0"))
	if err != nil || math.Abs(got.Loss-want.Loss) > 1e-3*want.Loss {
		t.Errorf("%+v\nwant %+v; error %v", got, want, err)
	}
	t.Log(said)
}
