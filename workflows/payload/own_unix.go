//go:build unix

package payload

import (
	"io/fs"
	"os"
	"syscall"
)

// own reports whether a file belongs to this process's user, who could then
// close it to others.
func own(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(s.Uid) == os.Geteuid()
}
