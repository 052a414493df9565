package results

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"sweep"
	"sweep/privacy"
)

// A Frontier is how accurate a sweep's model is at each epsilon: of each target
// (of each epsilon spent, where the file gave noise multipliers) the point with
// the highest mean accuracy of the averaged weights after the last step.
type Frontier struct {
	Sweep      sweep.SweepID      `json:"sweep"`
	Name       string             `json:"name"`
	Accountant privacy.Accountant `json:"accountant"`
	Delta      float64            `json:"delta"`
	Disclosure string             `json:"disclosure"`
	Counts     Counts             `json:"counts"`
	Points     []Point            `json:"points"` // by rising epsilon
	// Composed is the epsilon of everything the search did to the data, by
	// composition of all its trials; 0 unless Disclosure is "composed".
	Composed Epsilon  `json:"composed_epsilon,omitzero"`
	Doubts   []string `json:"doubts"` // how to read it; they go wherever it goes
	All      []Dot    `json:"-"`      // every point with a completed repeat, for plots
}

// A Point is a point of the grid, measured over its completed repeats.
type Point struct {
	ID            sweep.PointID `json:"point"`
	Label         string        `json:"label"`                   // of one of its repeats
	TargetEpsilon Epsilon       `json:"target_epsilon,omitzero"` // 0 if the file gave the noise multiplier
	Epsilon       Epsilon       `json:"epsilon,omitzero"`        // the most that one of its repeats spent: upper bound, not rounded; 0 if unknown
	Delta         float64       `json:"delta"`
	Params        sweep.Params  `json:"params"`                  // its seed is 0: repeats have their own
	Accuracy      float64       `json:"accuracy"`                // mean over repeats, 0 to 1
	Std           *float64      `json:"accuracy_std,omitempty"`  // standard deviation over repeats, dividing by N-1; nil if N is 1
	Low           *float64      `json:"accuracy_low,omitempty"`  // 95 % interval of the mean by Student's t; nil if N is 1
	High          *float64      `json:"accuracy_high,omitempty"` //
	N             int           `json:"n"`                       // repeats
	BestOf        int           `json:"best_of_trials"`          // completed trials that it is the best of
	Dominated     bool          `json:"dominated,omitempty"`     // another point is as accurate for less epsilon
	trial         int64         // key of one of its repeats
	unpriced      int           // repeats without an epsilon
}

// A Dot is a point in the plane of a plot.
type Dot struct {
	Epsilon  float64 // +Inf is not private
	Accuracy float64 // mean over repeats
}

// Frontier computes the sweep's frontier from the trials completed so far.
func (r *Reader) Frontier(ctx context.Context, id sweep.SweepID) (Frontier, error) {
	f, err := r.frontier(ctx, id)
	if err != nil {
		return Frontier{}, fmt.Errorf("frontier of sweep %s: %w", id, explain(err))
	}
	return f, nil
}

func (r *Reader) frontier(ctx context.Context, id sweep.SweepID) (Frontier, error) {
	f := Frontier{Sweep: id}
	tx, err := r.db.BeginTx(ctx, nil) // one snapshot
	if err != nil {
		return f, err
	}
	defer tx.Rollback()
	key, err := sweepKey(ctx, tx, id)
	if err != nil {
		return f, err
	}
	if err := tx.QueryRowContext(ctx, `SELECT name, accountant, delta, disclosure FROM sweeps WHERE key = ?`, key).
		Scan(&f.Name, &f.Accountant, &f.Delta, &f.Disclosure); err != nil {
		return f, err
	}
	if f.Counts, err = count(ctx, tx, key); err != nil {
		return f, err
	}
	points, err := gather(ctx, tx, scanPoint, `
		SELECT point, trial, coalesce(target_epsilon, 0), coalesce(epsilon, 0), delta, n, unpriced, accuracy, accuracy_std
		FROM point_results WHERE sweep = ?`, key)
	if err != nil {
		return f, err
	}
	for _, p := range points {
		f.All = append(f.All, Dot{float64(p.spent()), p.Accuracy})
	}
	f.Points = best(points)
	for i := range f.Points {
		if err := f.Points[i].complete(ctx, tx, key); err != nil {
			return f, err
		}
	}
	if f.Disclosure == "composed" {
		if f.Composed, err = composed(ctx, tx, key, f.Accountant, f.Delta); err != nil {
			return f, err
		}
	}
	s, err := surveyOf(ctx, tx, key, points)
	f.Doubts = f.doubts(s)
	return f, err
}

