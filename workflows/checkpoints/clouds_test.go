package checkpoints

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep/workflows/checkpoints/cloudtest"
)

// large is more than any of the clouds' libraries sends at once.
var large = bytes.Repeat([]byte("many weights "), 1_500_000)

// A checkpoint that goes up in parts is whole, or there is nothing by its name
// and none of its parts stays.
func TestLargeCheckpointsAreAtomic(t *testing.T) {
	cloudtest.Each(t, func(t *testing.T, c *cloudtest.Store) {
		s, dir := open(t, c.URL), t.TempDir()
		ref := write(t, dir, 1, 3, large)
		if err := os.Truncate(filepath.Join(dir, ref.File), int64(len(large)-1)); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(t.Context(), trial, ref, dir); !errors.Is(err, ErrReplaced) {
			t.Errorf("cut short while it is saved: %v; want ErrReplaced", err)
		}
		write(t, dir, 1, 3, large)
		ctx, hurry := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer hurry()
		c.Fail(cloudtest.Fault{Delay: time.Hour, Only: http.MethodPut})
		if err := s.Save(ctx, trial, ref, dir); err == nil || ctx.Err() == nil {
			t.Errorf("parts that nobody takes: %v; want an error when the time is over", err)
		}
		c.Heal()
		if keys := c.Keys(t); len(keys) != 0 {
			t.Errorf("in the store are %v, want nothing", keys)
		}
		if parts := c.Unfinished(t); parts != "" {
			t.Errorf("parts stay in the store, which may hold a noise key: %s", parts)
		}
		if err := s.Save(t.Context(), trial, ref, dir); err != nil {
			t.Fatal(err)
		}
		to := t.TempDir()
		if err := s.Fetch(t.Context(), trial, ref, to); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(to, ref.File)); err != nil || !bytes.Equal(got, large) {
			t.Errorf("fetched %d bytes, %v; want the %d saved", len(got), err, len(large))
		}
	})
}

// A store that does not let us in, or is out of order, is no store that has lost
// the checkpoint: that would cost its trial the way back.
func TestStoresThatFail(t *testing.T) {
	cloudtest.Each(t, func(t *testing.T, c *cloudtest.Store) {
		s, dir := open(t, c.URL), t.TempDir()
		ref := write(t, dir, 1, 3, []byte("weights"))
		if err := s.Save(t.Context(), trial, ref, dir); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]cloudtest.Fault{
			"forbidden":    {Status: http.StatusForbidden},
			"unauthorized": {Status: http.StatusUnauthorized},
			"out of order": {Status: http.StatusServiceUnavailable},
			"silent":       {Delay: time.Hour},
		} {
			c.Fail(f)
			denied := strings.Contains("forbidden unauthorized", name)
			for verb, use := range map[string]func(context.Context) error{
				"save":   func(ctx context.Context) error { return s.Save(ctx, trial, ref, dir) },
				"fetch":  func(ctx context.Context) error { return s.Fetch(ctx, trial, ref, t.TempDir()) },
				"remove": func(ctx context.Context) error { return s.Remove(ctx, trial, ref) },
				"forget": func(ctx context.Context) error { return s.Forget(ctx, trial) },
				"try":    s.Try,
			} {
				limit := 100 * time.Millisecond // the libraries go on trying
				if denied {
					limit = time.Minute
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				err := use(ctx)
				cancel()
				if err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, ErrDenied) != denied {
					t.Errorf("%s while the store is %s: %v; want an error, not ErrDamaged, ErrDenied: %t", verb, name, err, denied)
				}
			}
		}
		c.Heal()
		if err := s.Fetch(t.Context(), trial, ref, t.TempDir()); err != nil {
			t.Errorf("when the store is well again: %v", err)
		}
	})
}

// What is refused once or twice goes through all the same.
func TestStoresThatFalter(t *testing.T) {
	cloudtest.Each(t, func(t *testing.T, c *cloudtest.Store) {
		s, dir := open(t, c.URL), t.TempDir()
		ref := write(t, dir, 1, 3, []byte("weights"))
		c.Fail(cloudtest.Fault{Status: http.StatusServiceUnavailable, Times: 1})
		if err := s.Save(t.Context(), trial, ref, dir); err != nil {
			t.Errorf("save: %v", err)
		}
		c.Fail(cloudtest.Fault{Status: http.StatusServiceUnavailable, Times: 1})
		if err := s.Fetch(t.Context(), trial, ref, t.TempDir()); err != nil {
			t.Errorf("fetch: %v", err)
		}
		if n := c.Failed(); n != 1 {
			t.Errorf("the store failed %d times, want once", n)
		}
	})
}

// A bucket that is not there has lost no checkpoint either.
func TestMissingBucket(t *testing.T) {
	cloudtest.Each(t, func(t *testing.T, c *cloudtest.Store) {
		s := open(t, strings.Replace(c.URL, "sweep-test", "no-such-bucket", 1))
		ref := write(t, t.TempDir(), 1, 3, []byte("weights"))
		if err := s.Fetch(t.Context(), trial, ref, t.TempDir()); err == nil || errors.Is(err, ErrDamaged) {
			t.Errorf("fetch: %v; want an error, and not ErrDamaged", err)
		}
		if err := s.Try(t.Context()); err == nil {
			t.Error("tried without an error")
		}
	})
}
