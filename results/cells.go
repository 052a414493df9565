package results

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"sweep"
)

// A Cell is all points of a sweep that share two axes' values.
type Cell struct {
	X, Y   int // numbers of the values or, where there are too many, of the bins
	Points int
	Mean   float64       // of their accuracies
	Best   float64       // the highest of them
	Trial  sweep.TrialID // a repeat of the best
	Label  string        // of that
}

// Bins is into how many parts an axis with more than [MaxValues] values is cut.
const Bins = 24

// Columns are what a cell's numbers stand for on the axis: values, or the lower ends of bins.
func (a Axis) Columns() []float64 {
	if a.Words() {
		places := make([]float64, len(a.Names))
		for i := range places {
			places[i] = float64(i)
		}
		return places
	}
	if a.Values != nil {
		return a.Values
	}
	edges := make([]float64, Bins)
	for i := range edges {
		edges[i] = a.Low + (a.High-a.Low)*float64(i)/Bins
	}
	return edges
}

// Cells adds the sweep's points up by two of its axes, over all others. target
// restricts them to one target epsilon, 0 to none.
func (r *Reader) Cells(ctx context.Context, id sweep.SweepID, x, y Axis, target float64) ([]Cell, error) {
	cells, err := r.cells(ctx, id, x, y, target)
	if err != nil {
		return nil, fmt.Errorf("heat map of sweep %s: %w", id, explain(err))
	}
	return cells, nil
}

func (r *Reader) cells(ctx context.Context, id sweep.SweepID, x, y Axis, target float64) ([]Cell, error) {
	key, err := sweepKey(ctx, r.db, id)
	if err != nil {
		return nil, err
	}
	var by [2]string
	for i, a := range []Axis{x, y} {
		column, words, ok := axisColumn(a.Key)
		if !ok {
			return nil, fmt.Errorf("no axis %q", a.Key)
		}
		column = strings.Replace(column, "st.", "p.", 1) // a point has its target
		switch {
		case words:
			by[i] = "CAST(coalesce(" + column + ", '') AS TEXT)"
		case a.Values == nil:
			by[i] = fmt.Sprintf("min(%d, CAST((%s - %g) / %g AS INTEGER))", Bins-1, column, a.Low, (a.High-a.Low)/Bins)
		default:
			by[i] = column
		}
	}
	rows, err := gather(ctx, r.db, func(rows *sql.Rows) (c Cell, err error) {
		var at [2]any
		err = rows.Scan(&at[0], &at[1], &c.Points, &c.Mean, &c.Best, &c.Trial, &c.Label)
		c.X, c.Y = x.number(at[0]), y.number(at[1])
		return c, err
	}, `SELECT g.x, g.y, g.points, g.mean, g.best, t.id, st.label FROM (
			SELECT `+strings.Join(by[:], " AS x, ")+` AS y, count(*) AS points, avg(p.accuracy) AS mean, max(p.accuracy) AS best, p.trial AS trial
			FROM points p JOIN trials t ON t.key = p.trial WHERE p.sweep = ?1 AND (?2 = 0 OR p.target_epsilon = ?2) GROUP BY 1, 2
		) g JOIN trials t ON t.key = g.trial JOIN sweep_trials st ON st.sweep = ?1 AND st.trial = g.trial
		WHERE g.x IS NOT NULL AND g.y IS NOT NULL`, key, target)
	return rows, err
}

// number is which of [Axis.Columns] a grouped value is.
func (a Axis) number(v any) int {
	at := a.place(v)
	if a.Values == nil {
		return int(at)
	}
	for i, value := range a.Values {
		if value == at {
			return i
		}
	}
	return 0
}