func scanPoint(rows *sql.Rows) (p Point, err error) {
	var std sql.Null[float64]
	err = rows.Scan(&p.ID, &p.trial, &p.TargetEpsilon, &p.Epsilon, &p.Delta, &p.N, &p.unpriced, &p.Accuracy, &std)
	if std.Valid {
		p.Std = &std.V
	}
	return p, err
}

// complete adds what only points on the frontier need.
func (p *Point) complete(ctx context.Context, q queryer, sweepKey int64) error {
	if p.Std != nil {
		low, high := meanInterval(p.Accuracy, *p.Std, p.N)
		p.Low, p.High = &low, &high
	}
	var params string
	if err := q.QueryRowContext(ctx, `
		SELECT t.params, st.label FROM trials t JOIN sweep_trials st ON st.trial = t.key AND st.sweep = ? WHERE t.key = ?`,
		sweepKey, p.trial).Scan(&params, &p.Label); err != nil {
		return err
	}
	err := json.Unmarshal([]byte(params), &p.Params)
	p.Params.Seed = 0
	return err
}

// place is the epsilon for which p competes with others.
func (p Point) place() Epsilon { return cmp.Or(p.TargetEpsilon, p.Epsilon) }

// spent is what p cost, or what it should cost if that is not known.
func (p Point) spent() Epsilon { return cmp.Or(p.Epsilon, p.TargetEpsilon) }

// best returns the best point of each epsilon, by rising epsilon. Of equally
// accurate points the one with more repeats comes first.
func best(points []Point) []Point {
	slices.SortFunc(points, func(a, b Point) int {
		return cmp.Or(cmp.Compare(a.Delta, b.Delta), cmp.Compare(a.place(), b.place()), cmp.Compare(a.TargetEpsilon, b.TargetEpsilon),
			cmp.Compare(b.Accuracy, a.Accuracy), cmp.Compare(b.N, a.N), cmp.Compare(a.ID, b.ID))
	})
	var chosen []Point
	for _, p := range points {
		if last := len(chosen) - 1; last >= 0 && chosen[last].rivals(p) {
			chosen[last].BestOf += p.N
			continue
		}
		p.BestOf = p.N
		chosen = append(chosen, p)
	}
	top, delta := math.Inf(-1), 0.0
	for i, p := range chosen {
		if p.Delta != delta {
			top, delta = math.Inf(-1), p.Delta
		}
		chosen[i].Dominated = p.Accuracy <= top
		top = max(top, p.Accuracy)
	}
	return chosen
}

// rivals says whether p and q compete for the same place.
func (p Point) rivals(q Point) bool {
	return p.Delta == q.Delta && p.place() == q.place() && (p.TargetEpsilon == 0) == (q.TargetEpsilon == 0)
}

// composed bounds the epsilon of all that the sweep's trials did to the data
// together. Failed and stopped ones count with the steps they made, running
// ones as if they were through.
func composed(ctx context.Context, q queryer, sweepKey int64, a privacy.Accountant, delta float64) (Epsilon, error) {
	phases, err := gather(ctx, q, func(rows *sql.Rows) (privacy.Event, error) {
		var e privacy.DPSGD
		err := rows.Scan(&e.SampleRate, &e.Noise, &e.Steps)
		return e, err
	}, `SELECT t.sampling_rate, t.noise_multiplier, sum(coalesce(e.steps, 0) + CASE t.state WHEN 'running' THEN t.steps ELSE 0 END)
		FROM sweep_trials st JOIN trials t ON t.key = st.trial LEFT JOIN privacy_events e ON e.trial = t.key
		WHERE st.sweep = ? GROUP BY t.sampling_rate, t.noise_multiplier`, sweepKey)
	if err != nil {
		return 0, err
	}
	all := privacy.Composed(slices.DeleteFunc(phases, func(e privacy.Event) bool { return e.(privacy.DPSGD).Steps == 0 }))
	found, err := ask(a, all, delta)
	if err != nil {
		return Epsilon(math.Inf(1)), nil // nobody can bound it
	}
	return Epsilon(found.epsilon), nil
}
