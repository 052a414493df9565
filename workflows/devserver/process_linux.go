package devserver

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// bootID is the kernel's random id of this boot, and the PID namespace: two
// containers of one machine share the boot, but not what a pid means. It is ""
// if /proc does not say.
var bootID = sync.OnceValue(func() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid") // "pid:[4026531836]"
	if err != nil {
		return ""
	}
	space = strings.TrimSuffix(strings.TrimPrefix(space, "pid:["), "]")
	return strings.TrimSpace(string(boot)) + "/" + space
})

// processStart is when a process started, in clock ticks since boot, and
// whether it still runs. A zombie does not. Where /proc shows nothing of a
// process that exists (another user's, say) the time is 0, unknown.
func processStart(pid int) (ticks uint64, alive bool) {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return 0, false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, true
	}
	return parseStat(string(text))
}

// parseStat reads proc(5)'s stat line. The second field, the command's name in
// parentheses, may itself hold spaces and parentheses; the third is the state
// and the 22nd the start time.
func parseStat(text string) (ticks uint64, alive bool) {
	_, rest, ok := cutLast(text, ")")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return 0, true
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, true
	}
	return ticks, fields[0] != "Z" && fields[0] != "X"
}
