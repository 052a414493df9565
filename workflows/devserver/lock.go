package devserver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// The lock is flock(2) on a file that is never removed: the kernel drops it
// when its holder dies, however that happens.
func lockFile(dir string) string { return filepath.Join(dir, "server.lock") }

// lockFolder takes the folder's lock, and returns how to give it back. If a
// server has it the error wraps ErrInUse.
//
// The descriptor is a plain number, because the garbage collector closes an
// [os.File] that nobody refers to: a program that drops its Server has one that
// runs on, and so must the lock.
func lockFolder(dir string) (unlock func() error, err error) {
	name := lockFile(dir)
	fd, err := syscall.Open(name, syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	// folderLocked holds the lock for an instant; only a server keeps it.
	for range 10 {
		if err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return sync.OnceValue(func() error { return syscall.Close(fd) }), nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			err = &fs.PathError{Op: "lock", Path: name, Err: err}
			break
		}
		err = ErrInUse
		time.Sleep(20 * time.Millisecond)
	}
	return nil, errors.Join(err, syscall.Close(fd))
}

// folderLocked tells whether a server has the folder's lock.
func folderLocked(dir string) (bool, error) {
	f, err := os.Open(lockFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); {
	case err == nil:
		return false, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return true, nil
	default:
		return false, err
	}
}
