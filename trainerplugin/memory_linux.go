package trainerplugin

import (
	"bytes"
	"os"
	"strconv"
)

const sigkill = 9

// memoryKills is how many processes the kernel has killed since it started
// because memory ran out, that of the machine or of a control group; 0 if it
// does not say.
func memoryKills() int64 {
	text, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	return memoryKillsIn(text)
}

func memoryKillsIn(vmstat []byte) int64 {
	for line := range bytes.Lines(vmstat) {
		if n, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			kills, err := strconv.ParseInt(string(bytes.TrimSpace(n)), 10, 64)
			if err == nil {
				return kills
			}
		}
	}
	return 0
}
