package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"sweep"
)

// An AskedTrial is a trial of a sweep as its strategy has to know it.
type AskedTrial struct {
	ID       sweep.TrialID
	Asked    string // what was asked for; "" where the sweep's file lists the trial
	Repeat   int
	State    sweep.State
	Accuracy float64 // of the averaged weights, where State is completed
}

// ErrGrown says that a sweep has got other trials in the meantime.
var ErrGrown = errors.New("the sweep has got other trials meanwhile")

// Asked lists the trials that the sweep's newest file has, in the order in which
// they were asked for.
func (r *Reader) Asked(ctx context.Context, id sweep.SweepID) ([]AskedTrial, error) {
	key, err := sweepKey(ctx, r.db, id)
	if err != nil {
		return nil, fmt.Errorf("trials of %s: %w", id, explain(err))
	}
	asked, err := gather(ctx, r.db, func(rows *sql.Rows) (t AskedTrial, err error) {
		return t, rows.Scan(&t.ID, &t.Asked, &t.Repeat, &t.State, &t.Accuracy)
	}, `
		SELECT t.id, st.asked, st.repeat, st.state, coalesce(o.accuracy, 0)
		FROM sweep_trials st JOIN trials t ON t.key = st.trial LEFT JOIN outcomes o ON o.trial = t.key
		WHERE st.sweep = ? AND st.gone = 0 ORDER BY st.position, t.key`, key)
	if err != nil {
		return nil, fmt.Errorf("trials of %s: %w", id, explain(err))
	}
	return asked, nil
}

// AddTrials adds trials that the sweep's strategy asks for, seeing the number of
// trials that [Reader.Asked] gave. If there are others by now, nothing is added
// and the error wraps [ErrGrown].
func (s *Store) AddTrials(ctx context.Context, id sweep.SweepID, seen int, trials iter.Seq2[TrialRecord, error]) (Added, error) {
	var added Added
	err := s.inTx(ctx, fmt.Sprintf("add trials to %s", id), func(ctx context.Context, tx *sql.Tx) (err error) {
		a := &adder{tx: tx, prices: s.prices}
		var now int
		err = tx.QueryRowContext(ctx, `
			SELECT key, revision, (SELECT count(*) FROM sweep_trials WHERE sweep = key AND gone = 0) FROM sweeps WHERE id = ?`,
			id).Scan(&a.sweep, &a.revision, &now)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return sweep.ErrNotFound
		case err != nil:
			return err
		case now != seen:
			return ErrGrown
		}
		if err := a.prepare(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.close()) }()
		if err := a.all(ctx, trials); err != nil {
			return err
		}
		added = a.added
		return nil
	})
	return added, err
}
