package devserver

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Identity names this process to Temporal as "role@host:boot:pid:start", where
// boot says which boot of the machine (and which PID namespace) the pid counts
// in, and start is when the process started, in the kernel's ticks since boot.
// Give it to workers, so that [DeadHere] can tell what became of them.
func Identity(role string) string {
	return formatIdentity(role, os.Getpid())
}

func formatIdentity(role string, pid int) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	start, _ := processStart(pid) // 0 where the system does not say
	return fmt.Sprintf("%s@%s:%s:%d:%d", role, host, bootID(), pid, start)
}

// DeadHere reports whether identity is one that [Identity] gave to a process of
// this host and boot that is certainly gone: no process has its pid, or one
// that started at another time. It is false for every other identity, so no
// live process, and none of another machine, is ever called dead.
func DeadHere(identity string) bool {
	owner, start, ok1 := cutLast(identity, ":")
	owner, pid, ok2 := cutLast(owner, ":")
	_, owner, ok3 := cutLast(owner, "@")
	number, err := strconv.Atoi(pid)
	ticks, err2 := strconv.ParseUint(start, 10, 64)
	if !ok1 || !ok2 || !ok3 || err != nil || err2 != nil || number <= 0 {
		return false
	}
	host, err := os.Hostname()
	if err != nil || bootID() == "" || owner != host+":"+bootID() {
		return false
	}
	now, alive := processStart(number)
	return !alive || now != ticks && now != 0 && ticks != 0
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
