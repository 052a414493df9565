package trainerplugin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Folders of trainers' sockets begin with this, and with the other while they
// are not locked yet.
const (
	scratchName    = "sweep-trainer-"
	newScratchName = "sweep-starting-"
)

// A scratch is the private folder of a trainer's socket. It is locked as long as
// this process lives, by which [RemoveStale] knows it.
type scratch struct {
	dir  string
	lock *os.File
}

func makeScratch() (*scratch, error) {
	fresh, err := os.MkdirTemp(socketParent(), newScratchName)
	if err != nil {
		return nil, err
	}
	s := &scratch{dir: filepath.Join(filepath.Dir(fresh), scratchName+strings.TrimPrefix(filepath.Base(fresh), newScratchName))}
	if s.lock, err = os.Open(fresh); err == nil {
		_ = lockFile(s.lock) // where that cannot be done it cannot be tried either
		err = os.Rename(fresh, s.dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(fresh))
	}
	return s, nil
}

func (s *scratch) remove() error { return errors.Join(os.RemoveAll(s.dir), s.lock.Close()) }

// RemoveStale removes what is left of trainers whose host and shim were both
// killed, so that neither removed it. It is called before trainers are started.
func RemoveStale() error {
	dirs, err := filepath.Glob(filepath.Join(socketParent(), scratchName+"*"))
	if err != nil {
		return err
	}
	var all error
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			continue // another user's, or gone
		}
		if lockFile(f) == nil {
			all = errors.Join(all, os.RemoveAll(dir))
		}
		_ = f.Close()
	}
	if all != nil {
		all = fmt.Errorf("remove what killed trainers have left: %w", all)
	}
	return all
}

// socketParent is where the trainer's socket gets its private folder. A
// socket's path may have 107 bytes, of which about 60 are ours.
func socketParent() string {
	if dir := os.TempDir(); len(dir) <= 40 {
		return dir
	}
	return "/tmp"
}
