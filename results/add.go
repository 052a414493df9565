package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"

	"sweep"
	"sweep/privacy"
)

// A SweepRecord is a sweep as its file asks for it.
type SweepRecord struct {
	ID         sweep.SweepID // of the sweep; when a changed file extends it, still that of its first file
	Name       string
	File       string // path of the file, for people
	Text       string // the whole file
	Accountant privacy.Accountant
	Delta      float64           // in (0, 1)
	OwnSeeds   bool              // its seeds are its own, so that no other sweep's results count for it; of a sweep that is in the record already, what it was
	Disclosure string            // "research", "composed" or [sweep.PrivateSelect]
	Most       int               // trials that its strategy may come to; 0 where the file lists them all
	Versions   map[string]string // of the programs and libraries that read the file
}

// A TrialRecord is a trial as its sweep's file asks for it.
type TrialRecord struct {
	Params        sweep.Params
	Index         int     // in the order of the grid, from 0
	Repeat        int     // of its point, from 0
	Label         string  // what varies in the sweep, for people
	TargetEpsilon float64 // the noise was calibrated for it, +Inf for the baseline without noise; 0 if the file gave the noise multiplier
	Delta         float64 // at which epsilon is asked; in (0, 1)
	Asked         string  // what a strategy asked for, as it wants to be told again; "" where the file lists the trial
	Proxy         bool    // it stands in for another trial, for the search alone

	Select *privacy.Select // what it does, where it stands for a private selection; nil if it is a trial
}

// Added says what a file's trials were to the record. New, Known and Reused
// together are all that the file lists.
type Added struct {
	New    int `json:"new"`    // to be run
	Known  int `json:"known"`  // in the sweep before
	Reused int `json:"reused"` // new to the sweep, but another sweep has completed them
	Gone   int `json:"gone"`   // in the sweep before, and the file lists them no more: they are not run, their results stay
}

// AddSweep enters a sweep with its trials, or extends one that is in the record
// under the same ID: a text other than its newest is kept as a new revision,
// and trials that it does not list any more are set aside. Adding the same
// again changes nothing.
//
// Trials completed by another sweep are taken as they are, and priced by this
// sweep's accountant; one that failed elsewhere gets another chance. AddSweep
// draws trials while it holds the write lock, so they should come without waiting.
// If they end in an error, nothing is added and the error is returned.
func (s *Store) AddSweep(ctx context.Context, r SweepRecord, trials iter.Seq2[TrialRecord, error]) (Added, error) {
	var added Added
	err := s.inTx(ctx, fmt.Sprintf("add sweep %s", r.ID), func(ctx context.Context, tx *sql.Tx) error {
		a, err := enter(ctx, tx, s.prices, r)
		if err != nil {
			return err
		}
		defer a.close()
		if err := a.all(ctx, trials); err != nil {
			return err
		}
		added, err = a.finish(ctx)
		return err
	})
	return added, err
}

// Compare says what [Store.AddSweep] would do with the same arguments, and does nothing.
func (r *Reader) Compare(ctx context.Context, id sweep.SweepID, trials iter.Seq2[TrialRecord, error]) (Added, error) {
	added, err := compare(ctx, r.db, id, trials)
	if err != nil {
		return Added{}, fmt.Errorf("compare with sweep %s: %w", id, explain(err))
	}
	return added, nil
}

func compare(ctx context.Context, db *sql.DB, id sweep.SweepID, trials iter.Seq2[TrialRecord, error]) (Added, error) {
	tx, err := db.BeginTx(ctx, nil) // one snapshot
	if err != nil {
		return Added{}, err
	}
	defer tx.Rollback()
	var key, had int64
	err = tx.QueryRowContext(ctx, `SELECT key, (SELECT count(*) FROM sweep_trials WHERE sweep = s.key) FROM sweeps s WHERE id = ?`, id).Scan(&key, &had)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Added{}, err
	}
	find, err := tx.PrepareContext(ctx, findTrial)
	if err != nil {
		return Added{}, err
	}
	defer find.Close()
	var added Added
	seen := map[sweep.TrialID]bool{}
	for t, err := range trials {
		if err != nil {
			return Added{}, err
		}
		id := t.Params.ID()
		var f found
		if err := f.scan(find.QueryRowContext(ctx, key, id)); err != nil {
			return Added{}, err
		}
		f.linked = f.linked || seen[id]
		seen[id] = true
		added.count(f)
	}
	added.Gone = int(had) - added.Known
	return added, nil
}

