package results

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
)

// epsilonTicks labels a logarithmic axis at the targets of a sweep or, if they
// are none, too many or too close, at 1, 2 and 5 of each decade.
type epsilonTicks struct{ targets []float64 }

// Ticks implements [plot.Ticker].
func (t epsilonTicks) Ticks(low, high float64) []plot.Tick {
	labelled := t.targets
	if !legible(labelled) {
		labelled = steps(low, high, 1, 2, 5)
		if len(labelled) < 3 {
			labelled = steps(low, high, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		}
	}
	var ticks []plot.Tick
	for _, v := range labelled {
		if v >= low && v <= high {
			ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
		}
	}
	for _, v := range steps(low, high, 1, 2, 3, 4, 5, 6, 7, 8, 9) {
		if !slices.Contains(labelled, v) {
			ticks = append(ticks, plot.Tick{Value: v})
		}
	}
	return ticks
}

// legible says whether labels at so many values would stand apart.
func legible(values []float64) bool {
	if len(values) == 0 || len(values) > 12 {
		return false
	}
	sorted := slices.Sorted(slices.Values(values))
	span := math.Log(sorted[len(sorted)-1] / sorted[0])
	for i := 1; i < len(sorted); i++ {
		if math.Log(sorted[i]/sorted[i-1]) < span/20 {
			return false
		}
	}
	return true
}

// steps are the multiples m·10^k within the range, rising.
func steps(low, high float64, multiples ...float64) []float64 {
	var all []float64
	for k := math.Floor(math.Log10(low)); k <= math.Ceil(math.Log10(high)); k++ {
		for _, m := range multiples {
			if v := m * math.Pow(10, k); v >= low && v <= high {
				all = append(all, v)
			}
		}
	}
	return all
}

// shareTicks labels an axis in per cent at four to nine round values.
type shareTicks struct{}

// Ticks implements [plot.Ticker].
func (shareTicks) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10(high-low)))
	for _, finer := range []float64{1, 0.5, 0.2, 0.1} {
		if (high-low)/(step*finer) >= 4 {
			step *= finer
			break
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'g', 4, 64)})
	}
	return ticks
}
