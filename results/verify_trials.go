package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"sweep"
	"sweep/privacy"
)

func (v *verifier) trials(ctx context.Context) error {
	keys, err := gather(ctx, v.tx, func(rows *sql.Rows) (key int64, err error) { return key, rows.Scan(&key) }, `SELECT key FROM trials ORDER BY key`)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		v.seen.Trials++
		if err := v.trial(ctx, key); err != nil {
			return fmt.Errorf("trial %d: %w", key, err)
		}
	}
	return nil
}

// columns are a trial's parameters as its row has them beside their JSON form.
type columns struct {
	id, point, state, params, data, model, augment, noise, trainer string
	train, validation, batch, augmult, steps, attempt              int
	clip, sigma, rate, ema                                         float64
	seed                                                           int64
}

func (v *verifier) trial(ctx context.Context, key int64) error {
	var c columns
	if err := v.tx.QueryRowContext(ctx, `
		SELECT id, point, state, params, data, model, augment, noise, trainer, train_examples, validation_examples, batch_size, augmult, steps, attempt,
			clip_norm, noise_multiplier, learning_rate, ema, seed FROM trials WHERE key = ?`, key,
	).Scan(&c.id, &c.point, &c.state, &c.params, &c.data, &c.model, &c.augment, &c.noise, &c.trainer, &c.train, &c.validation, &c.batch, &c.augmult, &c.steps,
		&c.attempt, &c.clip, &c.sigma, &c.rate, &c.ema, &c.seed); err != nil {
		return err
	}
	where := "trial " + c.id
	var p sweep.Params
	if err := json.Unmarshal([]byte(c.params), &p); err != nil {
		v.complain(where, "its params are no JSON: %v", err)
		return nil
	}
	v.names(where, c, p)
	if err := v.outcome(ctx, key, where, c, p); err != nil {
		return err
	}
	selected, err := isSelection(ctx, v.tx, key)
	if err != nil {
		return err
	}
	if selected {
		if err := v.selection(ctx, key, where); err != nil {
			return err
		}
	}
	return v.cost(ctx, key, where, selected, sweep.State(c.state))
}

// names compares the row with what its params say.
func (v *verifier) names(where string, c columns, p sweep.Params) {
	if id := p.ID(); string(id) != c.id {
		v.complain(where, "its params are those of trial %s", id)
	}
	if point := p.Point(); string(point) != c.point {
		v.complain(where, "its params are of point %s, and its row says %s", point, c.point)
	}
	should := columns{
		id: c.id, point: c.point, state: c.state, params: c.params, attempt: c.attempt,
		data: p.Data.Name, model: p.Model, augment: string(p.Augment), noise: string(p.NoiseFrom), trainer: p.Trainer,
		train: p.Data.Train, validation: p.Data.Validation, batch: p.Batch, augmult: p.AugMult, steps: p.Steps,
		clip: p.Clip, sigma: p.Noise, rate: p.LearnRate, ema: p.EMA, seed: int64(p.Seed),
	}
	if c != should {
		v.complain(where, "its columns do not say what its params say: %+v, and by params %+v", c, should)
	}
}

