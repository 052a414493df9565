package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"sweep"
	"sweep/privacy"
)

// A Budget bounds the epsilon of all that is done to a data set together.
type Budget struct {
	Number  int       `json:"number"` // of those that the data set has had, from 1; 0 is none
	Created time.Time `json:"created,omitzero"`
	Epsilon Epsilon   `json:"epsilon"`
	Delta   float64   `json:"delta"`
	Lifted  bool      `json:"lifted,omitempty"` // there is no budget any more
	Note    string    `json:"note,omitempty"`
}

// Set reports whether there is a bound.
func (b Budget) Set() bool { return b.Number > 0 && !b.Lifted }

// SetBudget gives the data set of that name a budget from now on, or takes it away
// if it is Lifted. What was done before counts. A budget below what is
// spent already is accepted: nothing can start under it.
func (s *Store) SetBudget(ctx context.Context, data string, b Budget) error {
	if !b.Lifted {
		if err := (privacy.Budget{Epsilon: float64(b.Epsilon), Delta: b.Delta}).Check(); err != nil {
			return fmt.Errorf("set budget of %s: %w", data, err)
		}
	}
	if !(b.Delta > 0 && b.Delta < 1) {
		return fmt.Errorf("set budget of %s: delta %v is not between 0 and 1", data, b.Delta)
	}
	return s.inTx(ctx, "set budget of "+data, func(ctx context.Context, tx *sql.Tx) error {
		account, err := accountOf(ctx, tx, data)
		if err != nil {
			return err
		}
		return addBudget(ctx, tx, account, b)
	})
}

