package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"

	"sweep"
	"sweep/results/stats"
)

const (
	rivalPoints    = 64        // the most accurate points of an epsilon; the others hardly ever are the best
	certaintyDraws = 4000      // a probability's standard error is below 0.008
	certaintyWork  = 2_000_000 // means drawn in all: with very many points, fewer draws of each
	leastFreedom   = 3         // degrees of freedom that a spread over seeds is believed from
	leastResiduals = 12        // that a bootstrap draws from: with fewer its intervals are much too narrow
	noisePoints    = 500       // repeated points that residuals are taken from
	ownInterval    = 3         // repeats whose interval is by their own spread
)

// seedNoise is how much repeats of one point differ, taken to be alike at all
// points of a sweep. Without repeats it is zero, and known says no.
type seedNoise struct {
	std       float64   // pooled standard deviation
	freedom   int       // behind it
	residuals []float64 // what repeats differ from their point's mean, widened to the spread of repeats
}

func (n seedNoise) known() bool { return n.freedom >= leastFreedom && n.std > 0 }

// seedNoiseOf takes the spread from all repeated points. What their repeats differ
// by is read only where an interval is to be drawn from it; see [tellsOwn].
func seedNoiseOf(ctx context.Context, q queryer, sweepKey int64, drawn bool) (n seedNoise, err error) {
	var squares float64
	if err := q.QueryRowContext(ctx, `
		SELECT coalesce(sum((n - 1) * accuracy_std * accuracy_std), 0), coalesce(sum(n - 1), 0)
		FROM points INDEXED BY points_by_cell WHERE sweep = ? AND n > 1`, sweepKey).Scan(&squares, &n.freedom); err != nil || n.freedom == 0 {
		return n, err
	}
	n.std = math.Sqrt(squares / float64(n.freedom))
	if drawn {
		n.residuals, err = residualsOf(ctx, q, sweepKey)
	}
	return n, err
}

// residualsOf is of up to [noisePoints] points, spread evenly over the grid.
func residualsOf(ctx context.Context, q queryer, sweepKey int64) ([]float64, error) {
	var repeated int
	if err := q.QueryRowContext(ctx, `SELECT coalesce(sum(points), 0) FROM point_totals WHERE sweep = ? AND n > 1`, sweepKey).Scan(&repeated); err != nil {
		return nil, err
	}
	// As in samples: multiplying by the golden ratio spreads keys whatever the grid's period.
	share := int(min(1, noisePoints/float64(max(1, repeated))) * (1 << 32))
	groups, err := gather(ctx, q, func(rows *sql.Rows) (g []float64, err error) {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		return g, json.Unmarshal([]byte(text), &g)
	}, `SELECT (SELECT json_group_array(o.accuracy) `+repeatsOfPoint+`)
		FROM points p INDEXED BY points_by_cell WHERE p.sweep = ?1 AND p.n > 1 AND ((p.key * 2654435769) & 4294967295) < ?2`, sweepKey, share)
	return stats.Residuals(groups), err
}

// tellsOwn says whether n repeats with that standard deviation tell their mean's
// interval themselves, without the noise of other points.
func tellsOwn(std *float64, n int) bool { return n >= ownInterval && std != nil && *std > 0 }

// interval is that of the mean of n repeats with that standard deviation: of their
// own where there are three or more; with fewer Student's t says nothing that is of
// use (it multiplies two by 12.7), and the noise of all points is drawn from. So it is
// where repeats agree to the last example, as few held-out examples make them do by
// chance: an interval of no width would be a lie. It is nil where nothing is known.
func (noise seedNoise) interval(mean float64, std *float64, n int) (low, high *float64, by Interval) {
	var i stats.Interval
	switch {
	case !tellsOwn(std, n) && noise.known() && len(noise.residuals) >= leastResiduals:
		i, _ = stats.PooledInterval(mean, n, noise.residuals, 0.95, 1)
		by = ByBootstrap
	case std != nil && *std > 0:
		i = stats.MeanInterval(mean, *std, n, 0.95)
		by = ByT
	default:
		return nil, nil, ""
	}
	from, to := max(0, i.Low), min(1, i.High) // an accuracy is no less and no more
	return &from, &to, by
}

// SeedSpread is by how much repeats of one point differ in accuracy: the standard
// deviation within the sweep's points that were repeated, pooled, and its degrees
// of freedom. Both are 0 where too few were repeated to know.
func (r *Reader) SeedSpread(ctx context.Context, id sweep.SweepID) (std float64, freedom int, err error) {
	key, err := sweepKey(ctx, r.db, id)
	var noise seedNoise
	if err == nil {
		noise, err = seedNoiseOf(ctx, r.db, key, false)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("spread over seeds of sweep %s: %w", id, explain(err))
	}
	if !noise.known() {
		return 0, 0, nil
	}
	return noise.std, noise.freedom, nil
}

// certify gives each point of the frontier the probabilities that its true mean is
// the highest of its epsilon, and of at most its epsilon, from the spread over
// seeds. It gives none where too few points were repeated to know that spread.
func (f *Frontier) certify(ctx context.Context, q queryer, sweepKey int64, noise seedNoise) error {
	if !noise.known() {
		return nil
	}
	var all []stats.Estimate
	at := make([]int, 0, len(f.Points)) // where the points stand in all
	for begin := 0; begin < len(f.Points); {
		end := begin
		for ; end < len(f.Points) && f.Points[end].Delta == f.Points[begin].Delta; end++ {
			rivals, err := f.Points[end].rivals(ctx, q, sweepKey, noise)
			if err != nil {
				return err
			}
			at = append(at, len(all))
			all = append(all, rivals...)
		}
		draws := min(certaintyDraws, max(400, certaintyWork/len(all)))
		chances := stats.Chances(all, noise.freedom, draws, 1)
		for i, k := range at {
			c := chances[k]
			f.Points[begin+i].BestProbability, f.Points[begin+i].FrontierProbability = &c.Best, &c.Frontier
		}
		all, at, begin = all[:0], at[:0], end // points of another delta do not compete
	}
	return nil
}

// rivals are p and, after it, the most accurate other points of its epsilon.
func (p *Point) rivals(ctx context.Context, q queryer, sweepKey int64, noise seedNoise) ([]stats.Estimate, error) {
	place := float64(p.place())
	own := stats.Estimate{Epsilon: place, Mean: p.Accuracy, StdError: noise.std / math.Sqrt(float64(p.N))}
	if p.BestOf == p.N { // it is alone, as where every point has an epsilon of its own
		return []stats.Estimate{own}, nil
	}
	others, err := gather(ctx, q, func(rows *sql.Rows) (e stats.Estimate, err error) {
		var n float64
		err = rows.Scan(&e.Mean, &n)
		e.Epsilon, e.StdError = place, noise.std/math.Sqrt(n)
		return e, err
	}, `SELECT accuracy, n FROM points
		WHERE sweep = ?1 AND delta = ?2 AND point <> ?3 AND target_epsilon IS ?4 AND (target_epsilon IS NOT NULL OR epsilon = ?5)
		ORDER BY accuracy DESC LIMIT ?6`,
		sweepKey, p.Delta, p.ID, optional(float64(p.TargetEpsilon)), float64(p.Epsilon), rivalPoints)
	return append([]stats.Estimate{own}, others...), err
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
