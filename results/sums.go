package results

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A keptSum is a table that triggers keep equal to a query over the facts, so that
// nobody need wait for the query.
type keptSum struct {
	table string
	owner string   // column that says whose a row is: a sweep's or an account's key
	keys  []string // columns that, with owner, name a row
	rest  []string // the others
	from  string   // where the query finds all of them
}

// sums are all of them. Those further down are of those further up.
var sums = []keptSum{
	{"sweep_counts", "sweep", []string{"gone", "state"}, []string{"n"}, "computed_counts"},
	{"sweep_steps", "sweep", []string{"sample_rate", "noise_multiplier"}, []string{"steps"}, "computed_steps"},
	{"points", "sweep", []string{"point", "target_epsilon", "delta"},
		[]string{"epsilon", "n", "unpriced", "accuracy", "accuracy_std", "trial", "external", "data_digests", "epsilon_cell", "accuracy_cell"}, "computed_points"},
	{"point_totals", "sweep", []string{"delta", "target", "n", "data_digests"}, []string{"points", "unpriced", "external"}, "computed_totals"},
}

// totals are the ledger's, which are kept too and never emptied: the version that
// they carry tells claims under way what has changed.
var totals = keptSum{"ledger_totals", "account", []string{"sample_rate", "noise_multiplier"}, []string{"spent", "held"},
	"(SELECT account, sample_rate, noise_multiplier, sum(spent) AS spent, sum(held) AS held FROM ledger GROUP BY 1, 2, 3)"}

func (s keptSum) columns() string {
	return strings.Join(slices.Concat([]string{s.owner}, s.keys, s.rest), ", ")
}

// refill empties the sums and adds them up again.
func refill(ctx context.Context, tx *sql.Tx) error {
	for _, s := range sums {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+s.table); err != nil {
			return err
		}
	}
	for _, s := range sums {
		// What triggers have filled by now is the same.
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(`INSERT OR IGNORE INTO %s (%s) SELECT %[2]s FROM %s`, s.table, s.columns(), s.from)); err != nil {
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
	for i, j := 0, 0; i < len(kept) || j < len(should); {
		var is, want sumRow // of one name, or one of them
		switch {
		case j == len(should) || i < len(kept) && kept[i].compare(should[j]) < 0:
			is = kept[i]
		case i == len(kept) || should[j].compare(kept[i]) < 0:
			want = should[j]
		default:
			is, want = kept[i], should[j]
		}
		if is.values != nil {
			i++
		}
		if want.values != nil {
			j++
		}
		v.differ(s, is, want)
	}
	return nil
}

// A sumRow is a row of a sum, or of what it should be.
type sumRow struct {
	where  string // whose it is
	name   string // its key, in words
	values []any  // the rest
}

func (r sumRow) compare(other sumRow) int {
	return cmp.Or(strings.Compare(r.where, other.where), strings.Compare(r.name, other.name))
}

// differ names the columns that two rows of one name do not agree in. One may be
// missing, of which the facts need say nothing where the sum is of nothing.
func (v *verifier) differ(s keptSum, is, want sumRow) {
	switch {
	case want.values == nil:
		if slices.ContainsFunc(is.values, func(x any) bool { return x != int64(0) }) {
			v.complain(is.where, "%s has %s of %s, and the facts say nothing of it: `sweep recount` writes it anew", s.table, describe(s.rest, is.values), is.name)
		}
	case is.values == nil:
		v.complain(want.where, "%s says nothing of %s, and the facts say %s: `sweep recount` writes it anew", s.table, want.name, describe(s.rest, want.values))
	default:
		for i, column := range s.rest {
			if !alike(column, is.values[i], want.values[i]) {
				v.complain(is.where, "%s has %s of %s, and the facts say %s: `sweep recount` writes it anew",
					s.table, describe(s.rest[i:i+1], is.values[i:i+1]), is.name, describe(s.rest[i:i+1], want.values[i:i+1]))
			}
		}
	}
}

// rowsOf reads a sum, or what it should be, sorted.
func (v *verifier) rowsOf(ctx context.Context, s keptSum, from string) ([]sumRow, error) {
	whose := `'account ' || q.account`
	if s.owner == "sweep" {
		whose = `'sweep ' || coalesce((SELECT id FROM sweeps WHERE key = q.sweep), 'number ' || q.sweep)`
	}
	rows, err := gather(ctx, v.tx, func(rows *sql.Rows) (r sumRow, err error) {
		values := make([]any, len(s.keys)+len(s.rest))
		into := []any{&r.where}
		for i := range values {
			into = append(into, &values[i])
		}
		err = rows.Scan(into...)
		r.name, r.values = describe(s.keys, values[:len(s.keys)]), values[len(s.keys):]
		return r, err
	}, fmt.Sprintf(`SELECT %s, %s FROM %s q`, whose, strings.Join(slices.Concat(s.keys, s.rest), ", "), from))
	slices.SortFunc(rows, sumRow.compare)
	return rows, err
}

// describe writes columns with their values: "gone 0, state completed".
func describe(columns []string, values []any) string {
	texts := make([]string, len(columns))
	for i, value := range values {
		if value == nil {
			value = "unknown"
		}
		texts[i] = fmt.Sprintf("%s %v", columns[i], value)
	}
	return strings.Join(texts, ", ")
}

// alike compares two values of a column of sums.
func alike(column string, a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		if column == "accuracy_std" { // of squares, whose rounding leaves some 1e-8 of no spread at all
			return ok && math.Abs(x-y) <= 1e-7
		}
		return ok && same(x, y)
	case string: // digests come in any order
		y, ok := b.(string)
		return ok && slices.Equal(slices.Sorted(strings.SplitSeq(x, ",")), slices.Sorted(strings.SplitSeq(y, ",")))
	}
	return a == b
}
