package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sweep"
)

// Progress is how far a sweep is.
type Progress struct {
	Counts
	Running []RunningTrial `json:"running_trials"`
	// SecondsPerTrial is the mean wall time of the attempts that completed the
	// last hundred trials, 0 if none is completed. With n trials at a time
	// and m left, about m/n of it is to come.
	SecondsPerTrial float64 `json:"seconds_per_trial"`
}

// Left is about how long the rest of the sweep takes at the rate of its last
// trials, 0 if there is nothing to go by. What trials waited for their turn is in
// that rate, so those that wait now count among the ones at a time.
func (p Progress) Left() time.Duration {
	n := p.Pending + p.Counts.Waiting + p.Counts.Running
	if p.SecondsPerTrial == 0 || n == 0 {
		return 0
	}
	return time.Duration(p.SecondsPerTrial * float64(n) / float64(max(1, len(p.Running))) * float64(time.Second))
}

// A RunningTrial is a trial that an attempt is at.
type RunningTrial struct {
	ID       sweep.TrialID `json:"id"`
	Label    string        `json:"label"`
	Attempt  int           `json:"attempt"`
	Sweep    sweep.SweepID `json:"sweep"`   // on whose behalf; another sweep's attempt serves this one too
	Worker   string        `json:"worker"`  // "" until it has reported
	Waiting  bool          `json:"waiting"` // it has been claimed and has not begun
	Started  time.Time     `json:"started"`
	Step     int           `json:"step"`               // of the last report
	Steps    int           `json:"steps"`              // that it will make
	Accuracy *float64      `json:"accuracy,omitempty"` // of the averaged weights, last measured; nil before
	Epsilon  Epsilon       `json:"target_epsilon,omitzero"`

	Selection bool `json:"private_selection,omitempty"` // it is a private selection, which shows nothing of how far it is: Step and Steps are 0
}

// averaged is how many completed trials the mean duration is taken over.
const averaged = 100

// Progress counts the sweep's trials and lists those that an attempt is at: first those that
// train, in the order of the grid, then those that wait.
func (r *Reader) Progress(ctx context.Context, id sweep.SweepID) (Progress, error) {
	p, err := r.progress(ctx, id)
	if err != nil {
		return Progress{}, fmt.Errorf("progress of sweep %s: %w", id, explain(err))
	}
	return p, nil
}

func (r *Reader) progress(ctx context.Context, id sweep.SweepID) (p Progress, err error) {
	tx, err := r.db.BeginTx(ctx, nil) // one snapshot, so that the numbers agree
	if err != nil {
		return p, err
	}
	defer tx.Rollback()
	key, err := sweepKey(ctx, tx, id)
	if err != nil {
		return p, err
	}
	if p.Counts, err = count(ctx, tx, key); err != nil {
		return p, err
	}
	if p.Running, err = gather(ctx, tx, scanRunning, selectRunning, key); err != nil {
		return p, err
	}
	for i := range p.Running {
		if p.Running[i].Accuracy, err = lastAccuracy(ctx, tx, p.Running[i].ID); err != nil {
			return p, err
		}
	}
	err = tx.QueryRowContext(ctx, `
		SELECT coalesce(avg((julianday(ended) - julianday(started)) * 86400), 0) FROM (
			SELECT started, ended FROM attempts WHERE sweep = ? AND ended IS NOT NULL AND failure IS NULL ORDER BY ended DESC LIMIT ?)`,
		key, averaged).Scan(&p.SecondsPerTrial)
	return p, err
}

const selectRunning = `
	SELECT t.id, st.label, a.number, s.id, a.worker, a.from_step IS NULL, a.started, a.last_step, t.steps, coalesce(st.target_epsilon, 0),
		EXISTS (SELECT 1 FROM selections x WHERE x.trial = t.key)
	FROM sweep_trials st JOIN trials t ON t.key = st.trial JOIN attempts a ON a.trial = t.key AND a.number = t.attempt
	JOIN sweeps s ON s.key = a.sweep
	WHERE st.sweep = ? AND st.gone = 0 AND st.state = 'running' ORDER BY a.from_step IS NULL, st.position`

func scanRunning(rows *sql.Rows) (t RunningTrial, err error) {
	var started string
	err = rows.Scan(&t.ID, &t.Label, &t.Attempt, &t.Sweep, &t.Worker, &t.Waiting, &started, &t.Step, &t.Steps, &t.Epsilon, &t.Selection)
	if t.Selection {
		t.Step, t.Steps = 0, 0
	}
	t.Started = parseTime(started)
	return t, err
}

// lastAccuracy is what the trial's newest evaluation on held-out data found.
func lastAccuracy(ctx context.Context, q queryer, trial sweep.TrialID) (*float64, error) {
	var accuracy float64
	err := q.QueryRowContext(ctx, `
		SELECT m.value FROM trials t
		JOIN metric_names n ON n.name = CASE WHEN t.validation_examples > 0 THEN 'validation/accuracy' ELSE 'test/accuracy' END
		JOIN metrics m ON m.trial = t.key AND m.name = n.key
		WHERE t.id = ? AND m.value IS NOT NULL ORDER BY m.attempt DESC, m.step DESC LIMIT 1`, trial).Scan(&accuracy)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &accuracy, err
}
