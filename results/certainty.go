package results

import (
	"context"
	"database/sql"
	"math"

	"sweep/results/stats"
)

const (
	rivalPoints    = 64   // the most accurate points of an epsilon; the others hardly ever are the best
	certaintyDraws = 4000 // a probability's standard error is below 0.008
	leastFreedom   = 3    // degrees of freedom that a spread over seeds is believed from
)

// certify gives each point of the frontier the probability that its true mean is
// the highest of its epsilon, from the spread over seeds, which it takes to be
// alike at all points of the sweep. It gives none where too few points were
// repeated to know that spread.
func (f *Frontier) certify(ctx context.Context, q queryer, sweepKey int64) error {
	var squares float64
	var freedom int
	if err := q.QueryRowContext(ctx, `
		SELECT coalesce(sum(accuracy_std * accuracy_std * (n - 1)), 0), coalesce(sum(n - 1), 0) FROM points WHERE sweep = ? AND n > 1`,
		sweepKey).Scan(&squares, &freedom); err != nil {
		return err
	}
	if freedom < leastFreedom || squares == 0 {
		return nil
	}
	std := math.Sqrt(squares / float64(freedom))
	for i := range f.Points {
		p := &f.Points[i]
		rivals, err := gather(ctx, q, func(rows *sql.Rows) (e stats.Estimate, err error) {
			var n float64
			err = rows.Scan(&e.Mean, &n)
			e.Epsilon, e.StdError, e.Freedom = 1, std/math.Sqrt(n), float64(freedom)
			return e, err
		}, `SELECT accuracy, n FROM points
			WHERE sweep = ?1 AND delta = ?2 AND point <> ?3 AND target_epsilon IS ?4 AND (target_epsilon IS NOT NULL OR epsilon = ?5)
			ORDER BY accuracy DESC LIMIT ?6`,
			sweepKey, p.Delta, p.ID, optional(float64(p.TargetEpsilon)), float64(p.Epsilon), rivalPoints)
		if err != nil {
			return err
		}
		own := stats.Estimate{Epsilon: 1, Mean: p.Accuracy, StdError: std / math.Sqrt(float64(p.N)), Freedom: float64(freedom)}
		best := stats.BestProbabilities(append([]stats.Estimate{own}, rivals...), certaintyDraws, 1)[0]
		p.BestProbability = &best
	}
	return nil
}

// measure is how much of the plane the frontier covers; see [stats.Hypervolume].
// Points without noise, or of another delta than the first, are left out.
func (f *Frontier) measure() {
	var points []stats.Estimate
	low, high := math.Inf(1), 0.0
	for _, p := range f.Points {
		if ε := float64(p.place()); ε > 0 && !math.IsInf(ε, 1) && p.Delta == f.Points[0].Delta {
			points = append(points, stats.Estimate{Epsilon: ε, Mean: p.Accuracy})
			low, high = min(low, ε), max(high, ε)
		}
	}
	if low < high {
		f.MeanAccuracy = stats.Hypervolume(points, low, high) / math.Log(high/low)
	}
}
