package results

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sweep"
)

// BenchmarkTransitions counts durable writes per second from sixteen
// goroutines, while eight readers of two other pools ask for progress and
// frontier as pages do, beside the rate at which the disk makes a small write
// durable and that at which SQLite commits a row with the same settings.
func BenchmarkTransitions(b *testing.B) {
	for _, watched := range []bool{false, true} {
		b.Run(map[bool]string{false: "alone", true: "with 8 readers"}[watched], func(b *testing.B) { transitions(b, watched) })
	}
}

func transitions(b *testing.B, watched bool) {
	path := filepath.Join(b.TempDir(), "r.db")
	s := openAt(b, path)
	trials := grid(max(1, b.N/6+1))
	add(b, s, file("a"), trials)
	next := make(chan sweep.TrialID)
	var wg sync.WaitGroup
	stop, polls := func() {}, func() int { return 0 }
	if watched {
		stop, polls = poll(b, path, file("a").ID, 500*time.Millisecond) // as a page that watches does
	}
	b.ResetTimer()
	for range 16 {
		wg.Go(func() {
			for trial := range next {
				if err := completeOne(b.Context(), s, file("a").ID, trial); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		next <- trials[i].Params.ID()
	}
	close(next)
	wg.Wait()
	b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "transactions/s") // begin, collect ten metrics, record
	b.StopTimer()
	b.ReportMetric(float64(polls())/b.Elapsed().Seconds(), "polls/s")
	stop()
	if n := scalar[int](b, s, `SELECT count(*) FROM outcomes`); n != b.N {
		b.Errorf("%d outcomes of %d", n, b.N)
	}
	b.ReportMetric(fsyncRate(b), "fsyncs/s")
	b.ReportMetric(commitRate(b, s), "commits/s")
}

// commitRate is how many transactions of one small row a second the record's own
// connection makes durable.
func commitRate(b *testing.B, s *Store) float64 {
	if _, err := s.db.ExecContext(b.Context(), `CREATE TABLE bench (x INTEGER)`); err != nil {
		b.Fatal(err)
	}
	const n = 200
	start := time.Now()
	for i := range n {
		if _, err := s.db.ExecContext(b.Context(), `INSERT INTO bench VALUES (?)`, i); err != nil {
			b.Fatal(err)
		}
	}
	return n / time.Since(start).Seconds()
}

func fsyncRate(b *testing.B) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const n = 100
	start := time.Now()
	for range n {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return n / time.Since(start).Seconds()
}

// large is a record with one sweep of n trials, nine in ten completed, on a
// grid of 4 epsilons, and as many metrics for each as asked.
func large(b *testing.B, n, metrics int) (*Store, sweep.SweepID) {
	b.Helper()
	s := openTemp(b)
	id := file("large").ID
	all := func(yield func(TrialRecord, error) bool) {
		for i := range n {
			point, repeat := i/4, i%4
			p := params([]float64{0.8, 1, 2, 4}[point%4], 0.001*float64(point+1)).WithRepeat(repeat)
			if !yield(TrialRecord{Params: p, Index: i, Repeat: repeat, Label: fmt.Sprintf("trial %d", i), TargetEpsilon: []float64{8, 4, 2, 1}[point%4], Delta: delta}, nil) {
				return
			}
		}
	}
	if _, err := s.AddSweep(b.Context(), file("large"), all); err != nil {
		b.Fatal(err)
	}
	// Recording each through its own transaction would take minutes: this
	// writes the same rows.
	for _, query := range []string{
		`INSERT INTO attempts (trial, number, sweep, worker, started, ended, from_step, last_step, noise_id, reason, log_tail, report_bytes)
		 SELECT key, 1, 1, 'w', '2026-01-02T15:04:05.000Z', '2026-01-02T15:05:05.000Z', 0, steps, id, '', '', 1000 FROM trials WHERE key % 10 > 0`,
		`INSERT INTO outcomes (trial, attempt, recorded, accuracy, last_accuracy, loss, split, examples, steps, non_finite, data_digest, weights_digest, trainer, seconds)
		 SELECT key, 1, '2026-01-02T15:05:05.000Z', 0.5 + 0.4 * abs(random() / 9223372036854775808.0), 0.5, 0.5, 'validation', 500, steps, 0, 'sha256:d', 'sha256:w' || id, 'fake 1', 60
		 FROM trials WHERE key % 10 > 0`,
		`UPDATE trials SET attempt = 1, state = 'completed' WHERE key % 10 > 0`,
		`INSERT INTO metric_names (name) VALUES ('loss')`,
		fmt.Sprintf(`WITH RECURSIVE steps(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM steps WHERE n < %d)
		 INSERT INTO metrics SELECT key, 1, 1, n, 1.0 / n FROM trials, steps WHERE key %% 10 > 0 AND %d > 0`, max(1, metrics), metrics),
	} {
		if _, err := s.db.ExecContext(b.Context(), query); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.Recount(b.Context(), ""); err != nil {
		b.Fatal(err)
	}
	return s, id
}

// BenchmarkLarge reads a sweep of 100,000 trials as the commands do: that of the
// record that SWEEP_LARGE_DB names, which package resultstest makes, or one
// without metrics.
func BenchmarkLarge(b *testing.B) {
	var s *Store
	var id sweep.SweepID
	if path := os.Getenv("SWEEP_LARGE_DB"); path != "" {
		s = openAt(b, path)
		newest, err := s.Newest(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		id = newest.ID
	} else {
		s, id = large(b, 100_000, 0)
	}
	for _, read := range []struct {
		name string
		do   func() error
	}{
		{"progress", func() error { _, err := s.Progress(b.Context(), id); return err }},
		{"open", func() error {
			r, err := OpenReader(b.Context(), scalar[string](b, s, `SELECT file FROM pragma_database_list WHERE name = 'main'`))
			if err != nil {
				return err
			}
			return r.Close()
		}},
		{"sweeps", func() error { _, err := s.Sweeps(b.Context()); return err }},
		{"frontier", func() error { _, err := s.Frontier(b.Context(), id); return err }},
		{"frontier view", func() error {
			var n int
			return s.Reader.db.QueryRowContext(b.Context(), `SELECT count(*) FROM (SELECT * FROM frontier)`).Scan(&n)
		}},
		{"next", func() error { _, err := s.Next(b.Context(), id, 50, nil); return err }},
		{"page", func() error { _, err := s.Trials(b.Context(), id, Filter{Limit: 50}); return err }},
		{"best 50", func() error { _, err := s.Trials(b.Context(), id, Filter{Limit: 50, Sort: "-accuracy"}); return err }},
		{"all trials", func() error { _, err := s.Trials(b.Context(), id, Filter{}); return err }},
	} {
		b.Run(read.name, func(b *testing.B) {
			for b.Loop() {
				if err := read.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAddSweep enters 100,000 trials, then the same again.
func BenchmarkAddSweep(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		s := openTemp(b)
		for _, again := range []bool{false, true} {
			start := time.Now()
			if _, err := s.AddSweep(b.Context(), file("a"), func(yield func(TrialRecord, error) bool) {
				for i := range n {
					if !yield(TrialRecord{Params: params(1, float64(i+1)), Index: i, Label: "x", Delta: delta}, nil) {
						return
					}
				}
			}); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(start).Seconds(), map[bool]string{false: "s/new", true: "s/known"}[again])
		}
	}
}
