// Package resultstest makes records to test and measure readers on. It fills
// tables by SQL, as package results would in hours of transactions of its own.
package resultstest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"sweep"
	"sweep/privacy"
	"sweep/results"
)

// Delta is what the made-up sweeps ask for.
const Delta = 1e-5

// repeats is how many seeds each point of a made-up grid has.
const repeats = 4

// Targets are the epsilons of a made-up grid, and noises what stands for the
// multipliers that would be calibrated for them.
var (
	Targets = []float64{8, 4, 2, 1}
	noises  = []float64{0.8, 1, 2, 4}
)

// Grid yields n trials: four epsilons, ten batch sizes, twenty-five learning
// rates, five clipping norms and as many numbers of steps as it takes, each
// point with four seeds.
func Grid(n int) func(yield func(results.TrialRecord, error) bool) {
	return func(yield func(results.TrialRecord, error) bool) {
		for i := range n {
			point, repeat := i/repeats, i%repeats
			at := func(values int) int {
				digit := point % values
				point /= values
				return digit
			}
			target, batch, rate, clip := at(4), at(10), at(25), at(5)
			p := sweep.Params{
				Data: sweep.Data{Name: "cifar10", Train: 45000, Validation: 5000}, Model: "wrn-16-4",
				Batch: 256 * (batch + 1), Clip: []float64{0.1, 0.3, 1, 3, 10}[clip], Noise: noises[target],
				LearnRate: 0.1 * float64(rate+1), Steps: 100 * (point + 1), EMA: 0.99, NoiseFrom: sweep.Secure,
			}.WithRepeat(repeat)
			label := fmt.Sprintf("ε=%g B=%d C=%g η=%.3g T=%d #%d", Targets[target], p.Batch, p.Clip, p.LearnRate, p.Steps, repeat)
			if !yield(results.TrialRecord{Params: p, Index: i, Repeat: repeat, Label: label, TargetEpsilon: Targets[target], Delta: Delta}, nil) {
				return
			}
		}
	}
}

// Sweep is a made-up sweep of that name.
func Sweep(name string) results.SweepRecord {
	return results.SweepRecord{
		ID: sweep.SweepID(name + "-0123456789ab"), Name: name, File: name + ".yaml", Text: "name: " + name + "\n",
		Accountant: privacy.RDP, Delta: Delta, Disclosure: "research", Versions: map[string]string{"sweep": "test"},
	}
}

// Metrics are the names of what made-up trials measured.
var Metrics = []string{"loss", "grad_norm_mean", "clipped_share", "signal_to_noise", "validation/accuracy"}

// Large fills the record at path with one sweep of n trials, of which one in ten
// is pending, and with about as many metrics as asked, spread over the rest.
func Large(ctx context.Context, path string, n, metrics int) (sweep.SweepID, error) {
	s, err := results.Open(ctx, path)
	if err != nil {
		return "", err
	}
	record := Sweep("large")
	if _, err = s.AddSweep(ctx, record, Grid(n)); err == nil {
		err = complete(ctx, path, metrics/max(1, n*9/10*len(Metrics)))
	}
	if err == nil {
		_, err = s.Recount(ctx, "") // what trials cost, and what follows from it
	}
	return record.ID, errors.Join(err, s.Close())
}

// complete has nine trials of ten completed, with so many readings of each metric.
func complete(ctx context.Context, path string, readings int) error {
	db := sql.OpenDB(connector{"file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_busy_timeout=10000&_synchronous=OFF"})
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, query := range []string{
		`INSERT INTO attempts (trial, number, sweep, worker, started, ended, from_step, last_step, noise_id, reason, log_tail, report_bytes)
		 SELECT key, 1, 1, 'train@gpu' || (key % 16), strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-02', (key / 16) || ' minutes'),
			strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-02', (key / 16) || ' minutes', '55 seconds'), 0, steps, id, '', '', 1000
		 FROM trials WHERE key % 10 > 0`,
		// A smooth function of the hyper-parameters, and the seed's luck: the best
		// learning rate is near 1, a larger batch helps, and so does a larger epsilon.
		`INSERT INTO outcomes (trial, attempt, recorded, accuracy, last_accuracy, loss, split, examples, steps, non_finite, data_digest, weights_digest, trainer, seconds)
		 SELECT key, 1, strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-02', (key / 16) || ' minutes', '55 seconds'), a, a - 0.01, 2.3 * (1 - a), 'validation', 5000, steps, 0,
			'sha256:d', 'sha256:w' || id, 'made up 1', 55
		 FROM (SELECT *, 0.45 + 0.4 / (1 + noise_multiplier) - 0.06 * (learning_rate - 1) * (learning_rate - 1) + 0.00002 * batch_size
			- 0.01 * abs(clip_norm - 1) + 0.01 * abs(random() / 9223372036854775808.0) AS a FROM trials WHERE key % 10 > 0)`,
		`UPDATE trials SET attempt = 1, state = 'completed' WHERE key % 10 > 0`,
		`INSERT OR IGNORE INTO metric_names (name) VALUES ('loss'), ('grad_norm_mean'), ('clipped_share'), ('signal_to_noise'), ('validation/accuracy')`,
		fmt.Sprintf(`WITH RECURSIVE readings(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM readings WHERE n < %d)
		 INSERT INTO metrics SELECT t.key, m.key, 1, n * t.steps / %[1]d, 0.2 + 2.0 / (n + m.key) FROM trials t, metric_names m, readings WHERE t.key %% 10 > 0`, max(1, readings)),
	} {
		if _, err := db.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	return nil
}
