package results

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"sweep"
)

// A Sample is a point of a sweep's grid with a completed repeat: where it stands on
// the axes asked for, and how good it was.
type Sample struct {
	Trial    sweep.TrialID `json:"trial"` // one of its repeats
	Label    string        `json:"label"`
	At       []float64     `json:"at"`       // a value for each axis; NaN where it has none
	Epsilon  Epsilon       `json:"epsilon"`  // spent, or the target while that is not known
	Accuracy float64       `json:"accuracy"` // mean over repeats
	N        int           `json:"n"`        // repeats
}

// Samples are up to limit points of the sweep, by rising accuracy: all of them
// or, where there are more, a tenth of the limit that are the best and the others
// spread evenly over the grid. target restricts them to one target epsilon, 0 to none.
func (r *Reader) Samples(ctx context.Context, id sweep.SweepID, axes []Axis, target float64, limit int) ([]Sample, error) {
	all, err := r.samples(ctx, id, axes, target, limit)
	if err != nil {
		return nil, fmt.Errorf("points of sweep %s: %w", id, explain(err))
	}
	return all, nil
}

func (r *Reader) samples(ctx context.Context, id sweep.SweepID, axes []Axis, target float64, limit int) ([]Sample, error) {
	key, err := sweepKey(ctx, r.db, id)
	if err != nil {
		return nil, err
	}
	var total int
	if err := r.db.QueryRowContext(ctx, `SELECT count(*) FROM points WHERE sweep = ?1 AND (?2 = 0 OR target_epsilon = ?2)`, key, target).Scan(&total); err != nil {
		return nil, err
	}
	columns := ""
	for _, a := range axes {
		column, _, ok := axisColumn(a.Key)
		if !ok {
			return nil, fmt.Errorf("no axis %q", a.Key)
		}
		columns += ", " + column
	}
	share := 1 << 32 // of hashes, 0 to 2³²-1, that are taken
	best := 0
	if total > limit {
		best = limit / 10
		share = int(float64(limit-best) / float64(total) * (1 << 32))
	}
	// Multiplying by the golden ratio spreads keys evenly whatever the grid's period (Knuth 6.4).
	rows, err := gather(ctx, r.db, scanSample(axes), `
		SELECT t.id, st.label, coalesce(p.epsilon, p.target_epsilon, 0), p.accuracy, p.n`+columns+`
		FROM points p JOIN trials t ON t.key = p.trial JOIN sweep_trials st ON st.sweep = p.sweep AND st.trial = p.trial
		WHERE p.key IN (
			SELECT key FROM points WHERE sweep = ?1 AND (?2 = 0 OR target_epsilon = ?2) AND ((key * 2654435769) & 4294967295) < ?3
			UNION SELECT key FROM (SELECT key FROM points WHERE sweep = ?1 AND (?2 = 0 OR target_epsilon = ?2) ORDER BY accuracy DESC LIMIT ?4)
		) ORDER BY p.accuracy LIMIT ?5`, key, target, share, best, max(limit, total*share>>32+best))
	return rows, err
}

func scanSample(axes []Axis) func(*sql.Rows) (Sample, error) {
	return func(rows *sql.Rows) (s Sample, err error) {
		raw := make([]any, len(axes))
		into := []any{&s.Trial, &s.Label, &s.Epsilon, &s.Accuracy, &s.N}
		for i := range raw {
			into = append(into, &raw[i])
		}
		if err := rows.Scan(into...); err != nil {
			return s, err
		}
		s.At = make([]float64, len(axes))
		for i, a := range axes {
			s.At[i] = a.place(raw[i])
		}
		return s, nil
	}
}

// place is where a column's value stands on the axis.
func (a Axis) place(v any) float64 {
	if a.Words() {
		return float64(slices.Index(a.Names, word(v)))
	}
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

func word(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	default:
		return fmt.Sprint(v)
	}
}
