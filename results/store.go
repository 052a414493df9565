// Package results is the record: one SQLite file that holds what every sweep
// asked for, what every trial did and what came of it, and the frontier that
// follows from it.
//
// A [Store] writes, through one connection; any number of [Reader]s, in this
// process and in others, read beside it and never block it. Each write is one
// transaction, durable when the method returns, and may be repeated: doing it
// twice does it once. An attempt's number is its fencing token. What a
// superseded attempt still wants to write is refused.
//
// The file uses SQLite's write-ahead log, whose index is memory shared between
// processes. It must therefore lie on a disk of the machine that writes it: on
// NFS, SMB and other network file systems readers on another machine see
// nothing or rubbish, and two writers can destroy the file. Other machines send
// what they have to the process that holds the Store.
package results

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A Store is a record open for writing. It is safe for use by several
// goroutines, which take turns; another process's Store on the same file takes
// turns too, for up to [busyTimeout].
type Store struct {
	*Reader
	db     *sql.DB // one connection
	prices priceList
	rooms  rooms
}

// Open opens the record at path, and creates it with mode 0600 if there is
// none. An older schema is brought up to date under an exclusive lock.
//
// A file that is no record, is damaged, or was written by a newer version is
// left as it is, and the error wraps [ErrForeign], [ErrDamaged] or [ErrNewer].
// If the file cannot be written the error wraps [ErrReadOnly].
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := openStore(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open record %s: %w", path, explain(err))
	}
	return s, nil
}

func openStore(ctx context.Context, path string) (*Store, error) {
	if err := create(ctx, path); err != nil {
		return nil, err
	}
	if err := inspect(ctx, path, checkedToWrite); err != nil {
		return nil, err
	}
	if err := unix.Access(path, unix.W_OK); err != nil { // SQLite would open it for reading, and say so at the first write
		return nil, fmt.Errorf("%w; check the modes and owners of file and folder (%w)", ErrReadOnly, err)
	}
	db := openPool(path, writing)
	db.SetMaxOpenConns(1)
	if err := patiently(ctx, func() error { return migrate(ctx, db) }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	r, err := openReader(ctx, path, reading)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{Reader: r, db: db, prices: priceList{}, rooms: rooms{}}, nil
}

// Close waits for writes under way and closes the file.
func (s *Store) Close() error {
	return errors.Join(s.Reader.Close(), s.db.Close())
}

// inTx runs do in a transaction that holds the write lock from its start, so
// that what do reads is still so when it writes.
func (s *Store) inTx(ctx context.Context, what string, do func(context.Context, *sql.Tx) error) error {
	if err := transact(ctx, s.db, do); err != nil {
		return fmt.Errorf("%s: %w", what, explain(err))
	}
	return nil
}

// A beginner is a pool or one of its connections.
type beginner interface {
	BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
}

// transact gives do a context that does not end: when ctx does, the transaction
// is rolled back and the next statement fails, while the driver need not start
// a goroutine to watch each of thousands of short statements.
func transact(ctx context.Context, db beginner, do func(context.Context, *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := do(context.WithoutCancel(ctx), tx); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	return tx.Commit()
}

// now is the time in the record's form: UTC, and as text it sorts as it passes.
func now() string { return clock().UTC().Format(timeFormat) }

// clock is the time of day that the record notes. Only tests set it.
var clock = time.Now

const timeFormat = "2006-01-02T15:04:05.000Z"
