package builtin

import (
	"math"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strconv"
	"strings"
)

// processBytes is about what a trainer takes before it has any data or model:
// the program, its runtime and the connection to its host.
const processBytes = 48 << 20

// peakBytes is the most that the process takes when its data, model and loop
// hold live bytes: the garbage collector lets the heap outgrow them by the
// percentage that GOGC, or a call of debug.SetGCPercent, has set. All that is
// large here is numbers, which it need not look into, so a program that only
// trains does well to set a low one.
func peakBytes(live int64) int64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	percent := uint64(100)
	if sample[0].Value.Kind() == metrics.KindUint64 {
		percent = min(percent, sample[0].Value.Uint64()) // more is a choice to spend what there is
	}
	return processBytes + live + live*int64(percent)/100
}

// memoryLimit is how many bytes this process may ever use: the machine's memory
// or the least limit of the control groups that it is in. It is 0 where the
// system does not say; root is "/", or a copy of its files.
func memoryLimit(root string) int64 {
	limit := int64(math.MaxInt64)
	lower := func(bytes int64, ok bool) {
		if ok && bytes > 0 {
			limit = min(limit, bytes)
		}
	}
	lower(machineMemory(root))
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup")) // absent where there are none
	for line := range strings.Lines(string(groups)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // hierarchy:controllers:path
		if len(fields) != 3 {
			continue
		}
		base, file := "sys/fs/cgroup", "memory.max"
		if fields[1] == "memory" {
			base, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if fields[1] != "" {
			continue
		}
		for path := filepath.Join("/", fields[2]); ; path = filepath.Dir(path) {
			lower(readBytes(filepath.Join(root, base, path, file)))
			if path == "/" {
				break
			}
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

// machineMemory reads MemTotal, which is in kB.
func machineMemory(root string) (int64, bool) {
	text, err := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}

// readBytes reads a file of one number; "max" means no limit.
func readBytes(name string) (int64, bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
