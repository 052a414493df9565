package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"sweep"
	"sweep/privacy"
)

// A private selection is one row of trials, which stands for all that it draws:
// neither how many trials those are, nor which, nor what they measured is in the
// record. Once it is decided the row is the best trial's. Its account is charged
// as a whole before it begins, by the theorem of Papernot and Steinke, which
// counts whatever number may be drawn.

// named is the key of the trial of that id, given as a parameter of a query. A
// private selection is found by the id it had before it was decided, too.
func named(id string) string {
	return `coalesce((SELECT trial FROM selections WHERE slot = ` + id + `), (SELECT key FROM trials WHERE id = ` + id + `))`
}

// isSelection reports whether the trial stands for a private selection.
func isSelection(ctx context.Context, q queryer, trial int64) (is bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM selections WHERE trial = ?)`, trial).Scan(&is)
	return is, err
}

// enterSelection makes the trial stand for a private selection that does e.
func enterSelection(ctx context.Context, tx *sql.Tx, sweepKey, trial int64, slot sweep.TrialID, e privacy.Event) error {
	text, err := privacy.MarshalEvent(e)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO selections (slot, trial, sweep, event) VALUES (?, ?, ?, ?)`, string(slot), trial, sweepKey, string(text))
	return err
}

// selectionOf is the private selection that the trial stands for, with the name
// of its draw, and nil if it stands for none.
func selectionOf(ctx context.Context, tx *sql.Tx, trial int64) (sel *sweep.Selection, draw string, err error) {
	sel = new(sweep.Selection)
	err = tx.QueryRowContext(ctx, `
		SELECT r.file, r.text, coalesce(st.target_epsilon, 0), coalesce(x.draw, '')
		FROM selections x JOIN sweeps s ON s.key = x.sweep JOIN revisions r ON r.sweep = s.key AND r.number = s.revision
		JOIN sweep_trials st ON st.sweep = x.sweep AND st.trial = x.trial WHERE x.trial = ?`, trial).Scan(&sel.File, &sel.Text, &sel.Target, &draw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", nil
	}
	return sel, draw, err
}

// eventsOf is all that the sweep's private selections do to the data, each a
// release of its own; nil if it has none.
func eventsOf(ctx context.Context, q queryer, sweepKey int64) (privacy.Composed, error) {
	texts, err := gather(ctx, q, func(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) },
		`SELECT event FROM selections WHERE sweep = ? ORDER BY slot`, sweepKey)
	var all privacy.Composed
	for _, text := range texts {
		e, err := privacy.UnmarshalEvent([]byte(text))
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, err
}

// chargeSelections charges the account of the data with all private selections of
// the sweep, unless it is charged already. It says why the budget has no room for
// them, nil if it has. What is charged stays so, whatever becomes of the sweep.
func chargeSelections(ctx context.Context, tx *sql.Tx, sweepKey int64, id sweep.SweepID, data string) (*refusal, error) {
	account, err := accountOf(ctx, tx, data)
	if err != nil {
		return nil, err
	}
	var charged bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM ledger_events WHERE sweep = ?)`, string(id)).Scan(&charged); err != nil || charged {
		return nil, err
	}
	all, err := eventsOf(ctx, tx, sweepKey)
	if err != nil {
		return nil, err
	}
	if err := release(ctx, tx); err != nil {
		return nil, err
	}
	budget, err := standingBudget(ctx, tx, account)
	if err != nil {
		return nil, err
	}
	if budget.Set() {
		done, err := readSpending(ctx, tx, account)
		if err != nil {
			return nil, err
		}
		with := append(done.events, all...)
		if ε := priceTogether(done.counts(true), with, budget.Delta); ε > float64(budget.Epsilon) {
			return &refusal{
				text: fmt.Sprintf("the privacy budget of %s, epsilon %s at delta %s, has no room for the private selection of this sweep: with it, what is spent and reserved would cost %s",
					data, short(float64(budget.Epsilon)), short(budget.Delta), privacy.FormatEpsilon(ε, 4)),
				wait: priceTogether(done.counts(false), with, budget.Delta) <= float64(budget.Epsilon),
			}, nil
		}
	}
	text, err := selectionEvent(ctx, tx, sweepKey)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO ledger_events (account, sweep, created, event) VALUES (?, ?, ?, ?)`, account, string(id), now(), text)
	return nil, err
}

