//go:build unix

package dataset

import (
	"os"
	"syscall"
)

// lockFile takes f for this process until f is closed, or says that another
// process has it.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
