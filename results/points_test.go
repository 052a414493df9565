package results

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"sweep/privacy"
)

// disagreements counts rows that only one of a sum and what it is of has.
func disagreements(t testing.TB, s *Store) (n int) {
	t.Helper()
	for _, sum := range sums {
		n += scalar[int](t, s, fmt.Sprintf(`SELECT count(*) FROM (
			SELECT * FROM (SELECT %[1]s FROM %[2]s EXCEPT SELECT %[1]s FROM %[3]s)
			UNION ALL SELECT * FROM (SELECT %[1]s FROM %[3]s EXCEPT SELECT %[1]s FROM %[2]s))`, sum.columns(), sum.table, sum.from))
	}
	return n
}

// Whatever is written, the sums that triggers keep are what trials add up to.
func TestSumsAreKept(t *testing.T) {
	s, id, trials := trained(t)
	check := func(after string, points int) {
		t.Helper()
		if n := disagreements(t, s); n != 0 {
			t.Errorf("after %s: %d rows differ from what trials add up to", after, n)
		}
		if n := scalar[int](t, s, `SELECT count(*) FROM points`); n != points {
			t.Errorf("after %s: %d points, want %d", after, n, points)
		}
	}
	check("training", 6)
	add(t, s, file("other"), trials[:9])
	check("another sweep that lists finished trials", 9)
	random := rand.New(rand.NewPCG(1, 2))
	extended := grid(5)
	changed := file("trained")
	changed.Text += "# more repeats\n"
	add(t, s, changed, extended)
	for _, tr := range extended {
		if tr.Repeat >= 3 && random.IntN(3) > 0 {
			run(t, s, id, tr.Params, random.Float64())
		}
	}
	check("further repeats", 9)
	if _, err := s.Recount(t.Context(), privacy.Certified); err != nil {
		t.Fatal(err)
	}
	check("recounting", 9)
	for _, query := range []string{
		`UPDATE trials SET state = 'pending' WHERE key = 1`, `UPDATE trials SET state = 'completed' WHERE key = 1`,
		`DELETE FROM costs WHERE trial = 2`, `UPDATE costs SET epsilon = epsilon * 2 WHERE trial = 3`, `UPDATE outcomes SET accuracy = 0.1 WHERE trial = 4`,
		`UPDATE trials SET state = 'running' WHERE key = 8`, `UPDATE trials SET steps = steps + 5 WHERE key = 8`, `UPDATE trials SET noise_multiplier = 3, steps = 7 WHERE key IN (8, 9)`,
		`UPDATE privacy_events SET steps = steps + 1 WHERE trial = 9`, `DELETE FROM privacy_events WHERE trial = 10`, `UPDATE sweep_trials SET gone = 1 WHERE trial = 8`,
		`UPDATE sweep_trials SET proxy = 1 WHERE trial = 11`, `UPDATE sweep_trials SET proxy = 0 WHERE trial = 11`, `DELETE FROM sweep_trials WHERE trial = 8`,
		`DELETE FROM sweep_trials WHERE trial = 5`, `UPDATE sweep_trials SET target_epsilon = 3 WHERE trial = 6`, `DELETE FROM outcomes WHERE trial = 7`,
	} {
		if _, err := s.db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
		if n := disagreements(t, s); n != 0 {
			t.Errorf("after %s: %d rows differ", query, n)
		}
	}
}

// A record of the first schema that is brought up to date has the points of its trials.
func TestPointsOfAnOlderRecord(t *testing.T) {
	saved := migrations
	t.Cleanup(func() { migrations = saved })
	migrations = saved[:1]
	path := filepath.Join(t.TempDir(), "results.db")
	old, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	// Written by hand, as that version did: this one's statements know newer columns.
	if _, err := old.db.ExecContext(t.Context(), `
		INSERT INTO sweeps VALUES (1, 'old-1', 'old', 'x', 1, 'completed', '', 'x', 'rdp', 1e-5, 'research');
		INSERT INTO trials (key, id, point, state, attempt, data, train_examples, validation_examples, model, batch_size, clip_norm, noise_multiplier,
			learning_rate, augmult, augment, steps, ema, noise, trainer, seed, params)
		SELECT value, 't' || value, 'p' || (value / 2), 'completed', 1, 'glyphs', 100, 10, 'linear', 10, 1, 1, 1, 0, '', 10, 0, 'secure', '', value, '{}' FROM json_each('[0, 1, 2, 3]');
		INSERT INTO sweep_trials SELECT 1, key, key, key % 2, '', 1, 1e-5, 1, 0, 0, 'completed' FROM trials;
		INSERT INTO outcomes SELECT key, 1, 'x', 0.5 + 0.01 * key, 0.5, 1, 'validation', 10, 10, 0, 'd', 'w', 'x', 1 FROM trials`); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	migrations = saved
	s := openAt(t, path)
	if n, differ := scalar[int](t, s, `SELECT count(*) FROM points`), disagreements(t, s); n != 2 || differ != 0 {
		t.Errorf("%d points, %d rows differ; want 2 and none", n, differ)
	}
}

// A record of schema 7 in which everything happens has, once it is brought up to
// date, the sums that the same rows have in one that was of schema 8 all along.
func TestMigrationAddsUp(t *testing.T) {
	s, _ := rich(t)
	path := filepath.Join(t.TempDir(), "seven.db")
	writeFile(t, path, nil)
	db := openPool(path, access{"mode": "rwc", "_foreign_keys": "0"})
	db.SetMaxOpenConns(1)
	do := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	list := func(query string, args ...any) []string {
		t.Helper()
		all, err := gather(t.Context(), db, func(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) }, query, args...)
		if err != nil || len(all) == 0 {
			t.Fatalf("%s: %q, error %v", query, all, err)
		}
		return all
	}
	for _, text := range migrations[:7] {
		do(text)
	}
	triggers := list(`SELECT sql FROM sqlite_schema WHERE type = 'trigger'`)
	for _, name := range list(`SELECT name FROM sqlite_schema WHERE type = 'trigger'`) {
		do(`DROP TRIGGER ` + name)
	}
	do(fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = 7; ATTACH '%s' AS newer`, applicationID, backup(t, s)))
	for _, table := range list(`SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'`) {
		columns := strings.Join(list(`SELECT name FROM pragma_table_info(?)`, table), ", ")
		do(fmt.Sprintf(`INSERT INTO main.%s (%[2]s) SELECT %[2]s FROM newer.%[1]s`, table, columns))
	}
	do(`DETACH newer`)
	for _, text := range triggers {
		do(text)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	migrated := openAt(t, path)
	for _, sum := range sums {
		query := fmt.Sprintf(`SELECT json_group_array(json_array(%s)) FROM (SELECT * FROM %s ORDER BY %s)`, sum.columns(), sum.table, sum.columns())
		if got, want := scalar[string](t, migrated, query), scalar[string](t, s, query); got != want || len(want) < 10 {
			t.Errorf("%s of the migrated record:\n%s\nwant\n%s", sum.table, got, want)
		}
	}
}
