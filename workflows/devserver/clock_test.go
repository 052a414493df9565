package devserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDrift(t *testing.T) {
	var d drift
	for _, c := range []struct{ day, steady, want time.Duration }{
		{0, 0, 0},
		{time.Second, time.Second, 0},
		{time.Hour, 2 * time.Second, 0}, // set forward, or the machine slept
		{time.Hour - 10*time.Second, 3 * time.Second, 11 * time.Second}, // set back a little
		{-time.Hour, 4 * time.Second, 2*time.Hour + 2*time.Second},
		{2 * time.Hour, 5 * time.Second, 0}, // right again
	} {
		if got := d.back(c.day, c.steady); got != c.want {
			t.Errorf("at %v by the day, %v by the steady clock: set back by %v, want %v", c.day, c.steady, got, c.want)
		}
	}
}

// A database of the future is begun anew, and only that.
func TestDatabaseOfTheFuture(t *testing.T) {
	for name, c := range map[string]struct {
		touch func(database string) error
		gone  bool
		says  string
	}{
		"as it was left": {func(string) error { return nil }, false, ""},
		"a little ahead": {func(f string) error { return os.Chtimes(f, time.Time{}, time.Now().Add(time.Second)) }, false, ""},
		"an hour ahead":  {func(f string) error { return os.Chtimes(f+"-wal", time.Time{}, time.Now().Add(time.Hour)) }, true, "behind the time"},
		"given up":       {func(f string) error { return os.WriteFile(staleMark(f), nil, 0o600) }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			said := ""
			dir := t.TempDir()
			s := &Server{database: filepath.Join(dir, "t.db"), options: Options{Dir: dir, OnTrouble: func(what string) { said = what }}}
			for _, file := range []string{s.database, s.database + "-wal"} {
				if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.touch(s.database); err != nil {
				t.Fatal(err)
			}
			if err := s.discardStale(t.Context()); err != nil {
				t.Fatal(err)
			}
			left, err := filepath.Glob(s.database + "*")
			if err != nil || (len(left) == 0) != c.gone {
				t.Errorf("left %v, %v; want all gone: %v", left, err, c.gone)
			}
			if (said != "") != (c.says != "") || !strings.Contains(said, c.says) {
				t.Errorf("it says %q; want %q", said, c.says)
			}
		})
	}
}
