package pjrt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// PluginVariable is the environment variable that names a plugin's library.
const PluginVariable = "SWEEP_PJRT_PLUGIN"

// ErrNoPlugin says that no plugin was found.
var ErrNoPlugin = errors.New("there is no PJRT plugin")

// libraries are plugins for GPUs and TPUs as Python's packages have them, the
// preferred first, relative to a folder of packages. Each may be a pattern.
var libraries = []string{
	"jax_plugins/xla_cuda13/xla_cuda_plugin.so",
	"jax_plugins/xla_cuda12/xla_cuda_plugin.so",
	"jax_plugins/xla_cuda*/*.so",
	"jax_plugins/xla_rocm*/*.so",
	"libtpu/libtpu.so",
}

// Find returns the absolute path of a plugin: the given one if it is not "", or
// else what [PluginVariable] says, or else the first that is found among the
// packages of the active Python: of VIRTUAL_ENV, of CONDA_PREFIX, and of the
// python3 on the PATH. The error wraps [ErrNoPlugin] and says where it looked, and
// what would help.
func Find(ctx context.Context, given string) (string, error) {
	return finder{os.Getenv, pythonPackages}.find(ctx, given)
}

// A finder is where plugins are looked for.
type finder struct {
	getenv func(string) string
	python func(context.Context) ([]string, error) // folders of packages of the python3 on the PATH
}

func (f finder) find(ctx context.Context, given string) (string, error) {
	source := "the plugin that was named"
	if given == "" {
		given, source = f.getenv(PluginVariable), PluginVariable
	}
	if given != "" {
		path, err := filepath.Abs(given)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return "", fmt.Errorf("%w: %s: %w", ErrNoPlugin, source, err)
		}
		return path, nil
	}
	var looked []string
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		root := f.getenv(variable)
		if !filepath.IsAbs(root) {
			continue
		}
		folders, _ := filepath.Glob(filepath.Join(root, "lib*", "python3*", "site-packages")) // the pattern is valid
		looked = append(looked, folders...)
		if path := among(folders); path != "" {
			return path, nil
		}
	}
	folders, err := f.python(ctx)
	if path := among(folders); path != "" {
		return path, nil
	}
	looked = append(looked, folders...)
	slices.Sort(looked)
	where := "no Python packages"
	if looked = slices.Compact(looked); len(looked) > 0 {
		where = strings.Join(looked, ", ")
	}
	if err != nil {
		where += fmt.Sprintf(" (%v)", err)
	}
	return "", fmt.Errorf(`%w: looked in %s; pip install "jax[cuda13]" or "jax[cuda12]" brings one for NVIDIA GPUs, or name its library in %s`,
		ErrNoPlugin, where, PluginVariable)
}

// among returns the first plugin in folders of packages.
func among(folders []string) string {
	for _, library := range libraries {
		for _, folder := range folders {
			found, _ := filepath.Glob(filepath.Join(literal(folder), filepath.FromSlash(library)))
			if len(found) > 0 {
				return found[0]
			}
		}
	}
	return ""
}

// literal is path as a pattern that matches it alone.
func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// askPython prints the folders in which Python looks for packages.
const askPython = `import json, site, sys
print(json.dumps([p for p in site.getsitepackages() + [site.getusersitepackages()] + sys.path if p]))`

// pythonPackages asks the python3 on the PATH for its folders of packages. It
// runs in the root folder, so that Python takes no module from where we are.
func pythonPackages(ctx context.Context) ([]string, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return nil, errors.New("there is no python3 on the PATH")
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, python, "-c", askPython)
	c.Dir = "/"
	c.WaitDelay = time.Second
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s does not say where its packages are: %w", python, err)
	}
	var all []string
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("%s does not say where its packages are: %w", python, err)
	}
	var folders []string
	for _, p := range all {
		if info, err := os.Stat(p); err == nil && info.IsDir() && filepath.IsAbs(p) && !slices.Contains(folders, p) {
			folders = append(folders, p)
		}
	}
	return folders, nil
}
