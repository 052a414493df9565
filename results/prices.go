package results

import (
	"context"
	"database/sql"
	"fmt"

	"sweep"
	"sweep/privacy"
)

// A PriceRange is what one accountant says of all trials of one target.
type PriceRange struct {
	TargetEpsilon Epsilon            `json:"target_epsilon,omitzero"` // 0 if the file gave noise multipliers
	Delta         float64            `json:"delta"`
	Accountant    privacy.Accountant `json:"accountant"`
	Version       string             `json:"version"`
	Trials        int                `json:"trials"`
	Low           Epsilon            `json:"low"` // the least that one of them cost
	High          Epsilon            `json:"high"`
	Repeated      int64              `json:"repeated_steps"` // made again with fresh noise, and charged
}

// Prices are what the sweep's trials cost, by target and accountant.
func (r *Reader) Prices(ctx context.Context, id sweep.SweepID) ([]PriceRange, error) {
	all, err := gather(ctx, r.db, func(rows *sql.Rows) (p PriceRange, err error) {
		return p, rows.Scan(&p.TargetEpsilon, &p.Delta, &p.Accountant, &p.Version, &p.Trials, &p.Low, &p.High, &p.Repeated)
	}, `SELECT coalesce(st.target_epsilon, 0), st.delta, c.accountant, c.version, count(*), min(c.epsilon), max(c.epsilon), sum(e.repeated)
		FROM sweep_trials st JOIN costs c ON c.trial = st.trial AND c.delta = st.delta JOIN privacy_events e ON e.trial = st.trial
		WHERE st.sweep = (SELECT key FROM sweeps WHERE id = ?) GROUP BY 1, 2, 3, 4 ORDER BY 2, 1, 3`, id)
	if err != nil {
		return nil, fmt.Errorf("prices of sweep %s: %w", id, explain(err))
	}
	return all, nil
}

// DataOf are the names of the data sets that the sweep's trials use.
func (r *Reader) DataOf(ctx context.Context, id sweep.SweepID) ([]string, error) {
	names, err := gather(ctx, r.db, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) }, `
		SELECT DISTINCT t.data FROM sweep_trials st JOIN trials t ON t.key = st.trial
		WHERE st.sweep = (SELECT key FROM sweeps WHERE id = ?) AND st.repeat = 0 ORDER BY 1`, id)
	if err != nil {
		return nil, fmt.Errorf("data of sweep %s: %w", id, explain(err))
	}
	return names, nil
}
