package results

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"sweep"
	"sweep/privacy"
)

// A SearchCost is what a search did to its data, for whoever shows the best of it.
type SearchCost struct {
	Disclosure string             `json:"disclosure"` // research: the epsilons of points do not count the search; composed: the sweep stands by Composed
	Accountant privacy.Accountant `json:"accountant"`
	Delta      float64            `json:"delta"`
	Composed   Epsilon            `json:"composed_epsilon"` // of all trials together
}

// SearchCost prices all that the sweep's trials did to the data.
func (r *Reader) SearchCost(ctx context.Context, id sweep.SweepID) (c SearchCost, err error) {
	key, err := sweepKey(ctx, r.db, id)
	if err == nil {
		err = r.db.QueryRowContext(ctx, `SELECT disclosure, accountant, delta FROM sweeps WHERE key = ?`, key).Scan(&c.Disclosure, &c.Accountant, &c.Delta)
	}
	if err == nil {
		c.Composed, err = composed(ctx, r.db, key, c.Accountant, c.Delta)
	}
	if err != nil {
		return c, fmt.Errorf("cost of sweep %s: %w", id, explain(err))
	}
	return c, nil
}

// String says it in a sentence.
func (c SearchCost) String() string {
	counted := "each point's own epsilon does not count the others"
	if c.Disclosure == "composed" {
		counted = "that is what the sweep discloses"
	}
	return fmt.Sprintf("all trials of the search together, composed, cost epsilon %s at delta %s; %s. Private selection does not apply: points were not drawn at random, as many as chance said",
		privacy.FormatEpsilon(float64(c.Composed), 3), short(c.Delta), counted)
}

// composed bounds the epsilon of all that the sweep's trials did to the data
// together, over kinds of steps that are alike where there are many. Failed and stopped ones count with the steps they made, running
// ones as if they were through.
func composed(ctx context.Context, q queryer, sweepKey int64, a privacy.Accountant, delta float64) (Epsilon, error) {
	counts := map[kindOfStep]int{}
	_, err := gather(ctx, q, func(rows *sql.Rows) (n int, err error) {
		var k kindOfStep
		err = rows.Scan(&k.rate, &k.noise, &n)
		if n > 0 {
			counts[k] = n
		}
		return n, err
	}, `SELECT t.sampling_rate, t.noise_multiplier, sum(coalesce(e.steps, 0) + CASE t.state WHEN 'running' THEN t.steps ELSE 0 END)
		FROM sweep_trials st JOIN trials t ON t.key = st.trial LEFT JOIN privacy_events e ON e.trial = t.key
		WHERE st.sweep = ? GROUP BY t.sampling_rate, t.noise_multiplier`, sweepKey)
	if err != nil || len(counts) == 0 {
		return 0, err
	}
	all := composition(coarsen(counts, mostKinds))
	found, err := ask(a, all, delta)
	if err != nil {
		return Epsilon(math.Inf(1)), nil // nobody can bound it
	}
	return Epsilon(found.epsilon), nil
}
