package resultstest

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"sweep/results"
)

// size is a number that the environment may set.
func size(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// TestLarge makes a record and counts what is in it. With SWEEP_LARGE_DB it
// leaves the file there, to look at and to measure on.
func TestLarge(t *testing.T) {
	path, kept := os.LookupEnv("SWEEP_LARGE_DB")
	if !kept {
		path = filepath.Join(t.TempDir(), "results.db")
	}
	n := size("SWEEP_TRIALS", 1000)
	id, err := Large(t.Context(), path, n, size("SWEEP_METRICS", 20_000))
	if err != nil {
		t.Fatal(err)
	}
	r, err := results.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	info, err := r.Sweep(t.Context(), string(id))
	if err != nil || info.Counts.Trials != n || info.Counts.Completed != n*9/10 || info.Counts.Pending != n/10 {
		t.Errorf("counts %+v, error %v; want %d trials, nine in ten completed", info.Counts, err, n)
	}
	f, err := r.Frontier(t.Context(), id)
	if err != nil || len(f.Points) != len(Targets) {
		t.Errorf("frontier of %d points, error %v; want one for each of %v", len(f.Points), err, Targets)
	}
}
