package search

import (
	"fmt"
	"math"
	"slices"

	"sweep"
)

// Doubts are what a reader of the sweep's results has to know: nothing here
// keeps it from running. Each is one line.
func (s *Sweep) Doubts() []string {
	var doubts []string
	if limit := 1 / float64(s.Data.Train); s.Privacy.Delta >= limit {
		doubts = append(doubts, fmt.Sprintf("delta %s is not below 1/N = %s: publishing one example in the clear would be as private", show(s.Privacy.Delta), show(limit)))
	}
	if s.Privacy.Noise == sweep.Seeded {
		doubts = append(doubts, "noise is seeded: whoever has the sweep file can subtract it")
	}
	if slices.Contains(s.Privacy.Epsilon, math.Inf(1)) || slices.Contains(s.Privacy.NoiseMultiplier, 0) {
		doubts = append(doubts, "some trials have no noise: they are baselines, and not private")
	}
	if s.Init != (sweep.Init{}) {
		doubts = append(doubts, fmt.Sprintf("trials start from the weights in %s: epsilon does not count the data that made them", s.Init.File))
	}
	if s.Disclosure == "research" && s.Len() > 1 {
		doubts = append(doubts, fmt.Sprintf("epsilon counts one trial; choosing among %d on the same data costs more (disclosure: composed counts them all)", s.Len()))
	}
	if s.private() && s.Trainer != nil {
		doubts = append(doubts, "the trainer is an external program: that only the winner is seen holds as far as it keeps what it measures to itself")
	}
	return doubts
}
