package trainerplugin

import (
	"strconv"
	"strings"
)

// inherited are the variables that a trainer gets from its host; a name that
// ends in "_" stands for all that begin so. All else stays behind, above all
// what lets a program act in the host's name: TEMPORAL_API_KEY, cloud
// credentials, tokens.
var inherited = []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_", "TZ", "LD_LIBRARY_PATH", "CUDA_", "XLA_",
	"SWEEP_PJRT_PLUGIN", "VIRTUAL_ENV", "CONDA_PREFIX", "XDG_CACHE_HOME"}

// environment is a trainer's environment: what it inherits from host, the
// devices and threads that it is given, and what the caller adds. Where a
// name occurs twice the later one rules.
func environment(host []string, o LaunchOptions) []string {
	var env []string
	for _, pair := range host {
		if name, _, _ := strings.Cut(pair, "="); inherits(name) {
			env = append(env, pair)
		}
	}
	env = append(env, "CUDA_VISIBLE_DEVICES="+strings.Join(o.Devices, ","))
	if o.Threads > 0 {
		n := strconv.Itoa(o.Threads)
		env = append(env, "OMP_NUM_THREADS="+n, "GOMAXPROCS="+n)
	}
	return append(env, o.Env...)
}

func inherits(name string) bool {
	for _, known := range inherited {
		if name == known || strings.HasSuffix(known, "_") && strings.HasPrefix(name, known) {
			return true
		}
	}
	return false
}
