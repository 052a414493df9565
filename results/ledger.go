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

// The ledger is what was done to each data set, whichever sweep did it. Before a
// trial's first gradient its attempt reserves the steps that it may make; steps
// count as spent once they are reported; what is reserved and not spent is free
// again when the attempt has surely ended. A budget is checked in the
// transaction that reserves, so that sweeps side by side cannot overspend it.

// lease is how long an attempt that was given up for lost may still be noising
// steps. A worker that the server does not answer stops its trainers after a
// minute, and they have half a minute to end.
const lease = 10 * time.Minute

// The unit of privacy and the relation of neighbouring data sets that trials
// are accounted for.
const (
	ledgerUnit     = "example"
	ledgerRelation = string(privacy.AddRemove)
)

// A kindOfStep is all that accounting wants to know of a trial's step.
type kindOfStep struct{ rate, noise float64 }

func (k kindOfStep) times(n int) privacy.DPSGD {
	return privacy.DPSGD{SampleRate: k.rate, Noise: k.noise, Steps: n}
}

// An entry is a trial's place in the ledger.
type entry struct {
	trial       int64
	id          sweep.TrialID
	data        string
	step        kindOfStep
	steps       int // T
	seeded      bool
	completed   bool
	attempts    []streamed
	spent, held int // as the ledger has it
}

// A streamed is an attempt in terms of noise.
type streamed struct {
	number   int    // 0 is another record's, of which only the stream is known
	stream   string // "" until it has reported one
	furthest int
	alive    bool
	until    sql.Null[string] // when an attempt that was given up is surely over
}

// A hold is what one attempt may yet do.
type hold struct {
	attempt, steps int
	until          sql.Null[string]
}

func readEntry(ctx context.Context, tx *sql.Tx, trial int64) (entry, error) {
	e := entry{trial: trial}
	var noise sweep.NoiseSource
	var state sweep.State
	err := tx.QueryRowContext(ctx, `
		SELECT t.id, t.data, t.sampling_rate, t.noise_multiplier, t.noise, t.steps, t.state, coalesce(l.spent, 0), coalesce(l.held, 0)
		FROM trials t LEFT JOIN ledger l ON l.trial = t.id WHERE t.key = ?`, trial,
	).Scan(&e.id, &e.data, &e.step.rate, &e.step.noise, &noise, &e.steps, &state, &e.spent, &e.held)
	if err != nil {
		return e, err
	}
	e.seeded, e.completed = noise == sweep.Seeded, state == sweep.Completed
	at := now()
	e.attempts, err = gather(ctx, tx, func(rows *sql.Rows) (a streamed, err error) {
		var open bool
		err = rows.Scan(&a.number, &a.stream, &a.furthest, &open, &a.until)
		a.alive = open || a.until.Valid && a.until.V > at
		return a, err
	}, `SELECT number, coalesce(noise_id, ''), last_step, ended IS NULL, doubtful_until FROM attempts WHERE trial = ?1
		UNION ALL SELECT 0, noise_id, steps, 0, NULL FROM imported_streams WHERE trial = ?1`, trial)
	slices.SortFunc(e.attempts, func(a, b streamed) int { return a.number - b.number }) // SQLite would sort in a table of its own
	return e, err
}

// charged is how many steps the trial has made over all noise streams, and of
// each attempt how many it may yet make. Steps of one stream count once, however
// often they were made; see [charge].
func (e entry) charged() (spent int, holds []hold) {
	furthest := map[string]int{}
	for _, a := range e.attempts {
		furthest[e.streamOf(a)] = max(furthest[e.streamOf(a)], a.furthest)
	}
	for _, n := range furthest {
		spent += n
	}
	if e.completed {
		spent = max(spent, e.steps)
	}
	taken := map[string]bool{}
	for i := len(e.attempts) - 1; i >= 0; i-- { // of one stream the newest attempt holds what is left
		a := e.attempts[i]
		stream := e.streamOf(a)
		known := a.stream != "" || e.seeded
		if !a.alive || known && taken[stream] {
			continue
		}
		left := e.steps
		if known {
			taken[stream] = true
			left = max(0, e.steps-furthest[stream])
		}
		holds = append(holds, hold{a.number, left, a.until})
	}
	return max(spent, e.spent), holds
}

// streamOf is a's noise stream; seeded noise is one stream whatever happens.
func (e entry) streamOf(a streamed) string {
	if e.seeded {
		return ""
	}
	return a.stream
}

func sumOf(holds []hold) (n int) {
	for _, h := range holds {
		n += h.steps
	}
	return n
}

// settle brings the trial's place in the ledger up to date with its attempts.
func settle(ctx context.Context, tx *sql.Tx, trial int64) error {
	if selected, err := isSelection(ctx, tx, trial); err != nil || selected {
		return err // it is charged as a whole
	}
	e, err := readEntry(ctx, tx, trial)
	if err != nil || len(e.attempts) == 0 {
		return err
	}
	return e.write(ctx, tx)
}