// outcome holds the trial's state against what came of its attempts.
func (v *verifier) outcome(ctx context.Context, key int64, where string, c columns, p sweep.Params) error {
	var outcomes, newest, open int
	var steps sql.Null[int]
	var ended sql.Null[bool]
	err := v.tx.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM outcomes WHERE trial = ?1), (SELECT steps FROM outcomes WHERE trial = ?1),
			(SELECT a.ended IS NOT NULL AND a.failure IS NULL FROM outcomes o JOIN attempts a ON a.trial = o.trial AND a.number = o.attempt WHERE o.trial = ?1),
			(SELECT coalesce(max(number), 0) FROM attempts WHERE trial = ?1), (SELECT count(*) FROM attempts WHERE trial = ?1 AND ended IS NULL)`, key,
	).Scan(&outcomes, &steps, &ended, &newest, &open)
	if err != nil {
		return err
	}
	completed := c.state == string(sweep.Completed)
	switch {
	case completed != (outcomes == 1):
		v.complain(where, "it is %s, and has %d outcomes", c.state, outcomes)
	case completed && steps.V != p.Steps:
		v.complain(where, "it is completed after %d steps of %d", steps.V, p.Steps)
	case completed && !ended.V:
		v.complain(where, "the attempt that its outcome is of is not there, has not ended, or failed")
	}
	if newest != c.attempt {
		v.complain(where, "its newest attempt is number %d, and its row says %d", newest, c.attempt)
	}
	if c.state != string(sweep.Running) && open > 0 {
		v.complain(where, "it is %s, and %d attempts have not ended", c.state, open)
	}
	return nil
}

// cost derives the trial's event and its prices again.
func (v *verifier) cost(ctx context.Context, key int64, where string, selected bool, state sweep.State) error {
	event, repeated, err := eventOf(ctx, v.tx, key)
	if err != nil {
		return err
	}
	var steps, again sql.Null[int]
	var text sql.Null[string]
	err = v.tx.QueryRowContext(ctx, `SELECT e.steps, e.repeated, e.event FROM trials t LEFT JOIN privacy_events e ON e.trial = t.key WHERE t.key = ?`, key).
		Scan(&steps, &again, &text)
	if err != nil {
		return err
	}
	if event.Steps == 0 && !text.Valid {
		return nil
	}
	if !selected { // which is charged as a whole
		if err := v.ledger(ctx, key, where); err != nil {
			return err
		}
	}
	if state == sweep.Running { // what its attempt has done since is written down, and priced, when it ends
		if !text.Valid {
			return nil
		}
		event.Steps, repeated = min(event.Steps, steps.V), min(repeated, again.V)
	}
	should, err := privacy.MarshalEvent(event)
	if err != nil {
		return err
	}
	if text.V != string(should) || steps.V != event.Steps || again.V != repeated {
		v.complain(where, "its attempts made %s, %d of them again; recorded is %s, %d again: `sweep recount` writes it anew", should, repeated, text.V, again.V)
	}
	if err := v.priced(ctx, key, where, string(should)); err != nil || state != sweep.Completed {
		return err
	}
	return v.unpriced(ctx, key, where, string(should))
}

func (v *verifier) ledger(ctx context.Context, key int64, where string) error {
	e, err := readEntry(ctx, v.tx, key)
	if err != nil {
		return err
	}
	spent := e.spent
	e.spent = 0
	switch made, _ := e.charged(); {
	case made > spent:
		v.complain(where, "its attempts made %d steps, and the ledger counts %d", made, spent)
	case made < spent:
		v.complain(where, "the ledger counts %d steps, and its attempts here made %d: if others are in a record that was imported while it ran, import that again", spent, made)
	}
	return nil
}

// priced asks every accountant that priced the trial again.
func (v *verifier) priced(ctx context.Context, key int64, where, event string) error {
	type was struct {
		question
		price
	}
	all, err := gather(ctx, v.tx, func(rows *sql.Rows) (w was, err error) {
		w.event = event
		return w, rows.Scan(&w.delta, &w.accountant, &w.version, &w.epsilon)
	}, `SELECT delta, accountant, version, epsilon FROM costs WHERE trial = ?`, key)
	if err != nil {
		return err
	}
	for _, w := range all {
		now, err := v.prices.of(w.question)
		v.seen.Prices++
		switch {
		case err != nil:
			v.complain(where, "%s has no answer any more, and %v is recorded: %v", w.accountant, w.epsilon, err)
		case now.version == w.version && !same(now.epsilon, w.epsilon), now.version != w.version && now.epsilon > w.epsilon*(1+1e-9):
			v.complain(where, "epsilon is %v by %s, and recorded is %v by %s: `sweep recount` writes it anew", now.epsilon, now.version, w.epsilon, w.version)
		}
	}
	return nil
}

// unpriced wants an epsilon by each accountant that can tell one and that a sweep
// asks.
func (v *verifier) unpriced(ctx context.Context, key int64, where, event string) error {
	missing, err := gather(ctx, v.tx, func(rows *sql.Rows) (question, error) {
		q := question{event: event}
		err := rows.Scan(&q.delta, &q.accountant)
		return q, err
	}, `SELECT DISTINCT st.delta, s.accountant FROM sweep_trials st JOIN sweeps s ON s.key = st.sweep
		WHERE st.trial = ? AND st.gone = 0 AND NOT EXISTS (
			SELECT 1 FROM costs c WHERE c.trial = st.trial AND c.delta = st.delta AND c.accountant = s.accountant)`, key)
	for _, q := range missing {
		if now, err := v.prices.of(q); err == nil {
			v.complain(where, "epsilon at delta %v is %v by %s, and none is recorded: `sweep recount` writes it anew", q.delta, now.epsilon, now.version)
		}
	}
	return err
}

// same allows for another processor's rounding.
func same(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b))
}

// selection wants a private selection that was begun to be charged, as what it is.
func (v *verifier) selection(ctx context.Context, key int64, where string) error {
	var sweepKey int64
	var begun int
	var charged sql.Null[string]
	err := v.tx.QueryRowContext(ctx, `
		SELECT x.sweep, (SELECT count(*) FROM attempts a WHERE a.trial = x.trial), (SELECT max(e.event) FROM ledger_events e WHERE e.sweep = s.id)
		FROM selections x JOIN sweeps s ON s.key = x.sweep WHERE x.trial = ?`, key).Scan(&sweepKey, &begun, &charged)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // its sweep is not there, which the file's own check says
	}
	if err != nil || begun == 0 {
		return err
	}
	should, err := selectionEvent(ctx, v.tx, sweepKey)
	if err == nil && charged.V != should {
		v.complain(where, "the private selections of its sweep do %s, and the ledger counts %q", should, charged.V)
	}
	return err
}
