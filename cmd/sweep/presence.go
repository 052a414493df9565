package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// errServed says that another process serves the results file.
var errServed = errors.New("another process serves this results file")

// claimRecord makes this process the one that serves the results file, with
// payload keys of these ids, until release is called or the process ends. The
// error wraps errServed while another is. The record itself would survive two,
// which take turns; what the lock tells is whether anyone is there.
func claimRecord(p place, keys []string) (release func() error, err error) {
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(recordLock(p), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for range 5 { // whoever only looks holds the lock for an instant
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			if err := errors.Join(file.Truncate(0), writeKeys(file, keys)); err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", file.Name(), err), file.Close())
			}
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

func writeKeys(file *os.File, keys []string) error {
	if len(keys) == 0 {
		return nil // and nothing that a full disk would refuse
	}
	_, err := file.WriteString(strings.Join(keys, " ") + "\n")
	return err
}

// recordServed reports whether some process serves the results file.
func recordServed(p place) bool {
	_, served := servedKeys(p)
	return served
}

// servedKeys reports whether some process serves the results file, and the ids of
// its payload keys. In the instant in which one begins they may be those of the
// one before.
func servedKeys(p place) (ids []string, served bool) {
	file, err := os.Open(recordLock(p))
	if err != nil {
		return nil, false
	}
	defer file.Close()
	if !errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return nil, false
	}
	text, err := io.ReadAll(io.LimitReader(file, 4096))
	return strings.Fields(string(text)), err == nil
}
