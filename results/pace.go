package results

import (
	"context"
	"fmt"
)

// A Pace is how fast trials of a model were trained.
type Pace struct {
	SecondsPerView float64 // training time of one trial over the views it saw; 0 if none is known
	Trials         int     // that it is the mean of
}

// Pace is the mean over the newest hundred completed trials of the model on the
// data set, by the trainer of that digest, "" being the built-in one.
func (r *Reader) Pace(ctx context.Context, model, data, trainer string) (p Pace, err error) {
	err = r.db.QueryRowContext(ctx, `
		SELECT coalesce(sum(seconds) / sum(views), 0), count(*) FROM (
			SELECT o.seconds AS seconds, 1.0 * t.batch_size * t.steps * max(1, t.augmult) AS views
			FROM trials t JOIN outcomes o ON o.trial = t.key
			WHERE t.state = 'completed' AND o.seconds > 0 AND t.model = ? AND t.data = ? AND t.trainer = ? ORDER BY t.key DESC LIMIT ?)`,
		model, data, trainer, averaged).Scan(&p.SecondsPerView, &p.Trials)
	if err != nil {
		return Pace{}, fmt.Errorf("pace of %s: %w", model, explain(err))
	}
	return p, nil
}
