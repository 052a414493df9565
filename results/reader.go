package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	"github.com/mattn/go-sqlite3"

	"sweep"
)

// readers is how many queries of one Reader run at once.
const readers = 5

// A Reader is a record open for reading. It is safe for use by several
// goroutines. It sees each write once the writer's method has returned, and
// never keeps a writer waiting.
type Reader struct {
	db      *sql.DB
	path    string
	file    os.FileInfo // of what was opened there
	pairing sync.Mutex  // see twoSnapshots
}

// OpenReader opens the record at path for reading only; another process may be
// writing it. It makes no record: without one the error wraps [os.ErrNotExist].
// Errors wrap those of [Open].
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	r, err := openInspected(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open record %s: %w", path, explain(err))
	}
	return r, nil
}

func openInspected(ctx context.Context, path string) (*Reader, error) {
	if err := inspect(ctx, path, checkedToRead); err != nil {
		return nil, err
	}
	r, err := openReader(ctx, path, reading)
	if unreachable(err) && !hasLog(path) {
		// In a folder that cannot be written SQLite cannot lay out the log's
		// index. Without a log nobody is writing, and the file is enough.
		frozen := maps.Clone(reading)
		frozen["immutable"] = "1"
		return openReader(ctx, path, frozen)
	}
	return r, err
}

func unreachable(err error) bool {
	e, ok := errors.AsType[sqlite3.Error](err)
	return ok && (e.Code == sqlite3.ErrCantOpen || e.Code == sqlite3.ErrReadonly)
}

func openReader(ctx context.Context, path string, a access) (*Reader, error) {
	db := openPool(path, a)
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	var version int
	err := patiently(ctx, func() (err error) {
		version, err = schemaVersion(ctx, db)
		return err
	})
	if err == nil && version < len(migrations) {
		err = fmt.Errorf("its schema is %d, not yet %d: %w", version, len(migrations), ErrOlder)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Reader{db: db, path: path, file: info}, nil
}

// ErrOlder says that a record is of an older version and has to be written to,
// which [Open] does, before it can be read.
var ErrOlder = errors.New("any command that writes to it brings it up to date")

// ErrMoved says that the record's path leads to another file than the one that
// was opened, or to none: what is read since is of a file that nobody writes.
var ErrMoved = errors.New("the results file was removed or replaced since it was opened; begin again")

// Moved returns an error that wraps [ErrMoved] if it was, and else nil.
func (r *Reader) Moved() error {
	if info, err := os.Stat(r.path); err != nil || !os.SameFile(info, r.file) {
		return fmt.Errorf("%s: %w", r.path, ErrMoved)
	}
	return nil
}

// Close ends reading.
func (r *Reader) Close() error { return r.db.Close() }

// Offset is how many bytes of the attempt's report are in the record.
func (r *Reader) Offset(ctx context.Context, ref sweep.AttemptRef) (int64, error) {
	var offset int64
	err := r.db.QueryRowContext(ctx, `
		SELECT a.report_bytes FROM trials t JOIN attempts a ON a.trial = t.key AND a.number = ?1 WHERE t.key = `+named("?2"),
		ref.Number, ref.Trial).Scan(&offset)
	if errors.Is(err, sql.ErrNoRows) {
		err = sweep.ErrNotFound
	}
	if err != nil {
		return 0, fmt.Errorf("offset of %s: %w", nameOf(ref), explain(err))
	}
	return offset, nil
}

// RunningAttempts are the sweep's attempts that have not ended, and those given
// up for lost that may still be alive: what they report counts.
func (r *Reader) RunningAttempts(ctx context.Context, id sweep.SweepID) ([]sweep.AttemptRef, error) {
	refs, err := gather(ctx, r.db, func(rows *sql.Rows) (ref sweep.AttemptRef, err error) {
		ref.Sweep = id
		return ref, rows.Scan(&ref.Trial, &ref.Number)
	}, `SELECT coalesce((SELECT slot FROM selections x WHERE x.trial = t.key), t.id), a.number
		FROM sweeps s JOIN attempts a ON a.sweep = s.key AND a.ended IS NULL JOIN trials t ON t.key = a.trial
		WHERE s.id = ?1
		UNION ALL
		SELECT coalesce((SELECT slot FROM selections x WHERE x.trial = t.key), t.id), a.number
		FROM attempts a INDEXED BY attempts_doubtful JOIN sweeps s ON s.key = a.sweep JOIN trials t ON t.key = a.trial
		WHERE a.doubtful_until > ?2 AND s.id = ?1`, id, now())
	if err != nil {
		return nil, fmt.Errorf("running attempts of %s: %w", id, explain(err))
	}
	return refs, nil
}

// OpenWorkers are the workers, by identity, that have reported of attempts which
// have not ended.
func (r *Reader) OpenWorkers(ctx context.Context) ([]string, error) {
	workers, err := gather(ctx, r.db, func(rows *sql.Rows) (worker string, err error) {
		return worker, rows.Scan(&worker)
	}, `SELECT DISTINCT worker FROM attempts WHERE ended IS NULL AND worker <> ''`)
	if err != nil {
		return nil, fmt.Errorf("workers of open attempts: %w", explain(err))
	}
	return workers, nil
}

// OpenAttempts are the attempts at the trial that have not ended, whichever sweep
// began them, and those given up for lost that may still be alive.
func (r *Reader) OpenAttempts(ctx context.Context, trial sweep.TrialID) ([]sweep.AttemptRef, error) {
	refs, err := gather(ctx, r.db, func(rows *sql.Rows) (ref sweep.AttemptRef, err error) {
		ref.Trial = trial
		return ref, rows.Scan(&ref.Sweep, &ref.Number)
	}, `SELECT s.id, a.number
		FROM trials t JOIN attempts a ON a.trial = t.key AND (a.ended IS NULL OR a.doubtful_until > ?2) JOIN sweeps s ON s.key = a.sweep
		WHERE t.key = `+named("?1")+` ORDER BY a.number`, trial, now())
	if err != nil {
		return nil, fmt.Errorf("open attempts of trial %s: %w", trial, explain(err))
	}
	return refs, nil
}

// Recorded reports whether the attempt's outcome is in the record.
func (r *Reader) Recorded(ctx context.Context, ref sweep.AttemptRef) (bool, error) {
	var recorded bool
	err := r.db.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM trials t JOIN attempts a ON a.trial = t.key AND a.number = ?1
			WHERE t.key = `+named("?2")+` AND t.state = 'completed' AND a.ended IS NOT NULL AND a.failure IS NULL)`,
		ref.Number, ref.Trial).Scan(&recorded)
	if err != nil {
		return false, fmt.Errorf("outcome of %s: %w", nameOf(ref), explain(err))
	}
	return recorded, nil
}

// gather runs a query and scans each of its rows.
func gather[T any](ctx context.Context, q queryer, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// nameOf names an attempt in errors.
func nameOf(ref sweep.AttemptRef) string {
	return fmt.Sprintf("attempt %d of trial %s", ref.Number, ref.Trial)
}
