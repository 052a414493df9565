package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"sweep"
)

// A Curve is what a trial measured under one name.
type Curve struct {
	Name     string    `json:"name"`
	Readings []Reading `json:"readings"` // by rising step
}

// A Reading is one measurement; Value is NaN where it was not a number.
type Reading struct {
	Step  int     `json:"step"`
	Value float64 `json:"value"`
}

// Curves are the trial's measurements of the given names, those that there are.
// Where attempts overlap the newest one's value of a step stands. Curves of more than points
// readings are thinned to so many that look alike; 0 is no limit.
func (r *Reader) Curves(ctx context.Context, trial sweep.TrialID, names []string, points int) ([]Curve, error) {
	var curves []Curve
	for _, name := range names {
		readings, err := r.curve(ctx, trial, name)
		if err != nil {
			return nil, fmt.Errorf("%s of trial %s: %w", name, trial, explain(err))
		}
		if len(readings) == 0 {
			continue
		}
		if points > 0 {
			readings = thinned(readings, points)
		}
		curves = append(curves, Curve{name, readings})
	}
	return curves, nil
}

func (r *Reader) curve(ctx context.Context, trial sweep.TrialID, name string) ([]Reading, error) {
	var key, metric int64
	err := r.db.QueryRowContext(ctx, `SELECT t.key, n.key FROM trials t, metric_names n WHERE t.id = ? AND n.name = ?`, trial, name).Scan(&key, &metric)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	type reading struct {
		attempt int
		Reading
	}
	rows, err := gather(ctx, r.db, func(rows *sql.Rows) (m reading, err error) {
		var value sql.Null[float64]
		err = rows.Scan(&m.attempt, &m.Step, &value)
		m.Value = value.V
		if !value.Valid {
			m.Value = math.NaN()
		}
		return m, err
	}, `SELECT attempt, step, value FROM metrics WHERE trial = ? AND name = ? ORDER BY step, attempt`, key, metric)
	var readings []Reading
	for i, m := range rows {
		if i+1 < len(rows) && rows[i+1].Step == m.Step {
			continue // a newer attempt's follows
		}
		readings = append(readings, m.Reading)
	}
	return readings, err
}

// thinned thins what lies between values that are not numbers, each of which stays.
func thinned(readings []Reading, points int) []Reading {
	if len(readings) <= points {
		return readings
	}
	var out []Reading
	from := 0
	for i := 0; i <= len(readings); i++ {
		if i < len(readings) && !math.IsNaN(readings[i].Value) && !math.IsInf(readings[i].Value, 0) {
			continue
		}
		run := readings[from:i]
		out = append(out, thin(run, max(3, points*len(run)/len(readings)))...)
		if i < len(readings) {
			out = append(out, readings[i])
		}
		from = i + 1
	}
	return out
}

// MetricNames are the names under which the trial has measured something.
func (r *Reader) MetricNames(ctx context.Context, trial sweep.TrialID) ([]string, error) {
	names, err := gather(ctx, r.db, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) }, `
		SELECT n.name FROM metric_names n WHERE EXISTS (
			SELECT 1 FROM metrics m WHERE m.trial = (SELECT key FROM trials WHERE id = ?) AND m.name = n.key) ORDER BY n.name`, trial)
	if err != nil {
		return nil, fmt.Errorf("metrics of trial %s: %w", trial, explain(err))
	}
	return names, nil
}
