package checkpoints

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sweep"
)

// exact reads what must be a checkpoint's content. At its end it has an error
// that wraps [ErrReplaced] if it was not, which comes before whoever reads can
// take the content for whole.
type exact struct {
	from   io.Reader
	want   sweep.CheckpointRef
	hash   hash.Hash
	read   int64
	err    error  // other than io.EOF
	flawed func() // if not nil, is called before such an error is returned
}

func newExact(from io.Reader, c sweep.CheckpointRef) *exact {
	return &exact{from: from, want: c, hash: sha256.New()}
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.from.Read(p)
	e.hash.Write(p[:n])
	e.read += int64(n)
	if err = e.check(err); err == nil || err == io.EOF {
		return n, err
	}
	e.err = err
	if e.flawed != nil {
		e.flawed()
	}
	return 0, err
}

// check returns the error of a Read after which err was to be returned.
func (e *exact) check(err error) error {
	if e.read > e.want.Bytes {
		return fmt.Errorf("%w: it has more than %d bytes", ErrReplaced, e.want.Bytes)
	}
	if err != io.EOF {
		return err
	}
	if e.read < e.want.Bytes {
		return fmt.Errorf("%w: it has %d bytes, not %d", ErrReplaced, e.read, e.want.Bytes)
	}
	if sum := "sha256:" + hex.EncodeToString(e.hash.Sum(nil)); sum != e.want.Digest {
		return fmt.Errorf("%w: it has %s, not %s", ErrReplaced, sum, e.want.Digest)
	}
	return io.EOF
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
