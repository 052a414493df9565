package results

import (
	"math"
	"slices"

	"sweep/privacy"
)

// SelectionsFit says which private selections a budget would have room for in place
// of those that it has none for. Nothing of it depends on a draw.
type SelectionsFit struct {
	Mean        float64 `json:"mean"`         // E[K] under the sweep's law at which all fit, rounded down; 0 if none does
	Prefix      int     `json:"that_fit"`     // the first so many fit as they are
	Logarithmic bool    `json:"logarithmic"`  // all fit under the logarithmic law of the same mean
	Noise       float64 `json:"noise_factor"` // all fit with noise multipliers so many times as large; 0 if no factor up to 64 does
	Example     struct {
		Mean, Epsilon, LessEpsilon float64 // of the first selection: E[K], what one trial costs at most, and at Noise times the noise
	} `json:"-"`
}

// suggestSelections finds what would fit of what the purse has no room for.
func suggestSelections(p purse, list []privacy.Select) (f SelectionsFit) {
	fits := func(list []privacy.Select) bool {
		events := slices.Clone(p.done.events)
		for _, e := range list {
			events = append(events, e)
		}
		return priceTogether(p.done.counts(true), events, p.budget.Delta) <= float64(p.budget.Epsilon)
	}
	each := func(change func(privacy.Select) privacy.Select) []privacy.Select {
		changed := slices.Clone(list)
		for i := range changed {
			changed[i] = change(changed[i])
		}
		return changed
	}
	for f.Prefix < len(list)-1 && fits(list[:f.Prefix+1]) {
		f.Prefix++
	}
	f.Mean = largestMean(list[0].Mean, func(mean float64) bool {
		return fits(each(func(e privacy.Select) privacy.Select { e.Mean = mean; return e }))
	})
	f.Logarithmic = list[0].Count != privacy.Logarithmic && fits(each(func(e privacy.Select) privacy.Select {
		e.Count, e.Shape = privacy.Logarithmic, 0
		return e
	}))
	f.Noise = leastNoise(func(factor float64) bool {
		return fits(each(func(e privacy.Select) privacy.Select { e.Run = louder(e.Run, factor); return e }))
	})
	alone := func(e privacy.Event) float64 { return priceTogether(nil, []privacy.Event{e}, p.budget.Delta) }
	f.Example.Mean, f.Example.Epsilon = list[0].Mean, alone(list[0].Run)
	if f.Noise > 0 {
		f.Example.LessEpsilon = alone(louder(list[0].Run, f.Noise))
	}
	return f
}

// largestMean is the largest mean from 1 to most that fits, to a hundredth of it and
// rounded down to two digits; 0 if 1 does not.
func largestMean(most float64, fits func(mean float64) bool) float64 {
	if !fits(1) {
		return 0
	}
	lo, hi := 1.0, most
	for hi/lo > 1.01 {
		if mid := math.Sqrt(lo * hi); fits(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return max(1, privacy.RoundDown(lo, 2))
}

// leastNoise is the least factor from 1 to 64 that fits, to half a hundredth and
// rounded up to three digits; 0 if none does.
func leastNoise(fits func(factor float64) bool) float64 {
	const most = 64
	if !fits(most) {
		return 0
	}
	lo, hi := 1.0, float64(most)
	for hi/lo > 1.005 {
		if mid := math.Sqrt(lo * hi); fits(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return privacy.RoundUp(hi, 3)
}

// louder is what a trial does with so many times the noise.
func louder(e privacy.Event, factor float64) privacy.Event {
	switch e := e.(type) {
	case privacy.DPSGD:
		e.Noise *= factor
		return e
	case privacy.OneOf:
		parts := slices.Clone(e)
		for i := range parts {
			parts[i] = louder(parts[i], factor)
		}
		return parts
	}
	return e
}
