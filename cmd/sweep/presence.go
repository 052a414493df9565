package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// errServed says that another process serves the results file.
var errServed = errors.New("another process serves this results file")

// claimRecord makes this process the one that serves the results file to a
// cluster, until release is called or the process ends. The error wraps
// errServed while another is. The record itself would survive two, which take
// turns; what the lock tells is whether anyone is there.
func claimRecord(p place) (release func() error, err error) {
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(recordLock(p), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for range 5 { // whoever only looks holds the lock for an instant
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return file.Close, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errServed
	}
	return nil, errors.Join(fmt.Errorf("%s: %w", p.db, err), file.Close())
}

func recordLock(p place) string { return filepath.Join(p.state, "record.lock") }

// recordServed reports whether some process serves the results file to a cluster.
func recordServed(p place) bool {
	file, err := os.Open(recordLock(p))
	if err != nil {
		return false
	}
	defer file.Close()
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
