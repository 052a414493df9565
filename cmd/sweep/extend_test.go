package main

import (
	"strings"
	"testing"

	"sweep/workflows"
)

// What extend prints tells a paused sweep from one that runs, and whose number of
// trials at a time holds.
func TestDescribeExtended(t *testing.T) {
	for _, c := range []struct {
		answer  workflows.Answer
		asked   int
		has     []string
		without string
	}{
		{workflows.Answer{Running: 2, Parallel: 4}, 4, []string{"it is running: 2 trials now, up to 4 at a time; `sweep wait s-1`"}, "set parallel"},
		{workflows.Answer{Running: 2, Parallel: 4}, 8, []string{"it is running", "up to 4 at a time, as `sweep set parallel` has it"}, "paused"},
		{workflows.Answer{Running: 1, Parallel: 4, Paused: true}, 4, []string{"it is paused: 1 trials still run", "`sweep resume s-1`"}, "running"},
		{workflows.Answer{Parallel: 4, Paused: true}, 8, []string{"it is paused", "as `sweep set parallel` has it"}, "sweep wait"},
	} {
		got := describeExtended("s-1", c.answer, c.asked)
		for _, want := range c.has {
			if !strings.Contains(got, want) {
				t.Errorf("%+v: %q lacks %q", c.answer, got, want)
			}
		}
		if strings.Contains(got, c.without) {
			t.Errorf("%+v: %q has %q", c.answer, got, c.without)
		}
	}
}