func (e entry) write(ctx context.Context, tx *sql.Tx) error {
	spent, holds := e.charged()
	account, err := accountOf(ctx, tx, e.data)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO ledger (trial, account, sample_rate, noise_multiplier, spent, held, opened, changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
		ON CONFLICT (trial) DO UPDATE SET spent = ?5, held = ?6, changed = ?7 WHERE spent <> ?5 OR held <> ?6`,
		e.id, account, e.step.rate, e.step.noise, spent, sumOf(holds), now()); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM holds WHERE trial = ?`, e.id); err != nil {
		return err
	}
	for _, h := range holds {
		if _, err := tx.ExecContext(ctx, `INSERT INTO holds (trial, attempt, steps, until) VALUES (?, ?, ?, ?)`, e.id, h.attempt, h.steps, h.until); err != nil {
			return err
		}
	}
	return nil
}

// accountOf is the account of the data set of that name, which is opened if need be.
func accountOf(ctx context.Context, tx *sql.Tx, data string) (account int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT account FROM account_names WHERE name = ?`, data).Scan(&account)
	if !errors.Is(err, sql.ErrNoRows) {
		return account, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO accounts (unit, relation, version) VALUES (?, ?, 0)`, ledgerUnit, ledgerRelation)
	if err != nil {
		return 0, err
	}
	if account, err = res.LastInsertId(); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO account_names (name, account) VALUES (?, ?)`, data, account)
	return account, err
}

// release lets go of what attempts hold that can no longer be alive.
func release(ctx context.Context, tx *sql.Tx) error {
	// A lease that ends later than one that begins now is from before the clock
	// was set back. It begins anew: nobody waits until the clock has caught up.
	for _, shorten := range []string{
		`UPDATE attempts SET doubtful_until = ?1 WHERE doubtful_until > ?1`, `UPDATE holds SET until = ?1 WHERE until > ?1`,
	} {
		if _, err := tx.ExecContext(ctx, shorten, doubtful()); err != nil {
			return err
		}
	}
	trials, err := gather(ctx, tx, func(rows *sql.Rows) (key int64, err error) { return key, rows.Scan(&key) }, `
		SELECT DISTINCT t.key FROM holds h JOIN trials t ON t.id = h.trial WHERE h.until IS NOT NULL AND h.until <= ?`, now())
	if err != nil {
		return err
	}
	for _, t := range trials {
		if err := settle(ctx, tx, t); err != nil {
			return err
		}
	}
	return nil
}

// learn notes which content the data set of a trial turned out to have. Content
// that another name has had before makes the two one account.
func learn(ctx context.Context, tx *sql.Tx, trial int64, digest string) error {
	var name string
	var train, validation int
	if err := tx.QueryRowContext(ctx, `SELECT data, train_examples, validation_examples FROM trials WHERE key = ?`, trial).
		Scan(&name, &train, &validation); err != nil {
		return err
	}
	mine, err := accountOf(ctx, tx, name)
	if err != nil || digest == "" {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO fingerprints (digest, name, train_examples, validation_examples, first_seen) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		digest, name, train, validation, now()); err != nil {
		return err
	}
	others, err := gather(ctx, tx, func(rows *sql.Rows) (key int64, err error) { return key, rows.Scan(&key) }, `
		SELECT DISTINCT n.account FROM fingerprints f JOIN account_names n ON n.name = f.name WHERE f.digest = ? AND n.account <> ?`, digest, mine)
	if err != nil {
		return err
	}
	for _, other := range others {
		if err := merge(ctx, tx, other, mine); err != nil {
			return err
		}
	}
	return nil
}

// merge makes one account of two. Of two budgets the tighter one stands.
func merge(ctx context.Context, tx *sql.Tx, from, into int64) error {
	standing := func(account int64) (b Budget, err error) { return standingBudget(ctx, tx, account) }
	a, err := standing(from)
	if err != nil {
		return err
	}
	b, err := standing(into)
	if err != nil {
		return err
	}
	for _, move := range []string{
		`UPDATE account_names SET account = ?2 WHERE account = ?1`,
		`UPDATE ledger SET account = ?2 WHERE account = ?1`,
		`INSERT INTO ledger_events (account, sweep, created, event) SELECT ?2, sweep, created, event FROM ledger_events WHERE account = ?1 ON CONFLICT DO NOTHING`,
	} {
		if _, err := tx.ExecContext(ctx, move, from, into); err != nil {
			return err
		}
	}
	if tighter := a; a.Set() && (!b.Set() || a.Epsilon < b.Epsilon) {
		tighter.Note = "two names turned out to hold the same data: the tighter of their budgets"
		return addBudget(ctx, tx, into, tighter)
	}
	return nil
}
