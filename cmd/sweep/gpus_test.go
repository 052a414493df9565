package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep/search"
	"sweep/trainerplugin/xla/pjrt"
	"sweep/trainerplugin/xla/pjrt/pjrttest"
)

func TestParseGPUs(t *testing.T) {
	for _, c := range []struct {
		visible, spec string
		want          []string
		wrong         string
	}{
		{"0,1,2,3,4,5,6,7", "8", numbered(8), ""},
		{"4,5,6", "2", []string{"4", "5"}, ""},
		{"4,5", "all", []string{"4", "5"}, ""},
		{"4,5,-1,6", "all", []string{"4", "5"}, ""}, // as CUDA reads it
		{"4", "", nil, ""},
		{"4", "0", nil, ""},
		{"4", "0,", []string{"0"}, ""},
		{"4", "0, 2", []string{"0", "2"}, ""},
		{"4", "GPU-8932f937", []string{"GPU-8932f937"}, ""},
		{"4,5", "3", nil, "--gpus 3: this process may use 2: 4, 5"},
		{"", "all", nil, "names no GPU"},
		{"", "8", nil, "--gpus 8: CUDA_VISIBLE_DEVICES names no GPU"},
		{"", "0", nil, ""},
		{"", "0,1", []string{"0", "1"}, ""}, // who names them will know
		{"4", "1,1", nil, "1 is there twice"},
		{"4", "-2", nil, "give a number"},
	} {
		t.Setenv("CUDA_VISIBLE_DEVICES", c.visible)
		got, err := parseGPUs(c.spec)
		if c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("--gpus %q of %q: error %v, want one that says %q", c.spec, c.visible, err, c.wrong)
		}
		if c.wrong == "" && (err != nil || !slices.Equal(got, c.want)) {
			t.Errorf("--gpus %q of %q: %q, %v; want %q", c.spec, c.visible, got, err, c.want)
		}
	}
}

// Where there is no driver to ask, a number is believed only if a plugin is named:
// a worker without GPUs would fail every trial that it took.
func TestFirstGPUsWithoutADriver(t *testing.T) {
	t.Setenv("SWEEP_PJRT_PLUGIN", "")
	if got, err := firstGPUs(2, nil); err == nil || !strings.Contains(err.Error(), "SWEEP_PJRT_PLUGIN") {
		t.Errorf("two GPUs of none: %q, %v; want an error with the way out", got, err)
	}
	t.Setenv("SWEEP_PJRT_PLUGIN", "/opt/plugin.so")
	if got, err := firstGPUs(2, nil); err != nil || !slices.Equal(got, numbered(2)) {
		t.Errorf("two devices of a plugin that is named: %q, %v", got, err)
	}
}

// A worker with GPUs and without the library that would use them says so.
func TestPluginDoubt(t *testing.T) {
	there := filepath.Join(t.TempDir(), "plugin.so")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		plugin string
		gpus   []string
		doubt  bool
	}{{there, numbered(2), false}, {there + ".not", numbered(2), true}, {there + ".not", nil, false}} {
		t.Setenv("SWEEP_PJRT_PLUGIN", c.plugin)
		if says := pluginDoubt(t.Context(), c.gpus); (says != "") != c.doubt || c.doubt && !strings.Contains(says, c.plugin) {
			t.Errorf("%d GPUs, plugin %s: %q; want a doubt: %t", len(c.gpus), c.plugin, says, c.doubt)
		}
	}
}

// A container that was given two of a machine's three GPUs has two.
func TestGPUsOfAContainer(t *testing.T) {
	root := t.TempDir()
	if got := driverGPUs(root); got != nil {
		t.Errorf("without a driver: %q", got)
	}
	add := func(paths ...string) {
		for _, path := range paths {
			if err := os.MkdirAll(filepath.Join(root, path), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("proc/driver/nvidia/gpus/0000:01:00.0", "proc/driver/nvidia/gpus/0000:02:00.0", "proc/driver/nvidia/gpus/0000:03:00.0")
	if got := driverGPUs(root); len(got) != 3 {
		t.Errorf("a driver of three GPUs: %q", got)
	}
	add("dev/nvidia1", "dev/nvidia2", "dev/nvidiactl", "dev/nvidia-uvm")
	if got := driverGPUs(root); !slices.Equal(got, []string{"0", "1"}) {
		t.Errorf("two of them given to a container: %q; want 0 and 1, as CUDA counts what it sees", got)
	}
}

// A rehearsal of trials that use a GPU runs on the one that this machine shows, and
// says so; of trials that use none, on the CPU. The stand-in plugin computes
// nothing, but is asked for each step.
func TestRehearsalOnTheDevice(t *testing.T) {
	p := pjrttest.Open(t)
	t.Setenv(pjrt.PluginVariable, p.Path)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("CUDA_VISIBLE_DEVICES", "3,4")
	for gpus, want := range map[string]string{"0": "rehearsal on the CPU: 3 steps", "1": "rehearsal on GPU 3: 3 steps"} {
		s, err := search.Parse("r.yaml", []byte(`
name: r
data: {name: glyphs, train: 500, validation: 100}
model: linear
privacy: {noise_multiplier: [1], delta: 1e-5}
grid: {batch_size: [100], learning_rate: [1], steps: [20]}
run: {gpus_per_trial: `+gpus+`}
`))
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := billOf(s)
		if err != nil {
			t.Fatal(err)
		}
		known, err := b.rehearse(t.Context(), place{}, s)
		if err != nil || known.gpu != (gpus == "1") || known.perView <= 0 || !strings.HasPrefix(known.how, want) {
			t.Errorf("%s GPUs for a trial: %+v, %v; want %q", gpus, known, err, want)
		}
	}
}
