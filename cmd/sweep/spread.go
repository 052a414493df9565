package main

import (
	"context"

	"sweep"
	"sweep/results"
	"sweep/results/stats"
)

// A seedSpread is by how much repeats of one point differ, at all points of a
// sweep; the zero one is not known.
type seedSpread struct {
	std     float64
	freedom int
}

func spreadOf(ctx context.Context, r *results.Reader, id sweep.SweepID) (s seedSpread, err error) {
	s.std, s.freedom, err = r.SeedSpread(ctx, id)
	return s, err
}

// compare compares b with a by their own repeats or, where one of them has too few,
// by s. ok is false where neither can say anything.
func (s seedSpread) compare(a, b []float64) (c stats.Comparison, pooled, ok bool) {
	if c, ok := stats.Welch(a, b); ok && len(a) > 2 && len(b) > 2 || s.freedom == 0 {
		return c, false, ok
	}
	meanA, _ := stats.MeanStd(a)
	meanB, _ := stats.MeanStd(b)
	c, ok = stats.WithSpread(meanB-meanA, s.std, s.freedom, len(a), len(b))
	return c, true, ok
}
