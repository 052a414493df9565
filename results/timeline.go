package results

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sweep"
)

// A Span is when an attempt ran and where.
type Span struct {
	Trial    sweep.TrialID `json:"trial"`
	Label    string        `json:"label"`
	Attempt  int           `json:"attempt"`
	Worker   string        `json:"worker"` // "" until it has reported
	Started  time.Time     `json:"started"`
	Ended    time.Time     `json:"ended,omitzero"` // zero while it runs
	FromStep int           `json:"from_step"`
	LastStep int           `json:"last_step"`
	Failure  sweep.Failure `json:"failure,omitempty"`
	Reason   string        `json:"reason,omitempty"`
}

// A WorkerInfo is what one worker has done for a sweep.
type WorkerInfo struct {
	Worker   string  `json:"worker"`
	Attempts int     `json:"attempts"`
	Failed   int     `json:"failed"`
	Hours    float64 `json:"hours"` // of attempts that have ended
}

// Timeline are the attempts made for the sweep that have not ended and those that
// ended last, at most limit, by when they began; and how many there are in all.
func (r *Reader) Timeline(ctx context.Context, id sweep.SweepID, limit int) (spans []Span, total int, err error) {
	key, err := sweepKey(ctx, r.db, id)
	if err == nil {
		err = r.db.QueryRowContext(ctx, `SELECT count(*) FROM attempts WHERE sweep = ?`, key).Scan(&total)
	}
	if err == nil {
		spans, err = gather(ctx, r.db, scanSpan, `
			SELECT t.id, coalesce(st.label, ''), a.number, a.worker, a.started, coalesce(a.ended, ''), coalesce(a.from_step, 0), a.last_step,
				coalesce(a.failure, ''), a.reason
			FROM (
				SELECT * FROM (SELECT * FROM attempts WHERE sweep = ?1 AND ended IS NULL LIMIT ?2)
				UNION ALL SELECT * FROM (SELECT * FROM attempts WHERE sweep = ?1 AND ended IS NOT NULL ORDER BY ended DESC LIMIT ?2)
				LIMIT ?2
			) a
			JOIN trials t ON t.key = a.trial LEFT JOIN sweep_trials st ON st.sweep = ?1 AND st.trial = a.trial ORDER BY a.started, t.key`, key, limit)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("attempts of sweep %s: %w", id, explain(err))
	}
	return spans, total, nil
}

func scanSpan(rows *sql.Rows) (s Span, err error) {
	var started, ended string
	err = rows.Scan(&s.Trial, &s.Label, &s.Attempt, &s.Worker, &started, &ended, &s.FromStep, &s.LastStep, &s.Failure, &s.Reason)
	s.Started, s.Ended = parseTime(started), parseTime(ended)
	return s, err
}

// Workers are those that made attempts for the sweep, the busiest first.
func (r *Reader) Workers(ctx context.Context, id sweep.SweepID) ([]WorkerInfo, error) {
	all, err := gather(ctx, r.db, func(rows *sql.Rows) (w WorkerInfo, err error) {
		return w, rows.Scan(&w.Worker, &w.Attempts, &w.Failed, &w.Hours)
	}, `SELECT worker, count(*), count(failure), coalesce(sum(julianday(ended) - julianday(started)), 0) * 24
		FROM attempts WHERE sweep = (SELECT key FROM sweeps WHERE id = ?) GROUP BY worker ORDER BY 4 DESC LIMIT 200`, id)
	if err != nil {
		return nil, fmt.Errorf("workers of sweep %s: %w", id, explain(err))
	}
	return all, nil
}

// A FailureCount is how often attempts of a sweep ended in one way.
type FailureCount struct {
	Failure sweep.Failure `json:"failure"`
	Reason  string        `json:"reason"`
	Times   int           `json:"times"`
	Last    time.Time     `json:"last"`
	Trial   sweep.TrialID `json:"trial"` // the last one it happened to
}

// Failures are the ways in which attempts of the sweep failed, the commonest first.
func (r *Reader) Failures(ctx context.Context, id sweep.SweepID) ([]FailureCount, error) {
	all, err := gather(ctx, r.db, func(rows *sql.Rows) (f FailureCount, err error) {
		var last string
		err = rows.Scan(&f.Failure, &f.Reason, &f.Times, &last, &f.Trial)
		f.Last = parseTime(last)
		return f, err
	}, `SELECT a.failure, a.reason, count(*), max(a.ended), t.id FROM attempts a JOIN trials t ON t.key = a.trial
		WHERE a.sweep = (SELECT key FROM sweeps WHERE id = ?) AND a.failure IS NOT NULL GROUP BY a.failure, a.reason ORDER BY 3 DESC LIMIT 50`, id)
	if err != nil {
		return nil, fmt.Errorf("failures of sweep %s: %w", id, explain(err))
	}
	return all, nil
}
