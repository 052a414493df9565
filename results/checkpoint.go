package results

import (
	"context"
	"database/sql"
	"fmt"

	"sweep"
)

// whole are the trial's checkpoints that an attempt can go on from, the best
// choice first. Those of a superseded attempt are not among them: they are
// never taken over.
func whole(ctx context.Context, q queryer, trial int64) ([]sweep.CheckpointRef, error) {
	all, err := gather(ctx, q, func(rows *sql.Rows) (c sweep.CheckpointRef, err error) {
		return c, rows.Scan(&c.Attempt, &c.Step, &c.File, &c.Digest, &c.Bytes, &c.Accuracy, &c.Store)
	}, `SELECT attempt, step, file, digest, bytes, coalesce(accuracy, 0), store FROM checkpoints
		WHERE trial = ? AND flaw = '' ORDER BY attempt, step`, trial)
	return sweep.KeptCheckpoints(all), err
}

func addCheckpoints(ctx context.Context, tx *sql.Tx, a attempt, checkpoints []sweep.CheckpointRef) error {
	for _, c := range checkpoints {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO checkpoints (trial, attempt, step, file, digest, bytes, accuracy, store) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes, accuracy = excluded.accuracy, store = excluded.store`,
			a.trial, a.number, c.Step, clean(c.File), clean(c.Digest), c.Bytes, given(c.Accuracy, c.Accuracy > 0), clean(c.Store)); err != nil {
			return fmt.Errorf("checkpoint of step %d: %w", c.Step, err)
		}
	}
	return nil
}

func addFlaws(ctx context.Context, tx *sql.Tx, a attempt, flaws []sweep.Flaw) error {
	for _, f := range flaws {
		c := f.Checkpoint
		if _, err := tx.ExecContext(ctx, `UPDATE checkpoints SET flaw = ? WHERE trial = ? AND attempt = ? AND step = ? AND file = ?`,
			fmt.Sprintf("attempt %d: %s", a.number, clean(f.Reason)), a.trial, c.Attempt, c.Step, c.File); err != nil {
			return fmt.Errorf("flaw of the checkpoint of step %d: %w", c.Step, err)
		}
	}
	return nil
}

// CheckpointStores lists the URLs of the stores in which attempts at the trial
// have kept checkpoints.
func (r *Reader) CheckpointStores(ctx context.Context, trial sweep.TrialID) ([]string, error) {
	stores, err := gather(ctx, r.db, func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) },
		`SELECT DISTINCT c.store FROM checkpoints c JOIN trials t ON t.key = c.trial WHERE t.key = `+named("?1")+` AND c.store <> ''`, trial)
	if err != nil {
		return nil, fmt.Errorf("checkpoint stores of trial %s: %w", trial, explain(err))
	}
	return stores, nil
}

// Final reports whether the trial is completed or has failed for good.
func (r *Reader) Final(ctx context.Context, trial sweep.TrialID) (final bool, err error) {
	err = r.db.QueryRowContext(ctx, `SELECT count(*) FROM trials WHERE key = `+named("?1")+` AND state IN ('completed', 'failed')`, trial).Scan(&final)
	if err != nil {
		err = fmt.Errorf("state of trial %s: %w", trial, explain(err))
	}
	return final, err
}
