package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sweep/trainerplugin/xla/pjrt"
)

// gpusUsage is shared by the commands that train.
const gpusUsage = "train on `GPUS`: a number of them, all, or a list as in CUDA_VISIBLE_DEVICES (\"0,\" is the first alone)"

// parseGPUs reads --gpus: "8" is the first eight GPUs that this process may
// use, "all" is all of them, and anything with a comma, or that is no number,
// is a list of names. It returns none for "" and "0".
func parseGPUs(spec string) ([]string, error) {
	spec = strings.TrimSpace(spec)
	n, err := strconv.Atoi(spec)
	switch {
	case spec == "":
		return nil, nil
	case spec == "all":
		gpus := visibleGPUs()
		if len(gpus) == 0 {
			return nil, usagef("--gpus all: CUDA_VISIBLE_DEVICES names no GPU and the NVIDIA driver shows none; `nvidia-smi -L` should list them")
		}
		return gpus, nil
	case err == nil && (n < 0 || n > 1024):
		return nil, usagef("--gpus %d: give a number of GPUs, \"all\", or a list", n)
	case err == nil:
		return firstGPUs(n, visibleGPUs())
	}
	var gpus []string
	seen := map[string]bool{}
	for _, name := range strings.Split(spec, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if seen[name] {
			return nil, usagef("--gpus %s: %s is there twice", spec, name)
		}
		seen[name], gpus = true, append(gpus, name)
	}
	return gpus, nil
}

// firstGPUs are the first n of those that this process may use. Where nothing
// tells which there are, a plugin that is named is believed to have them;
// otherwise a worker that took trials could only fail them, one after the other.
func firstGPUs(n int, gpus []string) ([]string, error) {
	switch {
	case n == 0:
		return nil, nil
	case gpus == nil && os.Getenv(pjrt.PluginVariable) != "":
		gpus = numbered(n)
	case len(gpus) == 0:
		return nil, usagef("--gpus %d: CUDA_VISIBLE_DEVICES names no GPU and the NVIDIA driver shows none; `nvidia-smi -L` should list them. For devices of another kind name their PJRT plugin in %s, or the devices themselves (--gpus 0,1)", n, pjrt.PluginVariable)
	case len(gpus) < n:
		return nil, usagef("--gpus %d: this process may use %d: %s", n, len(gpus), strings.Join(gpus, ", "))
	}
	return gpus[:n:n], nil
}

// visibleGPUs are the GPUs that this process may use: those of
// CUDA_VISIBLE_DEVICES, which Slurm and container runtimes set, or else all
// that the driver has. It returns nil if neither says.
func visibleGPUs() []string {
	if list, set := os.LookupEnv("CUDA_VISIBLE_DEVICES"); set {
		gpus := []string{}
		for _, name := range strings.Split(list, ",") {
			if name = strings.TrimSpace(name); name == "-1" {
				break // CUDA stops at the first that is not valid
			} else if name != "" {
				gpus = append(gpus, name)
			}
		}
		return gpus
	}
	return driverGPUs("/")
}

// driverGPUs are those that the NVIDIA driver has, under root. In a container the
// devices are those that it was given, while /proc may show all of the machine's.
func driverGPUs(root string) []string {
	for _, pattern := range []string{"dev/nvidia[0-9]*", "proc/driver/nvidia/gpus/*"} {
		if found, err := filepath.Glob(filepath.Join(root, pattern)); err == nil && len(found) > 0 {
			return numbered(len(found))
		}
	}
	return nil
}

// pluginDoubt says what a worker with GPUs lacks for the built-in trainer. Trainers
// of other kinds may use them all the same.
func pluginDoubt(ctx context.Context, gpus []string) string {
	if len(gpus) == 0 {
		return ""
	}
	if _, err := pjrt.Find(ctx, ""); err != nil {
		return fmt.Sprintf("note: the built-in trainer will refuse what this worker takes, external ones may not: %v", err)
	}
	return ""
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

func devicesText(gpus []string) string {
	switch len(gpus) {
	case 0:
		return "the CPU"
	case 1:
		return "GPU " + gpus[0]
	}
	return fmt.Sprintf("%d GPUs: %s", len(gpus), strings.Join(gpus, ", "))
}
