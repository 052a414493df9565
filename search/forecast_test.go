package search

import (
	"strings"
	"testing"
)

// A forecast has as many trials as the sweep may have, and those of stages are
// the very kinds that it comes to: steps of each rung, stand-ins and the points
// in full. What is known already is not foreseen again.
func TestForecastFillsTheSweep(t *testing.T) {
	for name := range everyStrategy {
		t.Run(name, func(t *testing.T) {
			s := withStrategy(t, name, "")
			if !s.Adaptive() {
				if more, err := s.Forecast(nil, halves); err != nil || len(more) > 0 {
					t.Errorf("%d trials foreseen, error %v", len(more), err)
				}
				return
			}
			count := func(known []Known) (n int, steps map[int]int, proxies int) {
				more, err := s.Forecast(known, halves)
				if err != nil {
					t.Fatal(err)
				}
				steps = map[int]int{}
				for _, f := range more {
					n += f.Times
					steps[f.Params.Steps] += f.Times
					if f.Proxy {
						proxies += f.Times
					}
				}
				return n, steps, proxies
			}
			all := sweepThrough(t, s, 1)
			n, steps, proxies := count(nil)
			if n != s.Most() {
				t.Errorf("%d trials foreseen, and there may be %d", n, s.Most())
			}
			reallySteps, really := map[int]int{}, 0
			var known []Known
			for i, trial := range all {
				reallySteps[trial.Params.Steps]++
				if trial.Proxy {
					really++
				}
				if i < 5 {
					known = append(known, Known{ID: trial.Params.ID(), Asked: trial.Asked, Repeat: trial.Repeat})
				}
			}
			for T, n := range reallySteps {
				if d := steps[T] - n; d < -2 || d > 2 {
					t.Errorf("%d trials of %d steps foreseen, and there were %d", steps[T], T, n)
				}
			}
			if proxies != really {
				t.Errorf("%d stand-ins foreseen, and there were %d", proxies, really)
			}
			if left, _, _ := count(known); left != n-5 {
				t.Errorf("with 5 known %d are foreseen, want %d", left, n-5)
			}
		})
	}
}

// Repeats that may be given are foreseen, for every point.
func TestForecastOfRepeats(t *testing.T) {
	s := parse(t, strings.Replace(adaptive, "max: 10}", "max: 10, num: 5}", 1)+"repeats: {min: 2, max: 6}\n")
	more, err := s.Forecast(nil, halves)
	if err != nil || len(more) != s.Most()-s.Len() {
		t.Errorf("%d repeats foreseen, error %v; want %d", len(more), err, s.Most()-s.Len())
	}
}
