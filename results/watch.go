package results

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// A Watch tells whether anybody has written to the record. It is safe for use
// by several goroutines.
type Watch struct {
	mu     sync.Mutex
	conn   *sql.Conn
	reader *Reader
}

// Watch begins to watch the record. It takes one of the Reader's connections
// until it is closed.
func (r *Reader) Watch(ctx context.Context) (*Watch, error) {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("watch the record: %w", explain(err))
	}
	return &Watch{conn: conn, reader: r}, nil
}

// Version is a number that changes whenever another connection has committed.
// Where the file was moved the error wraps [ErrMoved].
func (w *Watch) Version(ctx context.Context) (version int64, err error) {
	if err := w.reader.Moved(); err != nil {
		return 0, fmt.Errorf("watch the record: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		return 0, fmt.Errorf("watch the record: %w", explain(err))
	}
	return version, nil
}

// Close ends watching.
func (w *Watch) Close() error { return w.conn.Close() }
