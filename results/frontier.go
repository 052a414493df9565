package results

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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
	// composition of all its trials, at Delta; whatever Disclosure says. It is by
	// Accountant, or where that is pld or does not apply by certified, which is never
	// above pld. It is 0 before the first step, and of a private selection.
	Composed Epsilon `json:"composed_epsilon,omitzero"`
	// Selection is the same of a private selection: all that the sweep's selections
	// cost together, whatever numbers of trials they drew.
	Selection Epsilon `json:"selection_epsilon,omitzero"`
	// MeanAccuracy is the frontier's mean over the logarithm of epsilon, from its
	// lowest to its highest target: the hypervolume that it covers, per unit of
	// width. It compares sweeps over the same targets; 0 with fewer than two.
	MeanAccuracy float64  `json:"mean_accuracy,omitzero"`
	Doubts       []string `json:"doubts"` // how to read it; they go wherever it goes
	All          []Dot    `json:"-"`      // all points with a completed repeat, thinned for plots
}

// A Point is a point of the grid, measured over its completed repeats.
type Point struct {
	ID            sweep.PointID `json:"point"`
	Label         string        `json:"label"`                      // of one of its repeats
	TargetEpsilon Epsilon       `json:"target_epsilon,omitzero"`    // 0 if the file gave the noise multiplier
	Epsilon       Epsilon       `json:"epsilon,omitzero"`           // the most that one of its repeats spent: upper bound, not rounded; 0 if unknown
	Selection     Epsilon       `json:"selection_epsilon,omitzero"` // of the private selection that it won, whatever number of trials that drew; 0 if it won none
	Delta         float64       `json:"delta"`
	Params        sweep.Params  `json:"params"`                  // its seed is 0: repeats have their own
	Accuracy      float64       `json:"accuracy"`                // mean over repeats, 0 to 1
	Std           *float64      `json:"accuracy_std,omitempty"`  // standard deviation over repeats, dividing by N-1; nil if N is 1
	Low           *float64      `json:"accuracy_low,omitempty"`  // 95 % interval of the mean; nil where nothing is known of the spread
	High          *float64      `json:"accuracy_high,omitempty"` //
	Interval      Interval      `json:"interval,omitempty"`      // whose it is
	N             int           `json:"n"`                       // repeats
	BestOf        int           `json:"best_of_trials"`          // completed trials that it is the best of; 0 if that is not told
	Dominated     bool          `json:"dominated,omitempty"`     // another point is as accurate for less epsilon
	// BestProbability is how likely its true mean is the highest of its epsilon, and
	// FrontierProbability that no point of at most its epsilon has a higher one, by
	// the spread over seeds at all points; nil where too few were repeated.
	BestProbability     *float64 `json:"probability_best,omitempty"`
	FrontierProbability *float64 `json:"probability_frontier,omitempty"`
	// Test is what the same weights reach on the test split, where Accuracy is of
	// the validation split. It never chooses a point; nil where nobody measured it.
	Test  *TestFigure   `json:"test,omitempty"`
	Trial sweep.TrialID `json:"trial"` // one of its repeats
	trial int64         // its key
}

// An Interval is where the 95 % interval of a mean comes from.
type Interval string

const (
	ByT         Interval = "t"         // Student's t over the point's own repeats
	ByBootstrap Interval = "bootstrap" // over what repeats of all points differ from their means: it has one or two of its own
)

