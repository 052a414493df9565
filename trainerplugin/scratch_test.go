package trainerplugin

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What a killed process has left is removed, and nothing that a live one holds.
func TestRemoveStale(t *testing.T) {
	parent, err := os.MkdirTemp("", "stale") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(parent)
	t.Setenv("TMPDIR", parent)
	alive, err := makeScratch()
	if err != nil {
		t.Fatal(err)
	}
	dead, err := makeScratch()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dead.dir, "plugin123"), nil, 0o600), dead.lock.Close()); err != nil { // as when its process ends
		t.Fatal(err)
	}
	if err := RemoveStale(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of a process that is gone: %v", err)
	}
	if info, err := os.Stat(alive.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of a live process: %v, error %v; want it there, for its user alone", info, err)
	}
	if err := alive.remove(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left: %v, error %v", left, err)
	}
}
