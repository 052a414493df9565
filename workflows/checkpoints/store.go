// Package checkpoints keeps what trainers wrote where every worker reaches it:
// in a folder, or in a bucket of S3, Google Cloud or Azure.
//
//	TRIAL/checkpoints/ATTEMPT/FILE
//
// is the name of a checkpoint. Since it has the attempt's number in it, an
// attempt that was believed dead can write to no name that another attempt has
// written to, and what it writes is gone on from by nobody: the record lists
// the checkpoints that count.
package checkpoints

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"

	"sweep"
)

// A Store holds checkpoints. It may be used by several goroutines at once.
type Store struct {
	bucket *blob.Bucket
	folder string // where the bucket is a folder; otherwise ""
}

// Open opens the store at a URL: file:///FOLDER, or one whose scheme a driver
// of gocloud.dev/blob has registered, such as s3://BUCKET/PREFIX. Credentials
// come from where each cloud's own tools have them. A folder must exist: made
// on a machine's own disk, it would be seen by no other.
func Open(ctx context.Context, address string) (*Store, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("open checkpoint store: %w", err)
	}
	if u.Scheme == fileblob.Scheme {
		return OpenFolder(filepath.FromSlash(u.Path))
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" { // the drivers want it as a parameter
		q := u.Query()
		q.Set("prefix", prefix+"/")
		u.RawQuery, u.Path = q.Encode(), ""
	}
	b, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("open checkpoint store %s: %w", address, err)
	}
	return New(b), nil
}

// OpenFolder opens the store in a folder, which must exist.
func OpenFolder(folder string) (*Store, error) {
	b, err := fileblob.OpenBucket(folder, &fileblob.Options{
		Metadata: fileblob.MetadataDontWrite, DirFileMode: 0o700,
		NoTempDir: true, // a rename from another disk fails, and /tmp is no place for a noise key
	})
	if err != nil {
		return nil, fmt.Errorf("open checkpoint store: %w", err)
	}
	return &Store{b, folder}, nil
}

// New is the store in a bucket, which it closes.
func New(b *blob.Bucket) *Store { return &Store{bucket: b} }

// Close frees what the store holds; what is kept in it stays.
func (s *Store) Close() error { return s.bucket.Close() }

// ErrReplaced says that a checkpoint is not what its trainer announced: the
// trainer has run ahead and has written or removed it since.
var ErrReplaced = errors.New("checkpoint is not there as it was announced")

// Save keeps the checkpoint that lies in dir. When it returns nil the
// checkpoint is whole and durable; otherwise there is nothing by its name, or
// what was there before.
func (s *Store) Save(ctx context.Context, trial sweep.TrialID, c sweep.CheckpointRef, dir string) error {
	err := s.save(ctx, trial, c, dir)
	if err != nil {
		return fmt.Errorf("keep checkpoint of step %d: %w", c.Step, err)
	}
	return nil
}

func (s *Store) save(ctx context.Context, trial sweep.TrialID, c sweep.CheckpointRef, dir string) error {
	from, err := openRegular(dir, c.File)
	if err != nil {
		return err
	}
	defer from.Close()
	ctx, abandon := context.WithCancel(ctx)
	defer abandon()
	var file *os.File
	to, err := s.bucket.NewWriter(ctx, key(trial, c), &blob.WriterOptions{
		ContentType: "application/octet-stream", // otherwise it waits for the first bytes, to guess
		BeforeWrite: func(as func(any) bool) error {
			if !as(&file) {
				return nil // no file: the cloud's own acknowledgement is durable
			}
			return file.Chmod(0o600)
		},
	})
	if err != nil {
		return err
	}
	err = copyExactly(to, from, c)
	if err == nil && file != nil {
		err = file.Sync()
	}
	if err != nil {
		abandon() // Close then leaves nothing behind
		_ = to.Close()
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}
	if s.folder == "" {
		return nil
	}
	return s.syncFolders(key(trial, c))
}

// Fetch writes a checkpoint into dir under its own name, whole or not at all.
// The error wraps [ErrDamaged] if the checkpoint is missing, or is not what it
// was: no retry helps, and the one before it has to serve. Any other error says
// that the store cannot be read now.
func (s *Store) Fetch(ctx context.Context, trial sweep.TrialID, c sweep.CheckpointRef, dir string) error {
	err := s.fetch(ctx, trial, c, dir)
	if err != nil {
		return fmt.Errorf("fetch checkpoint of step %d: %w", c.Step, err)
	}
	return nil
}

// ErrDamaged marks a checkpoint that cannot be gone on from.
var ErrDamaged = errors.New("checkpoint is of no use")

func (s *Store) fetch(ctx context.Context, trial sweep.TrialID, c sweep.CheckpointRef, dir string) error {
	from, err := s.bucket.NewReader(ctx, key(trial, c), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("%w: it is gone from the store", ErrDamaged)
	}
	if err != nil {
		return err
	}
	defer from.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	tmp := "." + c.File + ".tmp"
	to, err := root.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = copyExactly(to, from, c)
	if closed := to.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = root.Rename(tmp, c.File)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrReplaced) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return errors.Join(err, root.Remove(tmp))
}

// Remove removes checkpoints of the trial, one by one. One that is not there is
// no error.
func (s *Store) Remove(ctx context.Context, trial sweep.TrialID, some ...sweep.CheckpointRef) error {
	var all error
	for _, c := range some {
		if err := s.bucket.Delete(ctx, key(trial, c)); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			all = errors.Join(all, fmt.Errorf("remove checkpoint of step %d: %w", c.Step, err))
		}
	}
	return all
}

// Forget removes all checkpoints of the trial, announced or not, and with them
// its noise key.
func (s *Store) Forget(ctx context.Context, trial sweep.TrialID) error {
	if s.folder != "" {
		of := filepath.Join(s.folder, string(trial))
		err := os.RemoveAll(filepath.Join(of, "checkpoints"))
		_ = os.Remove(of) // where it holds nothing else
		return err
	}
	list := s.bucket.List(&blob.ListOptions{Prefix: prefix(trial)})
	for {
		o, err := list.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = s.bucket.Delete(ctx, o.Key)
		}
		if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("remove checkpoints of trial %s: %w", trial, err)
		}
	}
}

func prefix(trial sweep.TrialID) string { return string(trial) + "/checkpoints/" }

func key(trial sweep.TrialID, c sweep.CheckpointRef) string {
	return path.Join(prefix(trial), strconv.Itoa(c.Attempt), c.File)
}

// Try writes, reads and removes a small object, as checkpoints will be.
func (s *Store) Try(ctx context.Context) error {
	const name, content = "sweep-was-here", "This may be removed."
	if err := s.bucket.WriteAll(ctx, name, []byte(content), nil); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	got, err := s.bucket.ReadAll(ctx, name)
	if err == nil && string(got) != content {
		err = fmt.Errorf("%q was written and %q is there", content, got)
	}
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if err := s.bucket.Delete(ctx, name); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}
