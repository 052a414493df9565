package search

import (
	"fmt"
	"math"
)

// An interval is the range of a number. The zero value holds no number but 0.
type interval struct {
	min, max         float64 // ±Inf where there is no bound
	openMin, openMax bool    // whether the bound itself is outside
}

func above(min float64) interval          { return interval{min: min, max: math.Inf(1), openMin: true} }
func atLeast(min float64) interval        { return interval{min: min, max: math.Inf(1)} }
func between(min, max float64) interval   { return interval{min: min, max: max} }
func belowFrom(min, max float64) interval { return interval{min: min, max: max, openMax: true} }
func strictly(min, max float64) interval  { return interval{min, max, true, true} }
func (r interval) bounded() bool          { return !math.IsInf(r.max, 1) }

func (r interval) holds(v float64) bool {
	low := v > r.min || v == r.min && !r.openMin
	high := v < r.max || v == r.max && !r.openMax
	return low && high
}

// String is "> 0", "≥ 0 and < 1" or "from 1 to 5".
func (r interval) String() string {
	if r.bounded() && !r.openMin && !r.openMax {
		return fmt.Sprintf("from %s to %s", show(r.min), show(r.max))
	}
	low, high := "≥", "≤"
	if r.openMin {
		low = ">"
	}
	if r.openMax {
		high = "<"
	}
	if !r.bounded() {
		return fmt.Sprintf("%s %s", low, show(r.min))
	}
	return fmt.Sprintf("%s %s and %s %s", low, show(r.min), high, show(r.max))
}
