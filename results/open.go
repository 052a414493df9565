package results

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/mattn/go-sqlite3"
)

// busyTimeout is how long a writer waits for another process's transaction.
const busyTimeout = 10 * time.Second

// applicationID marks a SQLite file as ours: "swep" in ASCII.
const applicationID = 0x73776570

// Up to these sizes opening has SQLite check the whole file, which reads it all
// at some 300 MB a second. Beyond, damage shows where it is met.
const (
	checkedToWrite = 64 << 20
	checkedToRead  = 4 << 20 // commands that only look should answer at once
)

// An access is a way to open the file, as parameters of SQLite's URI and of its driver.
type access map[string]string

var (
	writing = access{
		"mode": "rw", "_journal_mode": "WAL", "_txlock": "immediate", "_synchronous": "FULL",
		"_foreign_keys": "1", "_stmt_cache_size": "100", "_cache_size": "-32768",
	}

	reading = access{"mode": "ro", "_query_only": "1", "_stmt_cache_size": "50", "_cache_size": "-8192"}

	// peeking reads the file itself, without locks and side files, whatever it is.
	peeking = access{"mode": "ro", "immutable": "1"}
)

// dsn names the file for the driver. SQLite decodes the percent signs again,
// so that any path will do.
func (a access) dsn(path string) string {
	q := url.Values{"_busy_timeout": {strconv.FormatInt(busyTimeout.Milliseconds(), 10)}}
	for k, v := range a {
		q.Set(k, v)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// connector opens connections without registering a driver for the whole process.
type connector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// openPool returns a pool of connections to the file, none of them open yet.
func openPool(path string, a access) *sql.DB {
	return sql.OpenDB(connector{a.dsn(path), newDriver()})
}

func newDriver() *sqlite3.SQLiteDriver {
	return &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		// The command sqlite3 has it; the driver leaves SQLite's mathematics out.
		return errors.Join(c.RegisterFunc("sqrt", math.Sqrt, true), c.RegisterFunc("ln", math.Log, true))
	}}
}

// inspect complains about a file that is not a record or, up to a size, not a
// whole one. It changes nothing in it.
func inspect(ctx context.Context, path string, checked int64) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w; it is a %s", ErrForeign, kind(info.Mode()))
	case info.Size() == 0:
		return fmt.Errorf("%w; it is empty: remove it, or name another", ErrForeign)
	}
	db := openPool(path, peeking)
	defer db.Close()
	err = identify(ctx, db)
	if err == nil && info.Size() <= checked {
		err = check(ctx, db)
	}
	if hasLog(path) && (err == nil || errors.Is(explain(err), ErrDamaged)) {
		// What is in the log is not in the file yet, or only half: a process
		// that writes, died or ran out of disk. Both together decide.
		locked := openPool(path, reading)
		defer locked.Close()
		err = patiently(ctx, func() error { return identify(ctx, locked) })
	}
	return err
}

func kind(m fs.FileMode) string {
	if m.IsDir() {
		return "folder"
	}
	return "special file"
}

// identify complains unless db is a record that this version can read.
func identify(ctx context.Context, db *sql.DB) error {
	var app int
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&app); err != nil {
		return err
	}
	if app != applicationID {
		return fmt.Errorf("%w; it is another program's SQLite file (application id %#x)", ErrForeign, uint32(app))
	}
	_, err := schemaVersion(ctx, db)
	return err
}

// queryer is a pool or a transaction.
type queryer interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// schemaVersion reads the schema's version, 0 in an empty file, and complains
// if this program does not know it.
func schemaVersion(ctx context.Context, q queryer) (int, error) {
	var version int
	if err := q.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return 0, err
	}
	if version > len(migrations) {
		return 0, fmt.Errorf("%w: its schema is %d, this program knows up to %d; use that version", ErrNewer, version, len(migrations))
	}
	return version, nil
}

func check(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w; restore it from a backup, or try sqlite3's .recover on a copy (%s)", ErrDamaged, verdict)
	}
	return nil
}

// hasLog says whether changes are, or may be, waiting beside the file.
func hasLog(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

// patiently repeats do while another process is changing the journal mode or
// the schema, for which SQLite itself does not always wait.
func patiently(ctx context.Context, do func() error) error {
	deadline := time.Now().Add(busyTimeout)
	for {
		err := do()
		e, ok := errors.AsType[sqlite3.Error](err)
		if !ok || e.Code != sqlite3.ErrBusy || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
