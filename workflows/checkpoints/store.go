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
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"sweep"
)

// A Store holds checkpoints. It may be used by several goroutines at once.
type Store struct {
	bucket *blob.Bucket
	folder string // where the bucket is a folder; otherwise ""

	name, prefix string // of the bucket, and of what is ours in it, where it is in a cloud
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
	return &Store{bucket: b, name: u.Host, prefix: u.Query().Get("prefix")}, nil
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
	return &Store{bucket: b, folder: folder}, nil
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
		return fmt.Errorf("keep checkpoint of step %d: %w", c.Step, explained(err))
	}
	return nil
}

func (s *Store) save(ctx context.Context, trial sweep.TrialID, c sweep.CheckpointRef, dir string) error {
	from, err := openRegular(dir, c.File)
	if err != nil {
		return err
	}
	defer from.Close()
	if s.folder != "" {
		return s.saveFile(ctx, key(trial, c), from, c)
	}
	return s.upload(ctx, key(trial, c), from, c)
}

// tries is how often a checkpoint is sent to a cloud: of what is not sent again
// some of their libraries have other opinions than others.
const tries = 3

func (s *Store) upload(ctx context.Context, key string, from io.ReadSeeker, c sweep.CheckpointRef) error {
	for try := 1; ; try++ {
		err := s.uploadOnce(ctx, key, from, c)
		if err == nil {
			return nil
		}
		if c.Bytes > leastPart {
			s.giveUp(context.WithoutCancel(ctx), key) // the driver cannot, once its context has ended
		}
		if errors.Is(err, ErrReplaced) || denied(err) || try == tries {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * time.Second):
		case <-ctx.Done():
			return err
		}
	}
}

func (s *Store) uploadOnce(ctx context.Context, key string, from io.ReadSeeker, c sweep.CheckpointRef) error {
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return err
	}
	ctx, abandon := context.WithCancel(ctx)
	defer abandon()
	content := newExact(from, c)
	content.flawed = abandon // or some drivers take what they have read for whole
	err := s.bucket.Upload(ctx, key, content, &blob.WriterOptions{ContentType: contentType})
	if content.err != nil {
		return content.err
	}
	return err
}

// contentType is given so that no driver waits for the first bytes, to guess.
const contentType = "application/octet-stream"

// saveFile is save for a folder, where the file's mode and what the disk has of
// it are this process's to see to.
func (s *Store) saveFile(ctx context.Context, key string, from io.Reader, c sweep.CheckpointRef) error {
	ctx, abandon := context.WithCancel(ctx)
	defer abandon()
	var file *os.File
	to, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType: contentType,
		BeforeWrite: func(as func(any) bool) error {
			if !as(&file) {
				return errors.New("the folder's driver has no file")
			}
			return file.Chmod(0o600)
		},
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(to, newExact(from, c))
	if err == nil {
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
	return s.syncFolders(key)
}

// Fetch writes a checkpoint into dir under its own name, whole or not at all.
// The error wraps [ErrDamaged] if the checkpoint is missing, or is not what it
// was: no retry helps, and the one before it has to serve. Any other error says
// that the store cannot be read now.
func (s *Store) Fetch(ctx context.Context, trial sweep.TrialID, c sweep.CheckpointRef, dir string) error {
	err := s.fetch(ctx, trial, c, dir)
	if err != nil {
		return fmt.Errorf("fetch checkpoint of step %d: %w", c.Step, explained(err))
	}
	return nil
}

// ErrDamaged marks a checkpoint that cannot be gone on from.
var ErrDamaged = errors.New("checkpoint is of no use")

func (s *Store) fetch(ctx context.Context, trial sweep.TrialID, c sweep.CheckpointRef, dir string) error {
	from, err := s.bucket.NewReader(ctx, key(trial, c), nil)
	if s.gone(ctx, key(trial, c), err) {
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
	_, err = io.Copy(to, newExact(from, c))
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
		if err := s.delete(ctx, key(trial, c)); err != nil {
			all = errors.Join(all, fmt.Errorf("remove checkpoint of step %d: %w", c.Step, explained(err)))
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
	s.giveUp(ctx, prefix(trial)) // of a worker that was killed
	list := s.bucket.List(&blob.ListOptions{Prefix: prefix(trial)})
	for {
		o, err := list.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = s.delete(ctx, o.Key)
		}
		if err != nil {
			return fmt.Errorf("remove checkpoints of trial %s: %w", trial, explained(err))
		}
	}
}

func prefix(trial sweep.TrialID) string { return string(trial) + "/checkpoints/" }

func key(trial sweep.TrialID, c sweep.CheckpointRef) string {
	return path.Join(prefix(trial), strconv.Itoa(c.Attempt), c.File)
}
