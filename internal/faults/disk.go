package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A Disk is a small file system of its own.
type Disk struct{ Dir string }

// SmallDisk mounts one of the given size ("32m") on dir, until the test ends.
// Where that is not allowed the test is skipped, and says so.
func SmallDisk(t *testing.T, dir, size string) Disk {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skipf("NOT TESTED: no small disk can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return Disk{dir}
}

func (d Disk) ballast() string { return filepath.Join(d.Dir, "ballast") }

// Fill leaves no space on the disk.
func (d Disk) Fill() error {
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// Free gives the space back.
func (d Disk) Free() error { return os.Remove(d.ballast()) }

// ReadOnly makes a file, or all that lies in a folder, unchangeable until thaw is
// called or the test ends, for root too. Where that is not allowed the test is
// skipped, and says so.
func ReadOnly(t *testing.T, path string) (thaw func()) {
	t.Helper()
	if err := syscall.Mount(path, path, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("NOT TESTED: nothing can be mounted read-only here: %v", err)
	}
	thaw = sync.OnceFunc(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(thaw)
	if err := syscall.Mount("", path, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatalf("mount %s read-only: %v", path, err)
	}
	return thaw
}

// Immutable keeps everybody from writing to the files, also through descriptors
// that are open, as when the kernel finds the disk broken and makes it read-only,
// until thaw is called or the test ends. Where that is not allowed the test is
// skipped, and says so.
func Immutable(t *testing.T, files ...string) (thaw func()) {
	t.Helper()
	thaw = sync.OnceFunc(func() {
		for _, f := range files {
			if err := setImmutable(f, false); err != nil {
				t.Error(err)
			}
		}
	})
	for _, f := range files {
		if err := setImmutable(f, true); err != nil {
			t.Skipf("NOT TESTED: files cannot be made immutable here: %v", err)
		}
	}
	t.Cleanup(thaw)
	return thaw
}

const immutable = 0x10 // FS_IMMUTABLE_FL of linux/fs.h

func setImmutable(file string, on bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return fmt.Errorf("flags of %s: %w", file, err)
	}
	if flags &^= immutable; on {
		flags |= immutable
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags); err != nil {
		return fmt.Errorf("flags of %s: %w", file, err)
	}
	return nil
}
