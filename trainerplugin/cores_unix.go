//go:build unix

package trainerplugin

import "golang.org/x/sys/unix"

// NoCores has the system keep no image of this process's memory when it
// crashes, nor of those that it starts: a trainer's holds the noise key and the
// data. The limit is one byte: too little for a file, and to Linux the sign that
// the program which core_pattern names is not to be given the image either,
// which a limit of zero does not prevent. A trainer may raise it again.
func NoCores() {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return
	}
	limit.Cur = min(1, limit.Max)
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit) // to lower it is always allowed
}
