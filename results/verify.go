package results

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Finding is a disagreement within the record: what is written somewhere is
// not what follows from the facts.
type Finding struct {
	Where string `json:"where"` // "trial 3f…", "sweep …", "file"
	What  string `json:"what"`
}

// Verified counts what was looked at.
type Verified struct {
	Sweeps int `json:"sweeps"`
	Listed int `json:"listed"` // of them, whose trials were derived from their file again
	Trials int `json:"trials"`
	Prices int `json:"prices"` // epsilons computed again
}

// verifier goes through one snapshot of the record.
type verifier struct {
	tx     *sql.Tx
	prices priceList
	read   ReadFile
	found  func(Finding)
	seen   Verified
}

// Verify derives all that can be derived from the record's facts again and tells
// found of every disagreement: names of trials from their parameters, sweeps and
// what they list from their files' text, columns from parameters, states from
// outcomes, outcomes from what their attempts measured last, privacy events and
// the ledger from attempts, every epsilon from its event, and what is counted,
// copied or added up from what it is counted from. It also has SQLite check the
// file itself, and compares its schema with this version's. An epsilon of an
// older edition of its accountant is asked anew, and no disagreement unless the
// new one is higher. It writes nothing. found is called from this goroutine.
//
// What is written down once cannot be checked by anything in the file: what an
// external trainer measured, digests of weights, names of workers, times, words.
func (r *Reader) Verify(ctx context.Context, read ReadFile, found func(Finding)) (Verified, error) {
	tx, err := r.db.BeginTx(ctx, nil) // one snapshot
	if err != nil {
		return Verified{}, fmt.Errorf("verify: %w", explain(err))
	}
	defer tx.Rollback()
	v := &verifier{tx: tx, prices: priceList{}, read: read, found: found}
	if err := v.all(ctx); err != nil {
		return v.seen, fmt.Errorf("verify: %w", explain(err))
	}
	return v.seen, nil
}

func (v *verifier) all(ctx context.Context) error {
	for _, step := range []func(context.Context) error{v.file, v.schema, v.sweeps, v.trials, v.laws, v.sums} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) complain(where, format string, args ...any) {
	v.found(Finding{where, fmt.Sprintf(format, args...)})
}

// file has SQLite look at every page, and for rows that refer to nothing.
func (v *verifier) file(ctx context.Context) error {
	problems, err := gather(ctx, v.tx, func(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) }, `PRAGMA integrity_check(20)`)
	if err != nil {
		return err
	}
	for _, p := range problems {
		if p != "ok" {
			v.complain("file", "%s", p)
		}
	}
	strays, err := gather(ctx, v.tx, func(rows *sql.Rows) (text string, err error) {
		var table, parent string
		var row sql.Null[int64]
		err = rows.Scan(&table, &row, &parent, new(any))
		return fmt.Sprintf("row %d of %s refers to a row of %s that is not there", row.V, table, parent), err
	}, `PRAGMA foreign_key_check`)
	for _, s := range strays {
		v.complain("file", "%s", s)
	}
	return err
}

// schema compares the file's tables, views and triggers with those that this
// version makes: a view that says something else would tell everybody so.
func (v *verifier) schema(ctx context.Context) error {
	fresh := sql.OpenDB(connector{":memory:", newDriver()})
	defer fresh.Close()
	fresh.SetMaxOpenConns(1) // each connection has a memory of its own
	if err := transact(ctx, fresh, migrateTx); err != nil {
		return err
	}
	should, err := definitions(ctx, fresh)
	if err != nil {
		return err
	}
	is, err := definitions(ctx, v.tx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(should)) {
		switch text, there := is[name]; {
		case !there:
			v.complain("file", "%s is missing", name)
		case text != should[name]:
			v.complain("file", "%s is not as this version makes it", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if _, known := should[name]; !known && strings.HasPrefix(name, "trigger ") {
			v.complain("file", "%s is none of this version's", name)
		}
	}
	return nil
}

// definitions are the texts of all that the file's schema has, by kind and name.
func definitions(ctx context.Context, q queryer) (map[string]string, error) {
	all, err := gather(ctx, q, func(rows *sql.Rows) (d [2]string, err error) { return d, rows.Scan(&d[0], &d[1]) },
		`SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'`)
	texts := map[string]string{}
	for _, d := range all {
		texts[d[0]] = d[1]
	}
	return texts, err
}