// findTrial looks a trial up, and whether a sweep lists it. (As an outer join
// SQLite would compile it anew for each trial.)
var findTrial = `
	SELECT t.key, t.state, EXISTS (SELECT 1 FROM sweep_trials WHERE sweep = ?1 AND trial = t.key)
	FROM trials t WHERE t.key = ` + named("?2")

// found is what the record knows of a trial; its zero value is nothing.
type found struct {
	key    int64
	state  sweep.State
	linked bool // the sweep lists it
}

func (f *found) scan(row *sql.Row) error {
	err := row.Scan(&f.key, &f.state, &f.linked)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

func (a *Added) count(f found) {
	switch {
	case f.linked:
		a.Known++
	case f.state == sweep.Completed:
		a.Reused++
	default:
		a.New++
	}
}

// adder enters one sweep's trials.
type adder struct {
	tx       *sql.Tx
	prices   priceList
	sweep    int64
	revision int
	added    Added

	find, insert, link, relink *sql.Stmt
}

// enter writes the sweep's own row and revision.
func enter(ctx context.Context, tx *sql.Tx, prices priceList, r SweepRecord) (*adder, error) {
	if _, err := privacy.ParseAccountant(string(r.Accountant)); err != nil {
		return nil, err
	}
	a := &adder{tx: tx, prices: prices}
	at := now()
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO sweeps (id, name, created, revision, state, reason, changed, accountant, delta, disclosure, own_seeds)
		VALUES (?1, ?2, ?3, 0, 'created', '', ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING`,
		r.ID, r.Name, at, r.Accountant, r.Delta, r.Disclosure, r.OwnSeeds); err != nil {
		return nil, err
	}
	var newest string
	err := tx.QueryRowContext(ctx, `
		SELECT s.key, s.revision, coalesce(r.text, '')
		FROM sweeps s LEFT JOIN revisions r ON r.sweep = s.key AND r.number = s.revision WHERE s.id = ?`,
		r.ID).Scan(&a.sweep, &a.revision, &newest)
	if err != nil {
		return nil, err
	}
	if a.revision == 0 || newest != r.Text {
		if err := a.revise(ctx, r, at); err != nil {
			return nil, err
		}
	}
	return a, a.prepare(ctx)
}

// revise keeps a new text and makes its settings the sweep's.
func (a *adder) revise(ctx context.Context, r SweepRecord, at string) error {
	versions, err := json.Marshal(r.Versions)
	if err != nil {
		return err
	}
	a.revision++
	if _, err := a.tx.ExecContext(ctx, `
		INSERT INTO revisions (sweep, number, created, file, text, accountant, delta, disclosure, versions)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.sweep, a.revision, at, r.File, r.Text, r.Accountant, r.Delta, r.Disclosure, string(versions)); err != nil {
		return err
	}
	_, err = a.tx.ExecContext(ctx, `
		UPDATE sweeps SET name = ?, revision = ?, accountant = ?, delta = ?, disclosure = ?, most = ? WHERE key = ?`,
		r.Name, a.revision, r.Accountant, r.Delta, r.Disclosure, sql.Null[int]{V: r.Most, Valid: r.Most > 0}, a.sweep)
	return err
}

func (a *adder) prepare(ctx context.Context) (err error) {
	for _, p := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&a.find, findTrial},
		{&a.insert, `
			INSERT INTO trials (id, point, state, attempt, data, train_examples, validation_examples, model, batch_size, clip_norm,
				noise_multiplier, learning_rate, augmult, augment, steps, ema, noise, trainer, seed, params)
			VALUES (?, ?, 'pending', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&a.link, `
			INSERT INTO sweep_trials (sweep, trial, position, repeat, label, target_epsilon, delta, asked, proxy, revision, gone, forgiven, state)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, ?11)`},
		{&a.relink, `
			UPDATE sweep_trials SET position = ?3, repeat = ?4, label = ?5, target_epsilon = ?6, delta = ?7, asked = ?8, proxy = ?9,
				revision = ?10, gone = 0
			WHERE sweep = ?1 AND trial = ?2 AND revision < ?10`},
	} {
		if *p.stmt, err = a.tx.PrepareContext(ctx, p.query); err != nil {
			return errors.Join(err, a.close())
		}
	}
	return nil
}

func (a *adder) close() (err error) {
	for _, stmt := range []*sql.Stmt{a.find, a.insert, a.link, a.relink} {
		if stmt != nil {
			err = errors.Join(err, stmt.Close())
		}
	}
	return err
}

// all enters trials.
func (a *adder) all(ctx context.Context, trials iter.Seq2[TrialRecord, error]) error {
	for t, err := range trials {
		if err != nil {
			return err
		}
		if err := a.trial(ctx, t); err != nil {
			return fmt.Errorf("trial %d (%s): %w", t.Index, t.Label, err)
		}
	}
	return nil
}

// trial enters one trial and links it to the sweep.
func (a *adder) trial(ctx context.Context, t TrialRecord) error {
	if err := mechanism(t.Params, t.Params.Steps).Check(); err != nil {
		return err // it could never be priced
	}
	id := t.Params.ID()
	var f found
	if err := f.scan(a.find.QueryRowContext(ctx, a.sweep, id)); err != nil {
		return err
	}
	a.added.count(f)
	if f.key == 0 {
		var err error
		if f.key, err = a.create(ctx, id, t.Params); err != nil {
			return err
		}
		f.state = sweep.Pending
		if t.Select != nil {
			if err := enterSelection(ctx, a.tx, a.sweep, f.key, id, *t.Select); err != nil {
				return err
			}
		}
	}
	if t.Select != nil && f.linked { // what it stands for may be decided
		_, err := a.tx.ExecContext(ctx, `UPDATE sweep_trials SET revision = ?3, gone = 0 WHERE sweep = ?1 AND trial = ?2`, a.sweep, f.key, a.revision)
		return err
	}
	if f.state == sweep.Failed && !f.linked {
		if _, err := a.tx.ExecContext(ctx, `UPDATE trials SET state = 'pending' WHERE key = ?`, f.key); err != nil {
			return err
		}
		f.state = sweep.Pending
	}
	write, args := a.link, []any{a.sweep, f.key, t.Index, t.Repeat, t.Label, optional(t.TargetEpsilon), t.Delta, t.Asked, t.Proxy, a.revision, string(f.state)}
	if f.linked {
		write, args = a.relink, args[:len(args)-1]
	}
	if _, err := write.ExecContext(ctx, args...); err != nil {
		return err
	}
	if f.state != sweep.Completed {
		return nil
	}
	var event string
	if err := a.tx.QueryRowContext(ctx, `SELECT event FROM privacy_events WHERE trial = ?`, f.key).Scan(&event); err != nil {
		return err
	}
	return a.prices.price(ctx, a.tx, f.key, event)
}

func (a *adder) create(ctx context.Context, id sweep.TrialID, p sweep.Params) (int64, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	res, err := a.insert.ExecContext(ctx, string(id), string(p.Point()), p.Data.Name, p.Data.Train, p.Data.Validation, p.Model, p.Batch, p.Clip,
		p.Noise, p.LearnRate, p.AugMult, string(p.Augment), p.Steps, p.EMA, string(p.NoiseFrom), p.Trainer, int64(p.Seed), string(text))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// finish sets aside what the newest file does not list.
func (a *adder) finish(ctx context.Context) (Added, error) {
	if _, err := a.tx.ExecContext(ctx, `UPDATE sweep_trials SET gone = 1 WHERE sweep = ? AND gone = 0 AND revision < ?`, a.sweep, a.revision); err != nil {
		return Added{}, err
	}
	err := a.tx.QueryRowContext(ctx, `SELECT count(*) FROM sweep_trials WHERE sweep = ? AND gone = 1`, a.sweep).Scan(&a.added.Gone)
	return a.added, err
}

// optional is x for a column that is NULL where there is none.
func optional(x float64) any {
	if x == 0 || math.IsNaN(x) {
		return nil
	}
	return x
}
