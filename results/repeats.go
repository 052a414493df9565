package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sweep"
)

// A RankedPoint is a point of the grid with the accuracy of each completed repeat.
type RankedPoint struct {
	ID            sweep.PointID `json:"point"`
	Trial         sweep.TrialID `json:"trial"` // one of its repeats
	Label         string        `json:"label"` // of that
	TargetEpsilon Epsilon       `json:"target_epsilon,omitzero"`
	Epsilon       Epsilon       `json:"epsilon,omitzero"` // the most that a repeat spent
	Params        sweep.Params  `json:"params"`           // without seed
	Accuracy      float64       `json:"accuracy"`         // mean over repeats
	Std           *float64      `json:"accuracy_std,omitempty"`
	Low           *float64      `json:"accuracy_low,omitempty"` // 95 % interval of the mean, as in [Point]
	High          *float64      `json:"accuracy_high,omitempty"`
	Interval      Interval      `json:"interval,omitempty"`
	Accuracies    []float64     `json:"accuracies"`     // of its repeats, in their order
	Test          *TestFigure   `json:"test,omitempty"` // apart from what ranks it; nil where nobody measured it
}

// Best are the sweep's n points of the highest mean accuracy, the best first.
// target restricts them to one target epsilon, 0 to none.
func (r *Reader) Best(ctx context.Context, id sweep.SweepID, target float64, n int) ([]RankedPoint, error) {
	points, err := r.rankedPoints(ctx, id, `WHERE s.id = ?1 AND (?2 = 0 OR p.target_epsilon = ?2) ORDER BY p.accuracy DESC, p.n DESC, p.point LIMIT ?3`, target, n)
	if err != nil {
		return nil, fmt.Errorf("best points of sweep %s: %w", id, explain(err))
	}
	return points, nil
}

// PointOf is the point whose id, or a repeat's id, begins with the given text. If
// several fit the error is an [AmbiguousError]; if none does it wraps [sweep.ErrNotFound].
func (r *Reader) PointOf(ctx context.Context, id sweep.SweepID, prefix string) (RankedPoint, error) {
	points, err := r.rankedPoints(ctx, id, `WHERE s.id = ?1 AND p.point IN (
			SELECT point FROM trials WHERE id >= ?2 AND id < ?2 || 'g' UNION SELECT point FROM trials WHERE point >= ?2 AND point < ?2 || 'g'
		) LIMIT ?3`, prefix, 11)
	switch {
	case err != nil:
	case len(points) == 0 || prefix == "":
		err = sweep.ErrNotFound
	case len(points) > 1:
		var ids []string
		for _, p := range points {
			ids = append(ids, string(p.ID))
		}
		err = ambiguous("point", prefix, ids)
	default:
		return points[0], nil
	}
	return RankedPoint{}, fmt.Errorf("completed point %q of sweep %s: %w", prefix, id, explain(err))
}

func (r *Reader) rankedPoints(ctx context.Context, id sweep.SweepID, where string, arg any, limit int) ([]RankedPoint, error) {
	key, err := sweepKey(ctx, r.db, id)
	if err != nil {
		return nil, err
	}
	// First which points, by the narrow table alone; then what there is of each.
	points, err := gather(ctx, r.db, scanRanked, `
		WITH chosen AS MATERIALIZED (SELECT p.key FROM sweeps s JOIN points p ON p.sweep = s.key `+where+`)
		SELECT p.point, t.id, st.label, coalesce(p.target_epsilon, 0), coalesce(p.epsilon, 0), t.params, p.accuracy, p.accuracy_std, (
			SELECT json_group_array(accuracy) FROM (SELECT o.accuracy `+repeatsOfPoint+` ORDER BY ut.repeat))
		FROM chosen CROSS JOIN points p ON p.key = chosen.key JOIN trials t ON t.key = p.trial JOIN sweep_trials st ON st.sweep = p.sweep AND st.trial = p.trial
		ORDER BY p.accuracy DESC, p.n DESC, p.point`, id, arg, limit)
	if err != nil {
		return nil, err
	}
	drawn := slices.ContainsFunc(points, func(p RankedPoint) bool { return !tellsOwn(p.Std, len(p.Accuracies)) })
	noise, err := seedNoiseOf(ctx, r.db, key, drawn)
	for i := range points {
		p := &points[i]
		p.Low, p.High, p.Interval = noise.interval(p.Accuracy, p.Std, len(p.Accuracies))
		if err == nil {
			p.Test, err = testFigureOf(ctx, r.db, key, p.ID)
		}
	}
	return points, err
}

func scanRanked(rows *sql.Rows) (p RankedPoint, err error) {
	var params, accuracies string
	var std sql.Null[float64]
	if err := rows.Scan(&p.ID, &p.Trial, &p.Label, &p.TargetEpsilon, &p.Epsilon, &params, &p.Accuracy, &std, &accuracies); err != nil {
		return p, err
	}
	if std.Valid {
		p.Std = &std.V
	}
	err = errors.Join(json.Unmarshal([]byte(params), &p.Params), json.Unmarshal([]byte(accuracies), &p.Accuracies))
	p.Params.Seed = 0
	return p, err
}

// A Pair is the mean accuracies of two points that differ in one axis alone.
type Pair struct {
	A, B   float64
	LabelA string
	LabelB string
}

// Pairs are the sweep's points at value a of the axis, each with the one at b that is
// alike in all else but noise. Where an axis has words a and b are their numbers.
func (r *Reader) Pairs(ctx context.Context, id sweep.SweepID, axes []Axis, axis string, a, b float64) ([]Pair, error) {
	at := -1
	for i, other := range axes {
		if other.Key == axis {
			at = i
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("pairs of sweep %s: %s does not vary", id, axis)
	}
	samples, err := r.Samples(ctx, id, axes, 0, pairedPoints)
	if err != nil {
		return nil, err
	}
	rest := func(s Sample) string {
		others := append(append([]float64{}, s.At[:at]...), s.At[at+1:]...)
		return fmt.Sprint(others)
	}
	first := map[string]Sample{}
	for _, s := range samples {
		if s.At[at] == a {
			first[rest(s)] = s
		}
	}
	var pairs []Pair
	for _, s := range samples {
		if partner, ok := first[rest(s)]; ok && s.At[at] == b {
			pairs = append(pairs, Pair{partner.Accuracy, s.Accuracy, partner.Label, s.Label})
		}
	}
	return pairs, nil
}

// pairedPoints bounds how many points are paired.
const pairedPoints = 200_000
