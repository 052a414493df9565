package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sweep/results"
	"sweep/results/resultstest"
)

// BenchmarkLarge runs whole commands on a large record, from the start of the
// process to its end, and prints the median and the longest of them, beside what a
// command takes that opens no record. SWEEP_BINARY names the binary; without it
// it is this one, tests included. SWEEP_LARGE_DB names the record; without it a
// small one is made.
//
//	SWEEP_LARGE_DB=/tmp/large.db SWEEP_TRIALS=100000 SWEEP_METRICS=10000000 go test ./results/resultstest -run Large
//	SWEEP_LARGE_DB=/tmp/large.db SWEEP_BINARY=./sweep go test ./cmd/sweep -run '^$' -bench Large -benchtime 20x
func BenchmarkLarge(b *testing.B) {
	path, binary := os.Getenv("SWEEP_LARGE_DB"), os.Getenv("SWEEP_BINARY")
	if path == "" {
		path = filepath.Join(b.TempDir(), "results.db")
		if _, err := resultstest.Large(b.Context(), path, 2000, 20_000); err != nil {
			b.Fatal(err)
		}
	}
	s, err := results.Open(b.Context(), path) // brings its schema up to date
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
	if binary == "" {
		binary = "sweep"
	}
	for _, command := range [][]string{{"version"}, {"status"}, {"list"}, {"frontier"}, {"frontier", "--plot"}, {"best"}, {"trials", "--limit", "50"}} {
		b.Run(fmt.Sprint(command), func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				args := command
				if command[0] != "version" {
					args = append(slices.Clone(command), "--db", path)
				}
				began := time.Now()
				if out, err := exec.CommandContext(b.Context(), binary, args...).CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
		})
	}
}
