package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sweep"
	"sweep/privacy"
)

// priceList remembers prices, since repeats and most axes of a grid leave the
// event as it is. It is used under the write lock only.
type priceList map[question]price

// A price is what an accountant says, and who that was.
type price struct {
	epsilon float64
	version string
}

type question struct {
	event      string
	delta      float64
	accountant privacy.Accountant
}

// maxPrices bounds what a priceList remembers.
const maxPrices = 10_000

func (p priceList) of(q question) (price, error) {
	if known, ok := p[q]; ok {
		return known, nil
	}
	event, err := privacy.UnmarshalEvent([]byte(q.event))
	if err != nil {
		return price{}, err
	}
	asked, err := ask(q.accountant, event, q.delta)
	if err != nil {
		return price{}, err
	}
	if len(p) >= maxPrices {
		clear(p)
	}
	p[q] = asked
	return asked, nil
}

// ask has a price e. Where a does not apply, the certified accountant answers
// instead, under its own name: both are upper bounds.
func ask(a privacy.Accountant, e privacy.Event, delta float64) (price, error) {
	ε, err := a.Epsilon(e, delta)
	if errors.Is(err, privacy.ErrNotApplicable) {
		a = privacy.Certified
		ε, err = a.Epsilon(e, delta)
	}
	return price{ε, a.Version()}, err
}

// Recount empties the derived tables of what trials did and cost, and the sums
// that are kept, and fills them again from attempts, parameters and outcomes. If
// a is not "" it becomes the accountant of every sweep; otherwise each keeps its
// own. It returns how many trials have a price.
func (s *Store) Recount(ctx context.Context, a privacy.Accountant) (int, error) {
	n := 0
	err := s.inTx(ctx, "recount", func(ctx context.Context, tx *sql.Tx) (err error) {
		n, err = recount(ctx, tx, s.prices, a)
		clear(s.rooms) // they hold sums of the ledger
		return err
	})
	return n, err
}

func recount(ctx context.Context, tx *sql.Tx, prices priceList, a privacy.Accountant) (int, error) {
	if a != "" {
		if _, err := privacy.ParseAccountant(string(a)); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE sweeps SET accountant = ?`, string(a)); err != nil {
			return 0, err
		}
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM costs; DELETE FROM privacy_events`); err != nil {
		return 0, err
	}
	trials, err := gather(ctx, tx, func(rows *sql.Rows) (key int64, err error) {
		return key, rows.Scan(&key)
	}, `SELECT DISTINCT trial FROM attempts`)
	if err != nil {
		return 0, err
	}
	for _, t := range trials {
		if err := charge(ctx, tx, prices, t); err != nil {
			return 0, err
		}
	}
	if err := refill(ctx, tx); err != nil {
		return 0, err
	}
	n := 0
	err = tx.QueryRowContext(ctx, `SELECT count(DISTINCT trial) FROM costs`).Scan(&n)
	return n, err
}

// charge writes down what the trial has done to its data so far and prices it.
//
// Steps are counted for each noise stream by the furthest one reported under
// its name, and added up over the streams; a completed trial is charged its
// own steps at least. That is an upper bound of what was released:
//
//   - Repeating steps of one stream (from its checkpoint, or from the start)
//     repeats the same batches with the same noise, which tells nothing new.
//   - Steps that a trainer made and never reported left no trace outside its
//     process but a checkpoint, which holds the key itself and is private as
//     the data are. An attempt that continues such a checkpoint continues its
//     stream too, and reports further steps of it.
//   - A new stream spends anew from wherever it starts. Counting it from step 1
//     can only add.
//
// It takes the moment at which an attempt dies to be independent of the data.
// Seeded noise is one stream whatever happens, so its trials are charged the
// furthest step once.
func charge(ctx context.Context, tx *sql.Tx, prices priceList, trial int64) error {
	if err := settle(ctx, tx, trial); err != nil {
		return err
	}
	event, repeated, err := eventOf(ctx, tx, trial)
	if err != nil || event.Steps == 0 {
		return err
	}
	text, err := privacy.MarshalEvent(event)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO privacy_events (trial, steps, repeated, event) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET steps = excluded.steps, repeated = excluded.repeated, event = excluded.event`,
		trial, event.Steps, repeated, string(text)); err != nil {
		return err
	}
	return prices.price(ctx, tx, trial, string(text))
}

// eventOf is what charge writes down, and how many of its steps were made again
// with fresh noise.
func eventOf(ctx context.Context, q queryer, trial int64) (event privacy.DPSGD, repeated int, err error) {
	var p sweep.Params
	var state sweep.State
	var sum, furthest int
	err = q.QueryRowContext(ctx, `
		SELECT batch_size, train_examples, noise_multiplier, noise, steps, state FROM trials WHERE key = ?`, trial,
	).Scan(&p.Batch, &p.Data.Train, &p.Noise, &p.NoiseFrom, &p.Steps, &state)
	if err == nil {
		err = q.QueryRowContext(ctx, `
			SELECT coalesce(sum(furthest), 0), coalesce(max(furthest), 0)
			FROM (SELECT max(steps) AS furthest FROM (
				SELECT coalesce(noise_id, '') AS stream, last_step AS steps FROM attempts WHERE trial = ?1
				UNION ALL SELECT noise_id, steps FROM imported_streams WHERE trial = ?1
			) GROUP BY stream)`, trial).Scan(&sum, &furthest)
	}
	if err != nil {
		return event, 0, fmt.Errorf("what trial %d did: %w", trial, err)
	}
	if p.NoiseFrom == sweep.Seeded {
		sum = furthest
	}
	steps := sum
	if state == sweep.Completed {
		steps = max(steps, p.Steps)
	}
	return mechanism(p, steps), sum - furthest, nil
}

// mechanism is so many steps of p, as accounting sees them.
func mechanism(p sweep.Params, steps int) privacy.DPSGD {
	return privacy.DPSGD{SampleRate: p.SampleRate(), Noise: p.Noise, Steps: steps}
}

// price has the accountant of each sweep that lists the trial price its event. A
// question that has no answer leaves the trial unpriced, which readers show: that
// something was done must be written down whether or not we can say what it cost.
func (p priceList) price(ctx context.Context, tx *sql.Tx, trial int64, event string) error {
	questions, err := gather(ctx, tx, func(rows *sql.Rows) (question, error) {
		q := question{event: event}
		err := rows.Scan(&q.delta, &q.accountant)
		return q, err
	}, `SELECT DISTINCT st.delta, s.accountant FROM sweep_trials st JOIN sweeps s ON s.key = st.sweep WHERE st.trial = ?`, trial)
	if err != nil {
		return err
	}
	for _, q := range questions {
		found, err := p.of(q)
		if err != nil {
			if _, err := tx.ExecContext(ctx, `DELETE FROM costs WHERE trial = ? AND delta = ? AND accountant = ?`, trial, q.delta, string(q.accountant)); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO costs (trial, delta, accountant, version, epsilon) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET version = excluded.version, epsilon = excluded.epsilon`,
			trial, q.delta, string(q.accountant), found.version, found.epsilon); err != nil {
			return err
		}
	}
	return nil
}
