package results

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	"sweep"
	"sweep/results/stats"
)

// A Moment is how far the frontier had come when some trials were recorded.
type Moment struct {
	At        time.Time `json:"at"`        // when the last of them was recorded
	Completed int       `json:"completed"` // trials so far
	// Accuracy is the frontier's mean over the logarithm of epsilon, between the
	// lowest and the highest epsilon of the whole sweep: the hypervolume that it
	// covered per unit of width (see [stats.Hypervolume]), where an epsilon below
	// the first point's counts 0. With one epsilon it is the best mean accuracy.
	Accuracy float64 `json:"mean_accuracy"`
}

// History is how the sweep's frontier rose as trials were recorded, at no more
// than so many moments, evenly spaced over the trials; the last is now. A point
// counts with the mean of the repeats that it had, so that the course may fall.
// Points without noise are left out.
func (r *Reader) History(ctx context.Context, id sweep.SweepID, moments int) ([]Moment, error) {
	all, err := r.history(ctx, id, moments)
	if err != nil {
		return nil, fmt.Errorf("history of sweep %s: %w", id, explain(err))
	}
	return all, nil
}

// A recorded trial, as history sees it.
type recordedTrial struct {
	point    int64 // key of its row of points
	epsilon  float64
	accuracy float64
	at       string
}

func (r *Reader) history(ctx context.Context, id sweep.SweepID, moments int) ([]Moment, error) {
	key, err := sweepKey(ctx, r.db, id)
	if err != nil {
		return nil, err
	}
	trials, err := gather(ctx, r.db, func(rows *sql.Rows) (t recordedTrial, err error) {
		return t, rows.Scan(&t.point, &t.epsilon, &t.accuracy, &t.at)
	}, `SELECT p.key, coalesce(p.target_epsilon, p.epsilon), o.accuracy, o.recorded
		FROM points p CROSS JOIN trials t ON t.point = p.point AND t.state = 'completed' CROSS JOIN outcomes o ON o.trial = t.key
		CROSS JOIN sweep_trials st ON st.sweep = p.sweep AND st.trial = t.key AND st.target_epsilon IS p.target_epsilon
		WHERE p.sweep = ? AND coalesce(p.target_epsilon, p.epsilon) BETWEEN 1e-300 AND 1e300`, key)
	if err != nil || len(trials) == 0 {
		return nil, err
	}
	slices.SortStableFunc(trials, func(a, b recordedTrial) int { return cmp.Compare(a.at, b.at) })
	return course(trials, moments), nil
}

// course adds trials up in their order and looks at what there is now and then.
func course(trials []recordedTrial, moments int) []Moment {
	low, high := math.Inf(1), 0.0
	for _, t := range trials {
		low, high = min(low, t.epsilon), max(high, t.epsilon)
	}
	type sums struct{ epsilon, sum, n float64 }
	points := map[int64]*sums{}
	var all []Moment
	for i, t := range trials {
		p := points[t.point]
		if p == nil {
			p = &sums{epsilon: t.epsilon}
			points[t.point] = p
		}
		p.sum, p.n = p.sum+t.accuracy, p.n+1
		if due := (i + 1) * moments / len(trials); due == i*moments/len(trials) && i+1 < len(trials) {
			continue
		}
		best := map[float64]float64{}
		for _, p := range points {
			best[p.epsilon] = max(best[p.epsilon], p.sum/p.n)
		}
		m := Moment{At: parseTime(t.at), Completed: i + 1, Accuracy: best[low]}
		if low < high {
			m.Accuracy = stats.Hypervolume(estimates(best), low, high) / math.Log(high/low)
		}
		all = append(all, m)
	}
	return all
}

func estimates(best map[float64]float64) (all []stats.Estimate) {
	for ε, accuracy := range best {
		all = append(all, stats.Estimate{Epsilon: ε, Mean: accuracy})
	}
	return all
}
