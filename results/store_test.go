package results

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sweep"
	"sweep/privacy"
)

const delta = 1e-5

// openTemp opens a new record in a folder of its own.
func openTemp(t testing.TB) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "results.db"))
}

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func params(noise, rate float64) sweep.Params {
	return sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 2000, Validation: 500}, Model: "tanh-cnn", Batch: 256, Clip: 1, Noise: noise,
		LearnRate: rate, Steps: 10, EMA: 0.99, NoiseFrom: sweep.Secure,
	}
}

// grid is trials of two noise multipliers, three learning rates and the given
// number of repeats. Their targets are made up: 8 for the first, 2 for the second.
func grid(repeats int) []TrialRecord {
	var all []TrialRecord
	for i, noise := range []float64{0.8, 2} {
		for _, rate := range []float64{0.5, 1, 2} {
			for r := range repeats {
				all = append(all, TrialRecord{
					Params: params(noise, rate).WithRepeat(r), Index: len(all), Repeat: r,
					Label: fmt.Sprintf("σ=%g η=%g #%d", noise, rate, r), TargetEpsilon: []float64{8, 2}[i], Delta: delta,
				})
			}
		}
	}
	return all
}

func seq(trials []TrialRecord) iter.Seq2[TrialRecord, error] {
	return func(yield func(TrialRecord, error) bool) {
		for _, t := range trials {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func file(id string) SweepRecord {
	return SweepRecord{
		ID: sweep.SweepID(id + "-0123456789ab"), Name: id, File: id + ".yaml", Text: "name: " + id + "\n",
		Accountant: privacy.RDP, Delta: delta, Disclosure: "research", Versions: map[string]string{"sweep": "v0.1.0"},
	}
}

func add(t testing.TB, s *Store, r SweepRecord, trials []TrialRecord) Added {
	t.Helper()
	added, err := s.AddSweep(t.Context(), r, seq(trials))
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// small is a store with one sweep of six trials.
func small(t testing.TB) (*Store, sweep.SweepID, []TrialRecord) {
	t.Helper()
	s, trials := openTemp(t), grid(1)
	add(t, s, file("small"), trials)
	return s, file("small").ID, trials
}

func begin1(t testing.TB, s *Store, id sweep.SweepID, trial sweep.TrialID) sweep.AttemptRef {
	t.Helper()
	c, err := s.Begin(t.Context(), id, trial)
	if err != nil || c.State != sweep.Running {
		t.Fatalf("begin: %+v, %v; want running", c, err)
	}
	return sweep.AttemptRef{Sweep: id, Trial: trial, Number: c.Attempt}
}

func outcomeOf(p sweep.Params, accuracy float64) sweep.Outcome {
	return sweep.Outcome{
		Accuracy: accuracy, LastAccuracy: accuracy / 2, Loss: 1 - accuracy, Split: sweep.Validation, Examples: 500, Steps: p.Steps,
		DataDigest: "sha256:da7a", WeightsDigest: fmt.Sprintf("sha256:%x", math.Float64bits(accuracy)), Trainer: "fake 1", Seconds: 2,
	}
}

// run completes a trial in one attempt.
func run(t testing.TB, s *Store, id sweep.SweepID, p sweep.Params, accuracy float64) {
	t.Helper()
	if err := s.Record(t.Context(), begin1(t, s, id, p.ID()), outcomeOf(p, accuracy)); err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
}

// scalar is the one value of a query on the writing connection.
func scalar[T any](t testing.TB, s *Store, query string, args ...any) (v T) {
	t.Helper()
	if err := s.db.QueryRowContext(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestOpenMakesAPrivateDurableFile(t *testing.T) {
	s := openTemp(t)
	path := scalar[string](t, s, `SELECT file FROM pragma_database_list WHERE name = 'main'`)
	add(t, s, file("a"), grid(1)) // so that the log exists
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(p), got)
		}
	}
	if got := scalar[string](t, s, `PRAGMA journal_mode`); got != "wal" {
		t.Errorf("journal mode %s, want wal", got)
	}
	if got := scalar[int](t, s, `PRAGMA synchronous`); got != 2 {
		t.Errorf("synchronous %d, want 2 (full)", got)
	}
	if got := scalar[int](t, s, `PRAGMA foreign_keys`); got != 1 {
		t.Errorf("foreign keys %d, want 1", got)
	}
	if n := scalar[int](t, s, `SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND strict = 0`); n != 0 {
		t.Errorf("%d tables are not STRICT", n)
	}
}

func TestPathsWithOddCharacters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "50% off? #1 ü")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, filepath.Join(dir, "a b.db"))
	add(t, s, file("a"), grid(1))
	names, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*", "*"))
	if err != nil || !slices.Contains(names, filepath.Join(dir, "a b.db")) {
		t.Errorf("files %q, error %v; want the record at its path", names, err)
	}
}

func TestStoreAndReaderOutliveEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	first := openAt(t, path)
	add(t, first, file("a"), grid(1))
	r, err := OpenReader(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	second := openAt(t, path)
	add(t, second, file("b"), grid(2))
	add(t, first, file("c"), grid(3))
	all, err := first.Sweeps(t.Context())
	if err != nil || len(all) != 3 {
		t.Errorf("%d sweeps, error %v; want 3", len(all), err)
	}
}
