package results

import (
	"context"
	"fmt"

	"sweep"
)

// PointsMark is a text that changes whenever what the sweep's points say does:
// how accurate they are, at what epsilon, over how many repeats. Whoever has
// worked something out from them need not do it again while it stays.
func (r *Reader) PointsMark(ctx context.Context, id sweep.SweepID) (string, error) {
	var n, repeats, trials int64
	var accuracy, epsilon float64
	err := r.db.QueryRowContext(ctx, `
		SELECT count(*), coalesce(sum(n), 0), coalesce(sum(trial), 0), total(accuracy), total(min(coalesce(epsilon, 0), 1e300))
		FROM points WHERE sweep = (SELECT key FROM sweeps WHERE id = ?)`, id).Scan(&n, &repeats, &trials, &accuracy, &epsilon)
	if err != nil {
		return "", fmt.Errorf("points of sweep %s: %w", id, explain(err))
	}
	return fmt.Sprintf("%d %d %d %x %x", n, repeats, trials, accuracy, epsilon), nil
}
