package results

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sweep"
)

// recorded is the path of a closed record with one small sweep.
func recorded(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "results.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, file("a"), grid(2))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// foreignFile is a SQLite file of another program.
func foreignFile(t testing.TB, path string) {
	t.Helper()
	db := openPool(path, access{"mode": "rwc"})
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `PRAGMA journal_mode = WAL; CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')`); err != nil {
		t.Fatal(err)
	}
}

// Whatever is refused is left byte for byte, and nothing is laid beside it.
func TestRefusedFilesAreLeftAlone(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"text", func(t *testing.T, path string) { writeFile(t, path, bytes.Repeat([]byte("name: mnist\n"), 100)) }, ErrForeign},
		{"nothing in it", func(t *testing.T, path string) { writeFile(t, path, nil) }, ErrForeign},
		{"short text", func(t *testing.T, path string) { writeFile(t, path, []byte("hi")) }, ErrForeign},
		{"another program's SQLite file", func(t *testing.T, path string) { foreignFile(t, path) }, ErrForeign},
		{"newer", func(t *testing.T, path string) {
			data := readFile(t, recorded(t))
			binary.BigEndian.PutUint32(data[60:], 99) // user_version, by SQLite's file format section 1.3
			writeFile(t, path, data)
		}, ErrNewer},
		{"cut short", func(t *testing.T, path string) {
			data := readFile(t, recorded(t))
			writeFile(t, path, data[:len(data)/2])
		}, ErrDamaged},
		{"overwritten", func(t *testing.T, path string) {
			data := readFile(t, recorded(t))
			copy(data[5*4096+100:], bytes.Repeat([]byte{0xa5}, 20*4096))
			writeFile(t, path, data)
		}, ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.db")
			c.make(t, path)
			before := sha256.Sum256(readFile(t, path))
			_, err := Open(t.Context(), path)
			want(t, err, c.want)
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("error %q does not name the file", err)
			}
			_, err = OpenReader(t.Context(), path)
			want(t, err, c.want)
			if sha256.Sum256(readFile(t, path)) != before {
				t.Error("the file was changed")
			}
			if beside, _ := os.ReadDir(filepath.Dir(path)); len(beside) != 1 {
				t.Errorf("there are now %v", beside)
			}
		})
	}
}

func TestOpenReaderMakesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	_, err := OpenReader(t.Context(), path)
	want(t, err, os.ErrNotExist)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("reading made a file")
	}
	writeFile(t, path, nil)
	_, err = Open(t.Context(), filepath.Join(path, "below", "a file"))
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names the path", err)
	}
	_, err = Open(t.Context(), filepath.Dir(path))
	want(t, err, ErrForeign)
}

func TestReaderCannotWrite(t *testing.T) {
	path := recorded(t)
	r, err := OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = r.db.ExecContext(t.Context(), `DELETE FROM trials`)
	want(t, explain(err), ErrReadOnly)
}

