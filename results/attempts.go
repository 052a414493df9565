package results

import (
	"context"
	"database/sql"
	"fmt"

	"sweep"
)

// An AttemptRow is an attempt, and the trial that it was made at.
type AttemptRow struct {
	Trial sweep.TrialID `json:"trial"`
	Attempt
}

// Attempts lists the attempts at the sweep's trials, trial by trial in the grid's
// order, those of other sweeps that share a trial included. They have no log tail.
func (r *Reader) Attempts(ctx context.Context, id sweep.SweepID) ([]AttemptRow, error) {
	key, err := sweepKey(ctx, r.db, id)
	if err != nil {
		return nil, fmt.Errorf("attempts of sweep %s: %w", id, explain(err))
	}
	rows, err := gather(ctx, r.db, func(rows *sql.Rows) (a AttemptRow, err error) {
		var started, ended string
		err = rows.Scan(&a.Trial, &a.Number, &a.Sweep, &a.Worker, &started, &ended, &a.FromStep, &a.LastStep, &a.NoiseID, &a.Failure, &a.Reason)
		a.Started, a.Ended = parseTime(started), parseTime(ended)
		return a, err
	}, `
		SELECT t.id, a.number, s.id, a.worker, a.started, coalesce(a.ended, ''), coalesce(a.from_step, 0), a.last_step,
			coalesce(a.noise_id, ''), coalesce(a.failure, ''), a.reason
		FROM sweep_trials st JOIN trials t ON t.key = st.trial JOIN attempts a ON a.trial = st.trial JOIN sweeps s ON s.key = a.sweep
		WHERE st.sweep = ? ORDER BY st.position, a.number`, key)
	if err != nil {
		return nil, fmt.Errorf("attempts of sweep %s: %w", id, explain(err))
	}
	return rows, nil
}
