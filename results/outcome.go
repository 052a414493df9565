package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"sweep"
)

// Record enters the outcome of the trial that ref's attempt has finished, what
// was done to the data, and what that cost by the accountant of each sweep that
// lists the trial.
//
// It is refused with [sweep.ErrFenced] if the attempt was superseded or has
// ended, and with [sweep.ErrConflict] if the trial has another outcome or this
// one cannot be the trial's. Recording the same twice is no error.
func (s *Store) Record(ctx context.Context, ref sweep.AttemptRef, o sweep.Outcome) error {
	return s.inTx(ctx, "record outcome of "+nameOf(ref), func(ctx context.Context, tx *sql.Tx) error {
		return record(ctx, tx, s.prices, ref, o)
	})
}

func record(ctx context.Context, tx *sql.Tx, prices priceList, ref sweep.AttemptRef, o sweep.Outcome) error {
	a, err := findAttempt(ctx, tx, ref)
	switch {
	case err != nil:
		return err
	case a.superseded():
		return sweep.ErrFenced
	case a.state == sweep.Completed:
		return sameOutcome(ctx, tx, a, o)
	case a.ended:
		return fmt.Errorf("it has ended before, as %s: %w", a.failure, sweep.ErrFenced)
	}
	if err := plausible(o, a.steps); err != nil {
		return errors.Join(err, sweep.ErrConflict)
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO outcomes (trial, attempt, recorded, accuracy, last_accuracy, loss, split, examples, steps,
			non_finite, data_digest, weights_digest, trainer, seconds)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.trial, a.number, now(), o.Accuracy, o.LastAccuracy, o.Loss, string(o.Split), o.Examples, o.Steps,
		o.NonFinite, o.DataDigest, o.WeightsDigest, clean(o.Trainer), o.Seconds); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE attempts SET ended = ?, last_step = max(last_step, ?) WHERE trial = ? AND number = ?`,
		now(), o.Steps, a.trial, a.number); err != nil {
		return err
	}
	if err := learn(ctx, tx, a.trial, o.DataDigest); err != nil {
		return err
	}
	if err := charge(ctx, tx, prices, a.trial); err != nil {
		return err
	}
	// Last, so that its point is added up once, with its price.
	_, err = tx.ExecContext(ctx, `UPDATE trials SET state = 'completed' WHERE key = ?`, a.trial)
	return err
}

// plausible complains about an outcome that no trial of so many steps can have.
func plausible(o sweep.Outcome, steps int) error {
	if o.Steps != steps {
		return fmt.Errorf("outcome after %d steps, the trial has %d", o.Steps, steps)
	}
	for _, v := range []struct {
		name string
		x    float64
	}{{"accuracy", o.Accuracy}, {"last accuracy", o.LastAccuracy}} {
		if !(v.x >= 0 && v.x <= 1) {
			return fmt.Errorf("outcome has %s %v, which is not a share from 0 to 1", v.name, v.x)
		}
	}
	if x := o.Loss + o.Seconds; math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Errorf("outcome has loss %v and %v seconds, which are not both finite", o.Loss, o.Seconds)
	}
	return nil
}

func sameOutcome(ctx context.Context, tx *sql.Tx, a attempt, o sweep.Outcome) error {
	was, err := outcome(ctx, tx, a.trial)
	if err != nil {
		return err
	}
	o.Trainer = clean(o.Trainer)
	if was != o {
		return fmt.Errorf("recorded with accuracy %v and weights %s, now given %v and %s: %w",
			was.Accuracy, was.WeightsDigest, o.Accuracy, o.WeightsDigest, sweep.ErrConflict)
	}
	return nil
}

func outcome(ctx context.Context, q queryer, trial int64) (o sweep.Outcome, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT accuracy, last_accuracy, loss, split, examples, steps, non_finite, data_digest, weights_digest, trainer, seconds
		FROM outcomes WHERE trial = ?`, trial).Scan(&o.Accuracy, &o.LastAccuracy, &o.Loss, &o.Split, &o.Examples, &o.Steps,
		&o.NonFinite, &o.DataDigest, &o.WeightsDigest, &o.Trainer, &o.Seconds)
	return o, err
}
