package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"sweep/search/strategy"
)

// A hunt is what TAN found with so many stand-ins, over all seeds.
type hunt struct {
	standIns         int
	search, confirm  float64 // mean examples seen, as a share of what training every point in full sees
	found            curve
	near, neighbours int // seeds that end within half a point of the best, and at it or next to it on every axis
}

// scaled runs TAN with each seed's table of stand-ins, and looks the point that
// it confirms up in the table in full.
func scaled(w io.Writer, rows []row) error {
	axes := func(r row) []float64 { return []float64{r.Learn, float64(r.Steps), r.Clip} }
	pick := func(scale, repeat int) *surface {
		return newSurface(slices.DeleteFunc(slices.Clone(rows), func(r row) bool {
			return r.Batch != tanBatch || r.Scale != scale || r.Repeat != repeat
		}), -1, axes)
	}
	full := pick(1, 0)
	var proxies []*surface
	for seed := range seeds {
		proxies = append(proxies, pick(tanScale, seed))
	}
	points := len(full.accuracy)
	fmt.Fprintf(w, "`tan` at batch %d, ε = %d, k = %d, against training all %d points in full (best %.2f %%); cost in examples seen:\n\n",
		tanBatch, tanEpsilon, tanScale, points, 100*full.best())
	fmt.Fprintln(w, "| stand-ins | search | the confirming run | together | missing | within half a point | at the optimum or next to it |")
	fmt.Fprintln(w, "| --- | --- | --- | --- | --- | --- | --- |")
	for _, n := range []int{points, points / 2, points / 4} {
		h, err := huntWith(full, proxies, n)
		if err != nil {
			return err
		}
		m, half := h.found.meanAt(1, full.best())
		fmt.Fprintf(w, "| %d | 1/%.0f | 1/%.0f | 1/%.0f | %.2f ± %.2f | %d of %d | %d of %d |\n",
			h.standIns, 1/h.search, 1/h.confirm, 1/(h.search+h.confirm), m, half, h.near, seeds, h.neighbours, seeds)
	}
	return nil
}

func huntWith(full *surface, proxies []*surface, standIns int) (hunt, error) {
	h := hunt{standIns: standIns}
	all := 0.0
	for _, c := range full.cost {
		all += c
	}
	for seed, proxy := range proxies {
		st := strategy.TAN{Space: full.space(), Trials: standIns, Scale: tanScale, Confirm: 1, Seed: uint64(seed), Memory: new(strategy.Memory)}
		var tried []strategy.Tried
		var confirmed string
		for {
			asks, done := st.Next(tried, 1)
			if done || len(asks) == 0 {
				break
			}
			from, spent := full, &h.confirm
			if asks[0].Scale > 1 {
				from, spent = proxy, &h.search
			}
			x := full.at(asks[0].At)
			if _, ok := from.accuracy[x]; !ok {
				return h, fmt.Errorf("surface: no row for %s", x)
			}
			*spent += from.cost[x] / all / float64(len(proxies))
			if from == full {
				confirmed = x
			}
			tried = append(tried, strategy.Tried{Ask: asks[0], Done: true, Values: []float64{from.accuracy[x]}})
		}
		h.found = append(h.found, []float64{full.accuracy[confirmed]})
		if full.best()-full.accuracy[confirmed] <= 0.005 {
			h.near++
		}
		next, err := full.neighbours(confirmed)
		if err != nil {
			return h, err
		}
		if next {
			h.neighbours++
		}
	}
	return h, nil
}

// neighbours reports whether x is the best point or at most one level from it on
// each axis.
func (s *surface) neighbours(x string) (bool, error) {
	best := ""
	for y, a := range s.accuracy {
		if a == s.best() {
			best = y
		}
	}
	at, err1 := s.levelsOf(x)
	top, err2 := s.levelsOf(best)
	if err1 != nil || err2 != nil {
		return false, fmt.Errorf("surface: %q and %q are no points", x, best)
	}
	for i := range at {
		if math.Abs(float64(at[i]-top[i])) > 1 {
			return false, nil
		}
	}
	return true, nil
}

// levelsOf are the indices of the levels of a row's name.
func (s *surface) levelsOf(x string) ([]int, error) {
	var at []int
	for i, word := range strings.Fields(strings.Trim(x, "[]")) {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, err
		}
		at = append(at, slices.Index(s.levels[i], v))
	}
	return at, nil
}
