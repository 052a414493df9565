package pjrt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packages makes a folder of packages that has the given files.
func packages(t *testing.T, root string, files ...string) string {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(root, filepath.FromSlash(f))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFind(t *testing.T) {
	const cuda12, cuda13 = "jax_plugins/xla_cuda12/xla_cuda_plugin.so", "jax_plugins/xla_cuda13/xla_cuda_plugin.so"
	venv, conda, system := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "dist[packages]")
	inVenv := packages(t, filepath.Join(venv, "lib/python3.12/site-packages"), "jax_plugins/xla_cuda12/__init__.py")
	inConda := packages(t, filepath.Join(conda, "lib/python3.11/site-packages"), cuda12, cuda13)
	packages(t, system, "libtpu/libtpu.so", cuda12)
	named := filepath.Join(packages(t, t.TempDir(), "mine.so"), "mine.so")
	find := func(env map[string]string, folders []string, err error, given string) (string, error) {
		f := finder{func(name string) string { return env[name] }, func(context.Context) ([]string, error) { return folders, err }}
		return f.find(t.Context(), given)
	}
	for _, c := range []struct {
		env    map[string]string
		python []string
		given  string
		want   string
	}{
		{given: named, env: map[string]string{"CONDA_PREFIX": conda}, want: named},
		{env: map[string]string{PluginVariable: named, "CONDA_PREFIX": conda}, want: named},
		{env: map[string]string{"VIRTUAL_ENV": venv, "CONDA_PREFIX": conda}, want: filepath.Join(inConda, cuda13)},
		{env: map[string]string{"VIRTUAL_ENV": venv}, python: []string{inVenv, system}, want: filepath.Join(system, cuda12)},
		{env: map[string]string{"VIRTUAL_ENV": "relative"}, python: []string{inConda}, want: filepath.Join(inConda, cuda13)},
	} {
		if got, err := find(c.env, c.python, nil, c.given); got != c.want || err != nil {
			t.Errorf("%+v: found %s, error %v", c, got, err)
		}
	}
	for want, c := range map[string]struct {
		env   map[string]string
		given string
	}{
		"the plugin that was named: stat /no/such": {given: "/no/such"},
		"SWEEP_PJRT_PLUGIN: stat /no/such":         {env: map[string]string{PluginVariable: "/no/such"}},
		"looked in " + inVenv:                      {env: map[string]string{"VIRTUAL_ENV": venv}},
		"looked in no Python packages (no python)": {},
		`pip install "jax[cuda13]"`:                {},
	} {
		if _, err := find(c.env, nil, errors.New("no python"), c.given); !errors.Is(err, ErrNoPlugin) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}

// The Python of this machine, if there is one, says where its packages are, and
// takes no module from the folder we are in.
func TestPythonPackages(t *testing.T) {
	dir := packages(t, t.TempDir(), "site.py", "json.py")
	t.Chdir(dir)
	folders, err := pythonPackages(t.Context())
	if err != nil {
		t.Skip(err)
	}
	for _, f := range folders {
		if !filepath.IsAbs(f) || f == dir {
			t.Errorf("folder %q", f)
		}
	}
	if len(folders) == 0 {
		t.Error("it knows none")
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := pythonPackages(t.Context()); err == nil || err.Error() != "there is no python3 on the PATH" {
		t.Errorf("without Python: error %v", err)
	}
}

// Libraries beside a plugin are loaded in the order that they need each other;
// here they are no libraries, and each is complained of.
func TestPreloadCUDA(t *testing.T) {
	root := packages(t, t.TempDir(), "jax_plugins/xla_cuda12/xla_cuda_plugin.so", "nvidia/cudnn/lib/libcudnn.so.9",
		"nvidia/cublas/lib/libcublas.so.12", "nvidia/cuda_runtime/lib/libcudart.so.12", "nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc")
	plugin := filepath.Join(root, "jax_plugins/xla_cuda12/xla_cuda_plugin.so")
	problems := PreloadCUDA(plugin)
	if len(problems) != 3 || !strings.Contains(problems[0].Error(), "load libcudart.so.12: ") || !strings.Contains(problems[2].Error(), "libcudnn.so.9") {
		t.Errorf("problems %v", problems)
	}
	if got, want := CUDADataDir(plugin), filepath.Join(root, "nvidia/cuda_nvcc"); got != want {
		t.Errorf("CUDA data in %q, want %q", got, want)
	}
	alone := filepath.Join(t.TempDir(), "a/b/plugin.so")
	if problems := PreloadCUDA(alone); problems != nil {
		t.Errorf("problems %v", problems)
	}
}