// selectionEvent is all that the sweep's private selections do, as the ledger has it.
func selectionEvent(ctx context.Context, q queryer, sweepKey int64) (string, error) {
	all, err := eventsOf(ctx, q, sweepKey)
	if err != nil {
		return "", err
	}
	event := privacy.Event(all)
	if len(all) == 1 {
		event = all[0]
	}
	text, err := privacy.MarshalEvent(event)
	return string(text), err
}

// noteDraw keeps the name of the draw that the trial's attempt has reported.
func noteDraw(ctx context.Context, tx *sql.Tx, trial int64, draw string) error {
	if draw == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE selections SET draw = ? WHERE trial = ? AND draw IS NULL`, draw, trial)
	return err
}

// RecordWin enters the best trial of the private selection that ref's attempt has
// decided. From then on the selection's row is that trial's, under its own id.
//
// The row bears no times but the sweep's first: how long the attempts took, next
// to how long one trial does, would tell how many there were.
//
// Errors are those of [Store.Record], and so is what repeating it does.
func (s *Store) RecordWin(ctx context.Context, ref sweep.AttemptRef, w sweep.Win) error {
	return s.inTx(ctx, "record the winner of "+nameOf(ref), func(ctx context.Context, tx *sql.Tx) error {
		return recordWin(ctx, tx, s.prices, ref, w)
	})
}

func recordWin(ctx context.Context, tx *sql.Tx, prices priceList, ref sweep.AttemptRef, w sweep.Win) error {
	a, err := findAttempt(ctx, tx, ref)
	if err != nil {
		return err
	}
	switch is, err := isSelection(ctx, tx, a.trial); {
	case err != nil:
		return err
	case !is:
		return fmt.Errorf("it is no private selection: %w", sweep.ErrConflict)
	}
	if a.state != sweep.Completed && !a.superseded() && !a.ended {
		if err := rename(ctx, tx, a.trial, w); err != nil {
			return err
		}
	}
	if err := record(ctx, tx, prices, ref, w.Outcome); err != nil {
		return err
	}
	if err := addMetrics(ctx, tx, a, w.Test); err != nil {
		return err
	}
	const entered = `(SELECT s.created FROM sweeps s JOIN selections x ON x.sweep = s.key WHERE x.trial = ?1)`
	for _, forget := range []string{
		`UPDATE attempts SET started = ` + entered + `, ended = ` + entered + ` WHERE trial = ?1`,
		`UPDATE outcomes SET recorded = ` + entered + ` WHERE trial = ?1`,
	} {
		if _, err := tx.ExecContext(ctx, forget, a.trial); err != nil {
			return err
		}
	}
	return nil
}

// rename makes the trial's row that of the winner.
func rename(ctx context.Context, tx *sql.Tx, trial int64, w sweep.Win) error {
	p := w.Params
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := mechanism(p, p.Steps).Check(); err != nil {
		return errors.Join(err, sweep.ErrConflict)
	}
	res, err := tx.ExecContext(ctx, `
		UPDATE trials SET id = ?, point = ?, model = ?, batch_size = ?, clip_norm = ?, noise_multiplier = ?, learning_rate = ?,
			augmult = ?, augment = ?, steps = ?, ema = ?, seed = ?, params = ?
		WHERE key = ? AND data = ? AND train_examples = ? AND validation_examples = ? AND noise = ? AND trainer = ?`,
		string(p.ID()), string(p.Point()), p.Model, p.Batch, p.Clip, p.Noise, p.LearnRate,
		p.AugMult, string(p.Augment), p.Steps, p.EMA, int64(p.Seed), string(text),
		trial, p.Data.Name, p.Data.Train, p.Data.Validation, string(p.NoiseFrom), p.Trainer)
	if err != nil {
		return err
	}
	if n, _ := res.RowsAffected(); n == 0 { // SQLite always knows the count
		return fmt.Errorf("its winner is on other data, with other noise or by another trainer than its sweep asks for: %w", sweep.ErrConflict)
	}
	_, err = tx.ExecContext(ctx, `UPDATE sweep_trials SET label = ? WHERE trial = ?`, clean(w.Label), trial)
	return err
}