// A Dot stands for points that are as good as one in the plane of a plot.
type Dot struct {
	Epsilon  float64       // spent, or the target while that is not known; +Inf is not private
	Accuracy float64       // mean over repeats of the best of them
	Trial    sweep.TrialID // one of its repeats
	Label    string        // of that
	Points   int           // how many there are
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
	tx, other, err := r.twoSnapshots(ctx)
	if err != nil {
		return f, err
	}
	defer tx.Rollback()
	defer other.Rollback()
	key, err := sweepKey(ctx, tx, id)
	if err != nil {
		return f, err
	}
	if err := tx.QueryRowContext(ctx, `SELECT name, accountant, delta, disclosure FROM sweeps WHERE key = ?`, key).
		Scan(&f.Name, &f.Accountant, &f.Delta, &f.Disclosure); err != nil {
		return f, err
	}
	beside := f.addOthers(ctx, other, key)
	defer beside() // before other ends
	if f.Counts, err = count(ctx, tx, key); err != nil {
		return f, err
	}
	if err := f.addPoints(ctx, tx, key); err != nil {
		return f, err
	}
	f.measure()
	s, err := surveyOf(ctx, tx, key)
	if err == nil {
		err = beside()
	}
	f.Doubts = f.doubts(s)
	return f, err
}

// addOthers begins to read what takes as long as all else together, on a second
// connection: what the search has cost, and the points for a plot. The function
// that it returns waits for them.
func (f *Frontier) addOthers(ctx context.Context, q queryer, sweepKey int64) (wait func() error) {
	var all []Dot
	var err error
	cost := SearchCost{Disclosure: f.Disclosure, Accountant: f.Accountant, Delta: f.Delta}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if all, err = gather(ctx, q, scanDot, selectDots, sweepKey); err == nil {
			err = cost.price(ctx, q, sweepKey)
		}
	}()
	return func() error {
		<-done
		f.All, f.Composed, f.Selection = all, cost.Composed, cost.Selection
		return err
	}
}

// twoSnapshots begins to read on two connections. A trial that is recorded just
// between them is in one and not in the other; what the second one is for, dots
// and the cost of the search, may be a trial ahead. Callers take turns at asking
// for two, since several that hold one and wait for another would wait for ever.
func (r *Reader) twoSnapshots(ctx context.Context) (first, second *sql.Tx, err error) {
	r.pairing.Lock()
	defer r.pairing.Unlock()
	if first, err = r.db.BeginTx(ctx, nil); err != nil {
		return nil, nil, err
	}
	if second, err = r.db.BeginTx(ctx, nil); err != nil {
		return nil, nil, errors.Join(err, first.Rollback())
	}
	return first, second, nil
}

// addPoints finds the best points and what is to be known of each.
func (f *Frontier) addPoints(ctx context.Context, q queryer, sweepKey int64) (err error) {
	if f.Points, err = gather(ctx, q, scanPoint, selectBest, sweepKey); err != nil {
		return err
	}
	f.Points = rank(f.Points)
	drawn := slices.ContainsFunc(f.Points, func(p Point) bool { return !tellsOwn(p.Std, p.N) })
	noise, err := seedNoiseOf(ctx, q, sweepKey, drawn)
	if err != nil {
		return err
	}
	for i := range f.Points {
		if err := f.Points[i].complete(ctx, q, sweepKey); err != nil {
			return err
		}
		p := &f.Points[i]
		if p.Selection, err = selected(ctx, q, p.trial, f.Accountant, p.Delta); err != nil {
			return err
		}
		if p.Selection > 0 {
			p.BestOf = 0
		}
		p.Low, p.High, p.Interval = noise.interval(p.Accuracy, p.Std, p.N)
	}
	return f.certify(ctx, q, sweepKey, noise)
}