func addBudget(ctx context.Context, tx *sql.Tx, account int64, b Budget) error {
	var epsilon any
	if !b.Lifted {
		epsilon = float64(b.Epsilon)
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO budgets (account, number, created, epsilon, delta, note)
		SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5 FROM budgets WHERE account = ?1`,
		account, now(), epsilon, b.Delta, clean(b.Note))
	return err
}

func scanBudget(scan func(...any) error) (b Budget, err error) {
	var created string
	var epsilon sql.Null[float64]
	err = scan(&b.Number, &created, &epsilon, &b.Delta, &b.Note)
	b.Created, b.Epsilon, b.Lifted = parseTime(created), Epsilon(epsilon.V), !epsilon.Valid
	return b, err
}

const selectBudgets = `SELECT number, created, epsilon, delta, note FROM budgets WHERE account = ? ORDER BY number DESC`

// standingBudget is the newest of the account; its Number is 0 if it never had one.
func standingBudget(ctx context.Context, q queryer, account int64) (Budget, error) {
	b, err := scanBudget(q.QueryRowContext(ctx, selectBudgets+` LIMIT 1`, account).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Budget{}, nil
	}
	return b, err
}

// An Account is what was done to one data set, and what that cost.
type Account struct {
	Data         []string      `json:"data"` // its names: more than one if they hold the same content
	Unit         string        `json:"unit"`
	Relation     string        `json:"relation"`
	Delta        float64       `json:"delta"`         // at which the epsilons hold: the budget's, or the one asked for
	Spent        Epsilon       `json:"spent_epsilon"` // of what was done: upper bound, not rounded
	Reserved     Epsilon       `json:"reserved_epsilon"`
	Steps        int           `json:"steps"`      // made
	Held         int           `json:"held_steps"` // that running attempts may yet make
	Trials       int           `json:"trials"`     // that were begun
	Selections   int           `json:"private_selections"`
	Budget       *Budget       `json:"budget,omitempty"`
	Fingerprints []Fingerprint `json:"fingerprints"`
	key          int64
}

// A Fingerprint is a content and split that trials on a data set have seen.
type Fingerprint struct {
	Digest     string    `json:"digest"`
	Name       string    `json:"name"`
	Train      int       `json:"train_examples"`
	Validation int       `json:"validation_examples"`
	FirstSeen  time.Time `json:"first_seen"`
}

// Accounts are all data sets that the ledger knows, or the one of the given name;
// then the error wraps [sweep.ErrNotFound] if there is none. Delta is for those
// without a budget. Reserved counts what was done and what is reserved together.
func (r *Reader) Accounts(ctx context.Context, data string, delta float64) ([]Account, error) {
	all, err := r.accounts(ctx, data, delta)
	if err == nil && data != "" && len(all) == 0 {
		err = sweep.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("ledger of %q: %w", data, explain(err))
	}
	return all, nil
}

func (r *Reader) accounts(ctx context.Context, data string, delta float64) ([]Account, error) {
	tx, err := r.db.BeginTx(ctx, nil) // one snapshot
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	all, err := gather(ctx, tx, func(rows *sql.Rows) (a Account, err error) {
		return a, rows.Scan(&a.key, &a.Unit, &a.Relation)
	}, `SELECT key, unit, relation FROM accounts a
		WHERE ?1 = '' OR EXISTS (SELECT 1 FROM account_names n WHERE n.account = a.key AND n.name = ?1) ORDER BY key`, data)
	if err != nil {
		return nil, err
	}
	named := all[:0]
	for _, a := range all {
		if err := a.read(ctx, tx, delta); err != nil {
			return nil, err
		}
		if len(a.Data) > 0 { // an account that became part of another has no names left
			named = append(named, a)
		}
	}
	return named, nil
}

func (a *Account) read(ctx context.Context, q queryer, delta float64) (err error) {
	if a.Data, err = gather(ctx, q, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) },
		`SELECT name FROM account_names WHERE account = ? ORDER BY name`, a.key); err != nil {
		return err
	}
	a.Fingerprints, err = gather(ctx, q, func(rows *sql.Rows) (f Fingerprint, err error) {
		var seen string
		err = rows.Scan(&f.Digest, &f.Name, &f.Train, &f.Validation, &seen)
		f.FirstSeen = parseTime(seen)
		return f, err
	}, `SELECT f.digest, f.name, f.train_examples, f.validation_examples, f.first_seen
		FROM fingerprints f JOIN account_names n ON n.name = f.name WHERE n.account = ? ORDER BY f.first_seen, f.name`, a.key)
	if err != nil {
		return err
	}
	a.Fingerprints = slices.Concat([]Fingerprint{}, a.Fingerprints) // in JSON a list, also where there is none
	a.Delta = delta
	b, err := standingBudget(ctx, q, a.key)
	if err != nil {
		return err
	}
	if b.Set() {
		a.Budget, a.Delta = &b, b.Delta
	}
	if err := q.QueryRowContext(ctx, `SELECT count(*) FROM ledger WHERE account = ?`, a.key).Scan(&a.Trials); err != nil {
		return err
	}
	done, err := readSpending(ctx, q, a.key)
	if err != nil {
		return err
	}
	a.Steps, a.Held, a.Selections = done.steps(false), done.steps(true)-done.steps(false), len(done.events)
	a.Spent = Epsilon(done.epsilon(a.Delta, false))
	if a.Reserved = a.Spent; a.Held > 0 {
		a.Reserved = Epsilon(done.epsilon(a.Delta, true))
	}
	return nil
}

// BudgetHistory is every budget that the data set of that name has had, the newest
// first. Of a data set that the ledger does not know the error wraps [sweep.ErrNotFound].
func (r *Reader) BudgetHistory(ctx context.Context, data string) ([]Budget, error) {
	var account int64
	err := r.db.QueryRowContext(ctx, `SELECT account FROM account_names WHERE name = ?`, data).Scan(&account)
	if errors.Is(err, sql.ErrNoRows) {
		err = sweep.ErrNotFound
	}
	var all []Budget
	if err == nil {
		all, err = gather(ctx, r.db, func(rows *sql.Rows) (Budget, error) { return scanBudget(rows.Scan) }, selectBudgets, account)
	}
	if err != nil {
		return nil, fmt.Errorf("budgets of %q: %w", data, explain(err))
	}
	return all, nil
}
