package results

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mattn/go-sqlite3"
)

// ErrNotAQuery means a statement that does more than read the record.
var ErrNotAQuery = errors.New("only queries are answered: SELECT, WITH, VALUES, EXPLAIN, and PRAGMAs that describe tables")

// A Table is what a query found.
type Table struct {
	Columns []string
	// Rows yields the rows as they are read, each with a value for every column:
	// int64, float64, string, []byte or nil. It may be ranged over once.
	Rows iter.Seq2[[]any, error]
}

// describing are the pragmas that tell about the file and change nothing.
var describing = []string{
	"table_list", "table_info", "table_xinfo", "index_list", "index_info", "index_xinfo", "foreign_key_list",
	"user_version", "application_id", "schema_version", "page_count", "page_size", "freelist_count", "compile_options", "database_list",
	"function_list", "quick_check", "integrity_check", "foreign_key_check",
}

// settable are those of them that set what they tell when they are given a value.
var settable = []string{"user_version", "application_id", "schema_version"}

// recursive is SQLITE_RECURSIVE, which the driver does not export.
const recursive = 33

// allow is SQLite's authorizer for queries. It is asked about every action of a
// statement before the statement runs.
func allow(action int, what, argument, _ string) int {
	switch action {
	case sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, recursive: // load_extension is switched off
		return sqlite3.SQLITE_OK
	case sqlite3.SQLITE_PRAGMA:
		if slices.Contains(describing, what) && (argument == "" || !slices.Contains(settable, what)) {
			return sqlite3.SQLITE_OK
		}
	}
	return sqlite3.SQLITE_DENY
}

// Query answers one SQL query about the record, as it is at this moment, beside
// whoever writes it. Whatever is no query is refused with [ErrNotAQuery] before
// it runs. When ctx ends, so does the query.
func (r *Reader) Query(ctx context.Context, query string, args ...any) (Table, error) {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return Table{}, fmt.Errorf("query: %w", explain(err))
	}
	t, err := answer(ctx, conn, query, args)
	if err != nil {
		return Table{}, errors.Join(refused(err), conn.Close())
	}
	return t, nil
}

func answer(ctx context.Context, conn *sql.Conn, query string, args []any) (Table, error) {
	if err := authorize(conn, allow); err != nil {
		return Table{}, err
	}
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return Table{}, errors.Join(err, authorize(conn, nil))
	}
	columns, err := rows.Columns()
	if err == nil && len(columns) == 0 {
		err = errors.New("there is no query in it")
	}
	if err != nil {
		return Table{}, errors.Join(err, rows.Close(), authorize(conn, nil))
	}
	return Table{Columns: columns, Rows: func(yield func([]any, error) bool) {
		err := stream(rows, len(columns), yield)
		if err = errors.Join(err, authorize(conn, nil), conn.Close()); err != nil && !errors.Is(err, errStopped) {
			yield(nil, refused(err))
		}
	}}, nil
}

var errStopped = errors.New("the caller has seen enough")

// stream yields all rows and closes them.
func stream(rows *sql.Rows, n int, yield func([]any, error) bool) error {
	defer rows.Close()
	for rows.Next() {
		values, into := make([]any, n), make([]any, n)
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if !yield(values, nil) {
			return errStopped
		}
	}
	return rows.Err()
}

// authorize sets the connection's authorizer; nil takes it away again.
func authorize(conn *sql.Conn, by func(int, string, string, string) int) error {
	return conn.Raw(func(c any) error {
		sqlite, ok := c.(*sqlite3.SQLiteConn)
		if !ok {
			return driver.ErrBadConn
		}
		sqlite.RegisterAuthorizer(by)
		return nil
	})
}

// refused tells an action that allow denied from other errors.
func refused(err error) error {
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.Code == sqlite3.ErrAuth {
		return fmt.Errorf("query: %w", ErrNotAQuery)
	}
	return fmt.Errorf("query: %w", explain(err))
}