// selectBest finds the most accurate points of each epsilon, equally accurate ones
// all. Of a target the sums are kept, and an index ends at its best point; where the
// file gave noise multipliers another has the points by what they spent.
const selectBest = `
	WITH targets AS MATERIALIZED (
		SELECT g.delta, g.target, g.trials, (
			SELECT max(accuracy) FROM points WHERE sweep = ?1 AND delta = g.delta AND target_epsilon = g.target
		) AS top
		FROM (SELECT delta, target, sum(points * n) AS trials FROM point_totals WHERE sweep = ?1 AND target > 0 GROUP BY delta, target) g
	), spent AS MATERIALIZED (
		SELECT delta, epsilon, max(accuracy) AS top, sum(n) AS trials
		FROM points INDEXED BY points_by_epsilon WHERE sweep = ?1 AND target_epsilon IS NULL GROUP BY delta, epsilon
	)
	SELECT p.point, p.trial, p.target_epsilon, coalesce(p.epsilon, 0), p.delta, p.n, g.trials, p.accuracy, p.accuracy_std
	FROM targets g CROSS JOIN points p ON p.sweep = ?1 AND p.delta = g.delta AND p.target_epsilon = g.target AND p.accuracy = g.top
	UNION ALL
	SELECT p.point, p.trial, 0, coalesce(p.epsilon, 0), p.delta, p.n, g.trials, p.accuracy, p.accuracy_std
	FROM spent g CROSS JOIN points p ON p.sweep = ?1 AND p.delta = g.delta AND p.target_epsilon IS NULL AND p.epsilon IS g.epsilon AND p.accuracy = g.top`

func scanPoint(rows *sql.Rows) (p Point, err error) {
	var std sql.Null[float64]
	err = rows.Scan(&p.ID, &p.trial, &p.TargetEpsilon, &p.Epsilon, &p.Delta, &p.N, &p.BestOf, &p.Accuracy, &std)
	if std.Valid {
		p.Std = &std.V
	}
	return p, err
}

// selectDots takes of points that a plot would draw nearly on one another, within
// a twelfth of e in epsilon and a 120th in accuracy, the best.
const selectDots = `
	SELECT d.epsilon, d.top, t.id, st.label, d.points FROM (
		SELECT sweep, coalesce(epsilon, target_epsilon) AS epsilon, max(accuracy) AS top, trial, count(*) AS points
		FROM points INDEXED BY points_by_cell WHERE sweep = ? AND coalesce(epsilon, target_epsilon) IS NOT NULL GROUP BY epsilon_cell, accuracy_cell
	) d JOIN trials t ON t.key = d.trial JOIN sweep_trials st ON st.sweep = d.sweep AND st.trial = d.trial`

func scanDot(rows *sql.Rows) (d Dot, err error) {
	return d, rows.Scan(&d.Epsilon, &d.Accuracy, &d.Trial, &d.Label, &d.Points)
}

// complete adds what only points on the frontier need.
func (p *Point) complete(ctx context.Context, q queryer, sweepKey int64) (err error) {
	var params string
	if err := q.QueryRowContext(ctx, `
		SELECT t.id, t.params, st.label FROM trials t JOIN sweep_trials st ON st.trial = t.key AND st.sweep = ? WHERE t.key = ?`,
		sweepKey, p.trial).Scan(&p.Trial, &params, &p.Label); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(params), &p.Params); err != nil {
		return err
	}
	p.Params.Seed = 0
	p.Test, err = testFigureOf(ctx, q, sweepKey, p.ID)
	return err
}

// place is the epsilon for which p competes with others.
func (p Point) place() Epsilon { return cmp.Or(p.TargetEpsilon, p.Epsilon) }

// rank orders the best points by rising epsilon, of equally accurate ones the one
// with more repeats, and marks those that another one matches for less.
func rank(points []Point) []Point {
	slices.SortFunc(points, func(a, b Point) int {
		return cmp.Or(cmp.Compare(a.Delta, b.Delta), cmp.Compare(a.place(), b.place()), cmp.Compare(a.TargetEpsilon, b.TargetEpsilon),
			cmp.Compare(b.N, a.N), cmp.Compare(a.ID, b.ID))
	})
	points = slices.CompactFunc(points, func(a, b Point) bool {
		return a.Delta == b.Delta && a.place() == b.place() && (a.TargetEpsilon == 0) == (b.TargetEpsilon == 0)
	})
	top, delta := math.Inf(-1), 0.0
	for i, p := range points {
		if p.Delta != delta {
			top, delta = math.Inf(-1), p.Delta
		}
		points[i].Dominated = p.Accuracy <= top
		top = max(top, p.Accuracy)
	}
	return points
}
