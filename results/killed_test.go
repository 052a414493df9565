package results

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
)

// stopAt has every action of db's one connection counted before it is done, up to
// the first commit, and calls stop at the one of that number. It keeps so few pages
// in memory that what a transaction writes is in the log before it ends.
func stopAt(ctx context.Context, db *sql.DB, at int, stop func()) (seen *int, err error) {
	seen = new(int)
	conn, err := db.Conn(ctx)
	if err != nil {
		return seen, err
	}
	if _, err = conn.ExecContext(ctx, `PRAGMA cache_size = 4`); err == nil {
		committed := false
		err = authorize(conn, func(action int, what, _, _ string) int {
			if committed {
				return sqlite3.SQLITE_OK
			}
			committed = action == sqlite3.SQLITE_TRANSACTION && what == "COMMIT"
			if *seen++; *seen == at {
				stop()
			}
			return sqlite3.SQLITE_OK
		})
	}
	return seen, errors.Join(err, conn.Close())
}

// standStill says that the moment has come, and waits to be killed.
func standStill() {
	fmt.Println("in the middle")
	for { // and not select: the runtime would call it a deadlock
		time.Sleep(time.Hour)
	}
}

func migrateUntil(ctx context.Context, path string, at int, stop func()) (actions int, err error) {
	db := openPool(path, writing)
	db.SetMaxOpenConns(1)
	defer db.Close()
	seen, err := stopAt(ctx, db, at, stop)
	if err == nil {
		err = migrate(ctx, db)
	}
	return *seen, err
}

func importUntil(ctx context.Context, path, other string, at int, stop func()) (actions int, err error) {
	s, err := Open(ctx, path)
	if err != nil {
		return 0, err
	}
	seen, err := stopAt(ctx, s.db, at, stop)
	if err == nil {
		_, err = s.Import(ctx, other)
	}
	return *seen, errors.Join(err, s.Close())
}

func init() {
	jobs["migrate"] = func(ctx context.Context, args []string) error {
		at, _ := strconv.Atoi(args[1])
		_, err := migrateUntil(ctx, args[0], at, standStill)
		return err
	}
	jobs["import"] = func(ctx context.Context, args []string) error {
		at, _ := strconv.Atoi(args[2])
		_, err := importUntil(ctx, args[0], args[1], at, standStill)
		return err
	}
}

// killInTheMiddle starts a job that stands still at some action, and kills it there.
func killInTheMiddle(t *testing.T, job string, args ...string) {
	t.Helper()
	cmd := child(t, job, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "in the middle\n" {
		t.Fatalf("%s said %q (%v) and never stood still", job, line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatalf("%s came to its end", job)
	}
}

// moments are of all actions the first, some between, and the last.
func moments(actions int) []int { return []int{1, actions / 5, actions / 2, 9 * actions / 10, actions} }

// A process that brings a record of the first schema up to date is killed in the
// middle: the record is still of that schema, whole, and the next one does it.
func TestKilledMigration(t *testing.T) {
	old := filepath.Join(t.TempDir(), "old.db")
	older(t, old, 1)
	before := readFile(t, old)
	actions, err := migrateUntil(t.Context(), old, 0, nil)
	if err != nil || actions < 100 {
		t.Fatalf("%d actions, error %v", actions, err)
	}
	for _, at := range moments(actions) {
		path := filepath.Join(t.TempDir(), "old.db")
		writeFile(t, path, before)
		killInTheMiddle(t, "migrate", path, strconv.Itoa(at))
		db := openPool(path, reading)
		version, err := schemaVersion(t.Context(), db)
		if err := errors.Join(err, db.Close()); err != nil || version != 1 {
			t.Errorf("killed at action %d of %d: schema %d, error %v; want 1", at, actions, version, err)
		}
		s := checkWhole(t, path)
		if f, err := s.Frontier(t.Context(), "old-1"); err != nil || len(f.Points) != 1 || f.Points[0].Accuracy != 0.5 {
			t.Errorf("killed at action %d of %d: frontier %+v, error %v", at, actions, f, err)
		}
	}
}

// A process that imports is killed in the middle: the record holds nothing of the
// other one, the other one is as it was, and importing again takes all of it.
func TestKilledImport(t *testing.T) {
	from := openTemp(t)
	add(t, from, file("many"), grid(8)) // of which the record below has 12
	for range 20 {
		next, err := from.Next(t.Context(), file("many").ID, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := completeOne(t.Context(), from, file("many").ID, next[0].Trial); err != nil {
			t.Fatal(err)
		}
	}
	other := backup(t, from)
	bytes := readFile(t, other)
	actions, err := importUntil(t.Context(), recorded(t), other, 0, nil)
	if err != nil || actions < 1000 {
		t.Fatalf("%d actions, error %v", actions, err)
	}
	for _, at := range moments(actions) {
		path := recorded(t)
		killInTheMiddle(t, "import", path, other, strconv.Itoa(at))
		if info, err := os.Stat(path + "-wal"); at == actions && (err != nil || info.Size() < 1<<16) {
			t.Errorf("killed at the last action: nothing of it was in the log: %v", err)
		}
		s := checkWhole(t, path)
		if n := scalar[int](t, s, `SELECT count(*) FROM trials`) + 100*scalar[int](t, s, `SELECT count(*) FROM outcomes`); n != 12 {
			t.Errorf("killed at action %d of %d: %d trials and outcomes", at, actions, n)
		}
		if string(readFile(t, other)) != string(bytes) {
			t.Errorf("killed at action %d of %d: the other file has changed", at, actions)
		}
		if got := imports(t, s, other); got.Sweeps != 1 || got.Trials != 36 || got.Attempts != 20 || got.Outcomes != 20 {
			t.Errorf("killed at action %d of %d, imported again: %+v", at, actions, got)
		}
		if disagreements(t, s) != 0 {
			t.Errorf("killed at action %d of %d: sums are not what trials add up to", at, actions)
		}
	}
}
