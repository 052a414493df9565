package results

import (
	"context"
	"database/sql"

	"sweep"
	"sweep/results/stats"
)

// A TestFigure is accuracy on the test split, of points that the validation split
// has chosen. It stands beside them and chooses nothing: whoever chose by it would
// have to measure on other data again.
type TestFigure struct {
	Accuracy float64  `json:"accuracy"`      // mean over repeats, of the averaged weights after the last step; 0 to 1
	Std      *float64 `json:"std,omitempty"` // dividing by N-1; nil if N is 1
	N        int      `json:"n"`             // repeats that measured it
}

// testMetric is the name under which trainers report it.
const testMetric = string(sweep.Test) + "/accuracy"

// repeatsOfPoint are the completed repeats of point p. CROSS: in this order, so
// that they are found by the point's index.
const repeatsOfPoint = `
	FROM trials u CROSS JOIN sweep_trials ut ON ut.sweep = p.sweep AND ut.trial = u.key CROSS JOIN outcomes o ON o.trial = u.key
	WHERE u.point = p.point AND u.state = 'completed' AND ut.target_epsilon IS p.target_epsilon`

// testAccuracy is the test figure of a trial t with outcome o in a query, NULL where
// there is none.
const testAccuracy = `CASE WHEN o.split <> 'test' THEN (
	SELECT m.value FROM metrics m WHERE m.trial = t.key AND m.name = (SELECT key FROM metric_names WHERE name = '` + testMetric + `') AND m.attempt = o.attempt AND m.step = o.steps
) END`

// testFigureOf is nil where no repeat measured it, or where accuracy itself is of
// the test split.
func testFigureOf(ctx context.Context, q queryer, sweepKey int64, point sweep.PointID) (*TestFigure, error) {
	measured, err := gather(ctx, q, scanFloat, `
		SELECT value FROM (
			SELECT st.repeat, `+testAccuracy+` AS value FROM trials t CROSS JOIN sweep_trials st ON st.trial = t.key AND st.sweep = ?1 CROSS JOIN outcomes o ON o.trial = t.key
			WHERE t.point = ?2 AND t.state = 'completed'
		) WHERE value IS NOT NULL ORDER BY repeat`, sweepKey, point)
	if err != nil || len(measured) == 0 {
		return nil, err
	}
	mean, std := stats.MeanStd(measured)
	f := &TestFigure{Accuracy: mean, N: len(measured)}
	if f.N > 1 {
		f.Std = &std
	}
	return f, nil
}

func scanFloat(rows *sql.Rows) (x float64, err error) { return x, rows.Scan(&x) }
