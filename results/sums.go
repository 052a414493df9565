package results

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// A keptSum is a table that triggers keep equal to a query over the facts, so that
// nobody need wait for the query.
type keptSum struct {
	table string
	keys  string // columns that name a row
	rest  string // the others
	from  string // where the query finds all of them
}

// sums are all of them. Those further down are of those further up.
var sums = []keptSum{
	{"sweep_counts", "sweep, gone, state", "n", "computed_counts"},
	{"sweep_steps", "sweep, sample_rate, noise_multiplier", "steps", "computed_steps"},
	{"points", "sweep, point, target_epsilon, delta",
		"epsilon, n, unpriced, accuracy, accuracy_std, trial, external, data_digests, epsilon_cell, accuracy_cell", "computed_points"},
	{"point_totals", "sweep, delta, target, n, data_digests", "points, unpriced, external", "computed_totals"},
}

// totals are the ledger's, which are kept too and never emptied: the version that
// they carry tells claims under way what has changed.
var totals = keptSum{"ledger_totals", "account, sample_rate, noise_multiplier", "spent, held",
	"(SELECT account, sample_rate, noise_multiplier, sum(spent) AS spent, sum(held) AS held FROM ledger GROUP BY 1, 2, 3)"}

// refill empties the sums and adds them up again.
func refill(ctx context.Context, tx *sql.Tx) error {
	for _, s := range sums {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+s.table); err != nil {
			return err
		}
	}
	for _, s := range sums {
		columns := s.keys + ", " + s.rest
		// What triggers have filled by now is the same.
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(`INSERT OR IGNORE INTO %s (%s) SELECT %[2]s FROM %s`, s.table, columns, s.from)); err != nil {
			return fmt.Errorf("%s: %w", s.table, err)
		}
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`
		UPDATE accounts SET version = version + 1;
		UPDATE ledger_totals SET spent = 0, held = 0, changed = (SELECT version FROM accounts WHERE key = account);
		INSERT INTO ledger_totals SELECT q.*, (SELECT version FROM accounts WHERE key = q.account) FROM %s q WHERE true
		ON CONFLICT DO UPDATE SET spent = excluded.spent, held = excluded.held`, totals.from))
	return err
}

// sums compares each sum with what it is of.
func (v *verifier) sums(ctx context.Context) error {
	for _, s := range append(sums, totals) {
		if err := v.sum(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.table, err)
		}
	}
	return nil
}

func (v *verifier) sum(ctx context.Context, s keptSum) error {
	kept, err := v.rowsOf(ctx, s, s.table)
	if err != nil {
		return err
	}
	should, err := v.rowsOf(ctx, s, s.from)
	if err != nil {
		return err
	}
	for key, row := range should {
		if was := kept[key]; !alike(was, row) {
			v.complain("file", "%s has %s for %s of %s, and the facts say %s: `sweep recount` writes it anew", s.table, written(was), s.keys, key, written(row))
		}
	}
	for key, was := range kept {
		if _, ok := should[key]; !ok && !empty(was) {
			v.complain("file", "%s has %s for %s of %s, and the facts say nothing of it: `sweep recount` writes it anew", s.table, written(was), s.keys, key)
		}
	}
	return nil
}

// rowsOf reads a sum, or what it should be, by its keys.
func (v *verifier) rowsOf(ctx context.Context, s keptSum, from string) (map[string][]any, error) {
	keys := strings.Count(s.keys, ",") + 1
	all := map[string][]any{}
	_, err := gather(ctx, v.tx, func(rows *sql.Rows) (_ struct{}, err error) {
		row := make([]any, keys+strings.Count(s.rest, ",")+1)
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		err = rows.Scan(into...)
		all[written(row[:keys])] = row[keys:]
		return struct{}{}, err
	}, fmt.Sprintf(`SELECT %s, %s FROM %s`, s.keys, s.rest, from))
	return all, err
}

func written(row []any) string {
	if row == nil {
		return "nothing"
	}
	texts := make([]string, len(row))
	for i, value := range row {
		texts[i] = fmt.Sprint(value)
	}
	return strings.Join(texts, ", ")
}

// alike compares two rows; floats may differ by another library's rounding.
func alike(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, isFloat := a[i].(float64)
		y, both := b[i].(float64)
		if isFloat && both {
			// A spread that is nothing is what is left of rounding squares.
			if !same(x, y) && max(x, y) > 1e-6 {
				return false
			}
		} else if a[i] != b[i] {
			return false
		}
	}
	return true
}

// empty says whether a sum is of nothing, which the facts need not mention.
func empty(row []any) bool {
	for _, value := range row {
		if value != int64(0) {
			return false
		}
	}
	return true
}
