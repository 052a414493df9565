package checkpoints

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sweep"
)

// copyExactly copies what must be c's content. The error wraps [ErrReplaced] if
// it is not.
func copyExactly(to io.Writer, from io.Reader, c sweep.CheckpointRef) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, h), io.LimitReader(from, c.Bytes+1))
	switch {
	case err != nil:
		return err
	case n < c.Bytes:
		return fmt.Errorf("%w: it has %d bytes, not %d", ErrReplaced, n, c.Bytes)
	case n > c.Bytes:
		return fmt.Errorf("%w: it has more than %d bytes", ErrReplaced, c.Bytes)
	}
	if sum := "sha256:" + hex.EncodeToString(h.Sum(nil)); sum != c.Digest {
		return fmt.Errorf("%w: it has %s, not %s", ErrReplaced, sum, c.Digest)
	}
	return nil
}

// openRegular opens a file of dir. A link that leads out of dir is not followed.
func openRegular(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name) // before opening: a named pipe would block
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it is gone", ErrReplaced)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no regular file but %v", ErrReplaced, info.Mode())
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it is gone", ErrReplaced)
	}
	return f, err
}

// syncFolders makes the name of a new file durable, and the names of the
// folders that may have been made for it.
func (s *Store) syncFolders(key string) error {
	for dir := filepath.Dir(filepath.Join(s.folder, filepath.FromSlash(key))); len(dir) >= len(s.folder); dir = filepath.Dir(dir) {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