// After a full disk, or a kill, the file may be half of what log and file are
// together: its first page, here, already counts pages that only the log has.
func TestOpenBelievesTheLog(t *testing.T) {
	dir := t.TempDir()
	path, copied := recorded(t), filepath.Join(dir, "r.db")
	s := openAt(t, path)
	add(t, s, file("b"), grid(30))
	data := readFile(t, path)
	binary.BigEndian.PutUint32(data[28:], uint32(len(data)/4096+50)) // size in pages, by SQLite's file format section 1.3
	writeFile(t, copied, data)
	writeFile(t, copied+"-wal", readFile(t, path+"-wal"))
	r, err := OpenReader(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := r.Sweeps(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("%d sweeps, error %v; want 2", len(all), err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	back := openAt(t, copied)
	if verdict := scalar[string](t, back, `PRAGMA integrity_check`); verdict != "ok" {
		t.Error(verdict)
	}
	if n := scalar[int](t, back, `SELECT count(*) FROM trials`); n != 180 {
		t.Errorf("%d trials, want 180", n)
	}
}

// A real full disk, where one can be made.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skip("no small disk can be mounted here: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "r.db")
	ballast := filepath.Join(dir, "ballast")
	fill := func() {
		if err := os.WriteFile(ballast, make([]byte, 600<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("error %v, want that no space is left", err)
		}
	}
	s := openAt(t, path)
	add(t, s, file("a"), grid(1))
	_, err := s.AddSweep(t.Context(), file("b"), seq(grid(300)))
	want(t, err, ErrFull)
	fill()
	_, err = s.AddSweep(t.Context(), file("c"), seq(grid(40)))
	want(t, err, ErrFull)
	if err := s.Close(); err != nil { // perhaps without room to empty the log into the file
		t.Error(err)
	}
	fill()
	if _, err := Open(t.Context(), filepath.Join(dir, "new.db")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v, want that no space is left", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	if verdict := scalar[string](t, s, `PRAGMA integrity_check`); verdict != "ok" {
		t.Error(verdict)
	}
	if all, err := s.Sweeps(t.Context()); err != nil || len(all) != 1 || all[0].Counts.Trials != 6 {
		t.Errorf("sweeps %+v, error %v; want the one that was acknowledged", all, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("files %v are left, error %v; want the record alone", left, err)
	}
}

func TestMigrationIsOneTransaction(t *testing.T) {
	saved := migrations
	t.Cleanup(func() { migrations = saved })
	path := recorded(t)
	before := readFile(t, path)

	migrations = append(saved[:len(saved):len(saved)], `CREATE TABLE extra (x INTEGER) STRICT; ALTER TABLE sweeps ADD COLUMN owner TEXT`, `SELECT * FROM nowhere`)
	now, broken := len(saved), len(migrations)
	if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("migrate to schema %d", broken)) {
		t.Fatalf("error %v, want one naming schema %d", err, broken)
	}
	if !bytes.Equal(readFile(t, path), before) {
		t.Error("a migration that failed changed the file")
	}
	_, err := OpenReader(t.Context(), path)
	if !errors.Is(err, ErrOlder) || !strings.Contains(err.Error(), fmt.Sprintf("its schema is %d, not yet %d", now, broken)) {
		t.Errorf("error %v, want that the schema is older", err)
	}

	migrations = migrations[:now+1]
	s := openAt(t, path)
	if v := scalar[int](t, s, `PRAGMA user_version`); v != now+1 {
		t.Errorf("schema version %d, want %d", v, now+1)
	}
	if all, err := s.Sweeps(t.Context()); err != nil || len(all) != 1 || all[0].Counts.Trials != 12 {
		t.Errorf("after the migration: %+v, error %v; want the sweep of 12 trials", all, err)
	}
	if n := scalar[int](t, s, `SELECT count(*) FROM extra`); n != 0 {
		t.Errorf("%d rows, want 0", n)
	}

	migrations = saved
	_, err = OpenReader(t.Context(), path)
	want(t, err, ErrNewer)
}

// A full disk is stood in for by SQLite's own limit, which reports it alike.
func TestFullDiskLosesNothing(t *testing.T) {
	s, id, trials := small(t)
	ref := begin1(t, s, id, trials[0].Params.ID())
	pages := scalar[int](t, s, `PRAGMA page_count`)
	if got := scalar[int](t, s, `PRAGMA max_page_count = 1`); got != pages { // SQLite goes no lower than it is
		t.Fatalf("limit %d, want %d", got, pages)
	}
	metrics := make([]sweep.Metric, 2000)
	for i := range metrics {
		metrics[i] = sweep.Metric{Step: i, Name: "loss", Value: 1}
	}
	reading := sweep.Reading{Offset: 10, Metrics: metrics}
	want(t, s.Collect(t.Context(), ref, reading), ErrFull)
	if at, err := s.Offset(t.Context(), ref); err != nil || at != 0 {
		t.Errorf("offset %d, error %v; want 0", at, err)
	}
	scalar[int](t, s, `PRAGMA max_page_count = 1000000`)
	if err := s.Collect(t.Context(), ref, reading); err != nil {
		t.Errorf("after room was made: %v", err)
	}
	if n := scalar[int](t, s, `SELECT count(*) FROM metrics`); n != len(metrics) {
		t.Errorf("%d metrics, want %d", n, len(metrics))
	}
}

func TestCancelledWriteLeavesNothing(t *testing.T) {
	s := openTemp(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.AddSweep(ctx, file("a"), func(yield func(TrialRecord, error) bool) {
		for i, tr := range grid(1) {
			if i == 3 {
				cancel()
			}
			if !yield(tr, nil) {
				return
			}
		}
	})
	want(t, err, context.Canceled)
	if n := scalar[int](t, s, `SELECT (SELECT count(*) FROM trials) + (SELECT count(*) FROM sweeps)`); n != 0 {
		t.Errorf("%d rows were left behind", n)
	}
	add(t, s, file("a"), grid(1))
}
