package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sweep"
)

// A SweepState is where a sweep stands.
type SweepState string

const (
	Created   SweepState = "created"   // in the record, not started
	Running   SweepState = "running"   // trials are run
	Paused    SweepState = "paused"    // no new trials are begun
	Stopping  SweepState = "stopping"  // running trials finish, then it is stopped
	Stopped   SweepState = "stopped"   // nothing runs, and trials are left
	Completed SweepState = "completed" // every trial is completed
	Failed    SweepState = "failed"    // no trial is left to run, and some failed
)

// SetSweepState says where the sweep stands and, if that needs words, why.
func (s *Store) SetSweepState(ctx context.Context, id sweep.SweepID, state SweepState, reason string) error {
	return s.inTx(ctx, fmt.Sprintf("set state of sweep %s", id), func(ctx context.Context, tx *sql.Tx) error {
		return setState(ctx, tx, id, state, reason)
	})
}

func setState(ctx context.Context, tx *sql.Tx, id sweep.SweepID, state SweepState, reason string) error {
	res, err := tx.ExecContext(ctx, `
		UPDATE sweeps SET changed = CASE
				WHEN state = ?2 THEN changed
				WHEN disclosure = '`+sweep.PrivateSelect+`' AND ?2 IN ('completed', 'failed') THEN created -- how long it took would tell how many it drew
				ELSE ?4 END,
			state = ?2, reason = ?3, cause = '' WHERE id = ?1`,
		id, string(state), clean(reason), now())
	if err != nil {
		return err
	}
	if n, _ := res.RowsAffected(); n == 0 { // SQLite always knows the count
		return sweep.ErrNotFound
	}
	return nil
}

// ExplainSweep says why the sweep is in its state, where nobody asked for that:
// one of [sweep.CauseBudget] and [sweep.CauseFailures], and words for people.
// The next change of state forgets it.
func (s *Store) ExplainSweep(ctx context.Context, id sweep.SweepID, cause, reason string) error {
	return s.inTx(ctx, fmt.Sprintf("explain state of sweep %s", id), func(ctx context.Context, tx *sql.Tx) error {
		return explainState(ctx, tx, id, cause, reason)
	})
}

func explainState(ctx context.Context, tx *sql.Tx, id sweep.SweepID, cause, reason string) error {
	_, err := tx.ExecContext(ctx, `UPDATE sweeps SET cause = ?2, reason = ?3 WHERE id = ?1`, id, cause, clean(reason))
	return err
}

// FinishSweep leaves the state of a sweep of which nothing runs any more:
// stopped if trials are left, otherwise completed, or failed if any trial did.
// If interrupted is not set, trials that are left are a reason worth words. One
// that stops for lack of privacy budget keeps that as its reason.
func (s *Store) FinishSweep(ctx context.Context, id sweep.SweepID, interrupted bool) error {
	return s.inTx(ctx, fmt.Sprintf("finish sweep %s", id), func(ctx context.Context, tx *sql.Tx) error {
		key, err := sweepKey(ctx, tx, id)
		if err != nil {
			return err
		}
		counts, err := count(ctx, tx, key)
		if err != nil {
			return err
		}
		var cause, why string
		if err := tx.QueryRowContext(ctx, `SELECT cause, reason FROM sweeps WHERE key = ?`, key).Scan(&cause, &why); err != nil {
			return err
		}
		state, reason := counts.verdict(interrupted)
		if err := setState(ctx, tx, id, state, reason); err != nil || state != Stopped || cause != sweep.CauseBudget {
			return err
		}
		return explainState(ctx, tx, id, cause, why)
	})
}

// verdict is the state of a sweep with such trials when nothing runs any more.
func (c Counts) verdict(interrupted bool) (SweepState, string) {
	switch left := c.Left(); {
	case left > 0 && interrupted:
		return Stopped, ""
	case left > 0:
		return Stopped, fmt.Sprintf("%d of %d trials were not run to an end", left, c.Trials)
	case c.Failed > 0:
		return Failed, fmt.Sprintf("%d of %d trials failed", c.Failed, c.Trials)
	}
	return Completed, ""
}

// Counts says how many of a sweep's trials are in which state. Trials that its
// file lists no more count in Gone and nowhere else.
type Counts struct {
	Trials    int `json:"trials"`
	Pending   int `json:"pending"`
	Waiting   int `json:"waiting"` // claimed by an attempt that has not begun: its trainer starts, or waits for its turn
	Running   int `json:"running"` // that train
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Stopped   int `json:"stopped"`
	Gone      int `json:"gone"`
}

func count(ctx context.Context, q queryer, sweepKey int64) (c Counts, err error) {
	type group struct {
		gone  bool
		state sweep.State
		n     int
	}
	groups, err := gather(ctx, q, func(rows *sql.Rows) (g group, err error) {
		return g, rows.Scan(&g.gone, &g.state, &g.n)
	}, `SELECT gone, state, n FROM sweep_counts WHERE sweep = ?`, sweepKey)
	for _, g := range groups {
		if g.gone {
			c.Gone += g.n
			continue
		}
		c.Trials += g.n
		switch g.state {
		case sweep.Pending:
			c.Pending = g.n
		case sweep.Running:
			c.Running = g.n
		case sweep.Completed:
			c.Completed = g.n
		case sweep.Failed:
			c.Failed = g.n
		case sweep.Stopped:
			c.Stopped = g.n
		}
	}
	if err != nil || c.Running == 0 {
		return c, err
	}
	err = q.QueryRowContext(ctx, `
		SELECT count(*) FROM sweep_trials st JOIN trials t ON t.key = st.trial JOIN attempts a ON a.trial = t.key AND a.number = t.attempt
		WHERE st.sweep = ? AND st.gone = 0 AND st.state = 'running' AND a.from_step IS NULL`, sweepKey).Scan(&c.Waiting)
	c.Running -= c.Waiting
	return c, err
}

// Left is how many trials have no final state.
func (c Counts) Left() int { return c.Pending + c.Waiting + c.Running + c.Stopped }

// retried leaves out private selections that are decided: none of the trials that
// they drew came to a result, and to draw again would be another selection.
const retried = ` AND NOT EXISTS (
	SELECT 1 FROM attempts a JOIN trials t ON t.key = a.trial AND t.attempt = a.number
	WHERE a.trial = sweep_trials.trial AND a.failure = '` + string(sweep.NoWinner) + `')`

// Retry makes the sweep's failed trials pending again and forgives them their
// failures so far. It returns how many there were.
func (s *Store) Retry(ctx context.Context, id sweep.SweepID) (int, error) {
	var n int64
	err := s.inTx(ctx, fmt.Sprintf("retry failed trials of sweep %s", id), func(ctx context.Context, tx *sql.Tx) error {
		key, err := sweepKey(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `
			UPDATE sweep_trials SET forgiven = (SELECT attempt FROM trials WHERE key = trial)
			WHERE sweep = ? AND gone = 0 AND state = 'failed'`+retried, key); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `
			UPDATE trials SET state = 'pending'
			WHERE key IN (SELECT trial FROM sweep_trials WHERE sweep = ? AND gone = 0 AND state = 'failed'`+retried+`)`, key)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return int(n), err
}

func sweepKey(ctx context.Context, q queryer, id sweep.SweepID) (key int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT key FROM sweeps WHERE id = ?`, id).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		err = sweep.ErrNotFound
	}
	return key, err
}
