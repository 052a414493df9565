package results

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func rowsOf(t *testing.T, r *Reader, query string, args ...any) (all [][]any) {
	t.Helper()
	table, err := r.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range table.Rows {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	return all
}

func TestQuery(t *testing.T) {
	s, id, trials := small(t)
	run(t, s, id, trials[0].Params, 0.5)
	for query, want := range map[string]any{
		`SELECT count(*) FROM trials`:                                                              int64(6),
		`SELECT accuracy FROM trial_results WHERE accuracy > 0`:                                    0.5,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n LIMIT 9) SELECT sum(i) FROM n`: int64(45),
		`SELECT name FROM pragma_table_info('sweeps') LIMIT 1`:                                     "key",
		`PRAGMA user_version`:        int64(len(migrations)),
		`SELECT 'who', NULL LIMIT 1`: "who",
	} {
		rows := rowsOf(t, s.Reader, query)
		if len(rows) != 1 || rows[0][0] != want {
			t.Errorf("%s: %v, want %v", query, rows, want)
		}
	}
	if rows := rowsOf(t, s.Reader, `SELECT ?1 + 1`, 4); rows[0][0] != int64(5) {
		t.Errorf("with an argument: %v", rows)
	}
}

func TestQueryOnlyReads(t *testing.T) {
	s, _, _ := small(t)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	for _, query := range []string{
		`DELETE FROM trials`, `UPDATE sweeps SET name = 'x'`, `INSERT INTO sweeps DEFAULT VALUES`, `DROP TABLE metrics`, `CREATE TABLE x (y)`,
		`CREATE TEMP TABLE x (y)`, `ATTACH '` + elsewhere + `' AS x`, `VACUUM INTO '` + elsewhere + `'`, `PRAGMA query_only = 0`, `PRAGMA journal_mode = DELETE`,
		`SELECT 1; DELETE FROM trials`, `BEGIN IMMEDIATE`, `REINDEX`, `ANALYZE`, `PRAGMA user_version = 9`, `PRAGMA application_id(1)`,
	} {
		table, err := s.Query(t.Context(), query)
		if err == nil { // the first statement of several may be answered, but not all of them
			for _, err = range table.Rows {
			}
		}
		if !errors.Is(err, ErrNotAQuery) {
			t.Errorf("%s: error %v", query, err)
		}
	}
	if table, err := s.Query(t.Context(), `SELECT load_extension('x')`); err == nil {
		for _, err = range table.Rows {
		}
		if err == nil {
			t.Error("an extension was loaded")
		}
	}
	for query, want := range map[string]string{"": "there is no query", "-- nothing": "there is no query", "SELEC 1": "syntax error", "SELECT x FROM trials": "no such column: x"} {
		if _, err := s.Query(t.Context(), query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", query, err, want)
		}
	}
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("a query made a file")
	}
	if rows := rowsOf(t, s.Reader, `SELECT count(*) FROM trials`); rows[0][0] != int64(6) {
		t.Errorf("%v trials are left of 6", rows)
	}
	if n := s.Reader.db.Stats().InUse; n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

func TestQueryEndsWithItsContext(t *testing.T) {
	s, _, _ := small(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	table, err := s.Query(ctx, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n`)
	if err == nil {
		for _, err = range table.Rows {
		}
	}
	if err == nil {
		t.Error("an endless query ended")
	}
	if rows := rowsOf(t, s.Reader, `SELECT 1`); rows[0][0] != int64(1) {
		t.Errorf("after it: %v", rows)
	}
}
