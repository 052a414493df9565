package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"

	"sweep/search/strategy"
)

// recorded is what `bench -train` wrote.
//
//go:embed surface.csv.gz
var recorded []byte

// load reads the recorded tables.
func (t *table) load() error {
	z, err := gzip.NewReader(bytes.NewReader(recorded))
	if err != nil {
		return err
	}
	lines, err := csv.NewReader(z).ReadAll()
	if err != nil {
		return err
	}
	for _, l := range lines[1:] {
		v := make([]float64, len(l))
		for i := range l {
			if v[i], err = strconv.ParseFloat(l[i], 64); err != nil {
				return fmt.Errorf("surface: %w", err)
			}
		}
		r := row{v[0], int(v[1]), v[2], int(v[3]), v[4], v[5], int(v[6]), int(v[7]), v[8], v[9]}
		t.rows[r.point()] = r
	}
	return nil
}

// A surface answers what a point measured.
type surface struct {
	levels   [][]float64 // of each axis
	accuracy map[string]float64
	cost     map[string]float64 // examples that the trial saw
	top      []float64          // the best point
}

// newSurface makes a surface of rows; axes gives the values of a row, by axis.
func newSurface(rows []row, axes func(row) []float64) *surface {
	s := &surface{accuracy: map[string]float64{}, cost: map[string]float64{}}
	most := 0.0
	for _, r := range rows {
		x := axes(r)
		if r.Accuracy > most {
			most, s.top = r.Accuracy, x
		}
		if s.levels == nil {
			s.levels = make([][]float64, len(x))
		}
		for i, v := range x {
			if !slices.Contains(s.levels[i], v) {
				s.levels[i] = append(s.levels[i], v)
			}
		}
		s.accuracy[fmt.Sprint(x)] = r.Accuracy
		s.cost[fmt.Sprint(x)] = float64(r.Batch*r.Steps) / float64(r.Scale)
	}
	for i := range s.levels {
		slices.Sort(s.levels[i])
	}
	return s
}

// space is the surface as strategies see it. Without the axis of steps, which
// is then the resource of rungs, if rungs is set.
func (s *surface) space() strategy.Space {
	dims := make([]strategy.Dim, len(s.levels))
	for i, l := range s.levels {
		dims[i].Levels = len(l)
	}
	return strategy.Space{Dims: dims, Snap: func(p strategy.Point) (strategy.Point, bool) {
		q := make(strategy.Point, len(p))
		for i, u := range p {
			n := float64(len(s.levels[i]))
			q[i] = (math.Floor(min(u*n, n-0.5)) + 0.5) / n
		}
		return q, true
	}}
}

// at is the row of a point.
func (s *surface) at(p strategy.Point) string { return fmt.Sprint(s.values(p)) }

// values are a point's, by axis.
func (s *surface) values(p strategy.Point) []float64 {
	x := make([]float64, len(p))
	for i, u := range p {
		x[i] = s.levels[i][int(u*float64(len(s.levels[i])))]
	}
	return x
}

// best is the largest accuracy there is.
func (s *surface) best() float64 { return s.accuracy[fmt.Sprint(s.top)] }

// nextToBest reports whether x is the best point or at most one level from it on
// each axis.
func (s *surface) nextToBest(x []float64) bool {
	for i, l := range s.levels {
		if d := slices.Index(l, x[i]) - slices.Index(l, s.top[i]); d < -1 || d > 1 {
			return false
		}
	}
	return true
}
