package checkpoints

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocloud.dev/blob/memblob"

	"sweep"
	"sweep/workflows/checkpoints/cloudtest"
)

const trial = sweep.TrialID("0123456789abcdef0123")

// write leaves a checkpoint in dir as a trainer does.
func write(t *testing.T, dir string, attempt, step int, content []byte) sweep.CheckpointRef {
	t.Helper()
	sum := sha256.Sum256(content)
	c := sweep.CheckpointRef{
		Attempt: attempt, Step: step, File: "step-" + strings.Repeat("i", step) + ".ckpt",
		Digest: "sha256:" + hex.EncodeToString(sum[:]), Bytes: int64(len(content)),
	}
	if err := os.WriteFile(filepath.Join(dir, c.File), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// eachStore runs test on a folder, on a bucket in memory, and over the protocols
// of S3, Google Cloud and Azure.
func eachStore(t *testing.T, test func(*testing.T, *Store)) {
	t.Run("folder", func(t *testing.T) {
		test(t, open(t, "file://"+t.TempDir()))
	})
	t.Run("bucket", func(t *testing.T) {
		s := New(memblob.OpenBucket(nil))
		defer s.Close()
		test(t, s)
	})
	cloudtest.Each(t, func(t *testing.T, c *cloudtest.Store) { test(t, open(t, c.URL)) })
}

func open(t *testing.T, address string) *Store {
	t.Helper()
	s, err := Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSaveAndFetch(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		from, to := t.TempDir(), t.TempDir()
		content := bytes.Repeat([]byte("weights "), 100_000)
		c := write(t, from, 1, 7, content)
		for range 2 { // a trainer that is told to stop writes the same step again
			if err := s.Save(t.Context(), trial, c, from); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Fetch(t.Context(), trial, c, to); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(to, c.File))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("fetched %d bytes, %v; want the %d saved", len(got), err, len(content))
		}
		if info, err := os.Stat(filepath.Join(to, c.File)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("fetched: %v, %v; want mode 0600", info.Mode(), err)
		}
		// Another attempt's checkpoint of the same name is another one.
		other := write(t, t.TempDir(), 2, 7, []byte("other"))
		if err := s.Fetch(t.Context(), trial, other, to); !errors.Is(err, ErrDamaged) {
			t.Errorf("checkpoint that was never saved: %v; want ErrDamaged", err)
		}
		if err := s.Remove(t.Context(), trial, c, other); err != nil {
			t.Error(err)
		}
		if err := s.Fetch(t.Context(), trial, c, to); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "gone") {
			t.Errorf("removed: %v; want ErrDamaged", err)
		}
	})
}

// What a trainer announced and has changed since is not kept, and what was kept
// by that name stays.
func TestSaveRefusesWhatWasNotAnnounced(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		dir := t.TempDir()
		c := write(t, dir, 1, 3, []byte("the weights"))
		if err := s.Save(t.Context(), trial, c, dir); err != nil {
			t.Fatal(err)
		}
		outside := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(outside, []byte("the weights"), 0o600); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, c.File)
		for name, change := range map[string]func() error{
			"other content": func() error { return os.WriteFile(path, []byte("the weighty"), 0o600) },
			"shorter":       func() error { return os.Truncate(path, 5) },
			"longer":        func() error { return os.WriteFile(path, []byte("the weights and more"), 0o600) },
			"gone":          func() error { return os.Remove(path) },
			"a folder":      func() error { return errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o700)) },
			"a link out":    func() error { return errors.Join(os.RemoveAll(path), os.Symlink(outside, path)) },
		} {
			if err := change(); err != nil {
				t.Fatal(name, err)
			}
			err := s.Save(t.Context(), trial, c, dir)
			if err == nil || name != "a link out" && !errors.Is(err, ErrReplaced) {
				t.Errorf("%s: %v; want ErrReplaced", name, err)
			}
			if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte("the weights"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Fetch(t.Context(), trial, c, t.TempDir()); err != nil {
			t.Errorf("what was kept first: %v", err)
		}
	})
}

// Damage of any kind is noticed, and leaves nothing in the attempt's folder.
func TestFetchNoticesDamage(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		dir := t.TempDir()
		content := bytes.Repeat([]byte("weights "), 100)
		c := write(t, dir, 1, 3, content)
		for name, damage := range map[string]func([]byte) []byte{
			"one bit":   func(b []byte) []byte { b[400] ^= 1; return b },
			"truncated": func(b []byte) []byte { return b[:len(b)-1] },
			"empty":     func([]byte) []byte { return nil },
			"longer":    func(b []byte) []byte { return append(b, 0) },
			"foreign":   func([]byte) []byte { return bytes.Repeat([]byte("another "), 100) },
		} {
			err := s.Save(t.Context(), trial, c, dir)
			if err == nil {
				err = s.bucket.WriteAll(t.Context(), key(trial, c), damage(bytes.Clone(content)), nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			to := t.TempDir()
			if err := s.Fetch(t.Context(), trial, c, to); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: %v; want ErrDamaged", name, err)
			}
			if left, err := os.ReadDir(to); err != nil || len(left) != 0 {
				t.Errorf("%s: left %v, %v", name, left, err)
			}
		}
	})
}

func TestFolderIsPrivateAndClean(t *testing.T) {
	root := t.TempDir()
	s, err := OpenFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := t.TempDir()
	c := write(t, dir, 1, 3, []byte("weights"))
	if err := s.Save(t.Context(), trial, c, dir); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Save(ctx, trial, write(t, dir, 1, 4, []byte("more")), dir); err == nil {
		t.Error("saved under a context that had ended")
	}
	var found []string
	if err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		name, _ := filepath.Rel(root, path)
		found = append(found, name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{string(trial), string(trial) + "/checkpoints", string(trial) + "/checkpoints/1", key(trial, c)}
	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	// A writer that was killed leaves a part behind; forgetting takes that too.
	if err := os.WriteFile(filepath.Join(root, key(trial, c)+".17.tmp"), []byte("wei"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(t.Context(), trial); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestForgetTakesOneTrial(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		dir := t.TempDir()
		one, two := write(t, dir, 1, 3, []byte("a")), write(t, dir, 2, 5, []byte("b"))
		for _, id := range []sweep.TrialID{trial, trial + "0"} {
			if err := errors.Join(s.Save(t.Context(), id, one, dir), s.Save(t.Context(), id, two, dir)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := s.Forget(t.Context(), trial); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []sweep.CheckpointRef{one, two} {
			if err := s.Fetch(t.Context(), trial, c, t.TempDir()); !errors.Is(err, ErrDamaged) {
				t.Errorf("forgotten: %v; want ErrDamaged", err)
			}
			if err := s.Fetch(t.Context(), trial+"0", c, t.TempDir()); err != nil {
				t.Errorf("another trial's: %v", err)
			}
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	for address, say := range map[string]string{
		"file:///nowhere/at/all": "no such file",
		"nonsense://b":           "nonsense",
		"::":                     "missing protocol scheme",
	} {
		if _, err := Open(t.Context(), address); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v; want an error with %q", address, err, say)
		}
	}
}
