package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"sweep/results"
	"sweep/results/chart"
	"sweep/results/stats"
)

// importanceSeed makes the forest the same each time.
const importanceSeed = 1

// An axisImportance is how much one hyper-parameter matters, by two measures.
type axisImportance struct {
	key   string
	name  string
	share float64 // of the variance that it explains by itself; see [stats.Importances]
	rise  float64 // of the error when its values are shuffled, over the variance; see [stats.PermutationImportances]
}

// addImportance says how much of accuracy each axis explains, over a choice of so many points.
func (d *exploreData) addImportance(all []axisImportance, points int) {
	if len(all) == 0 {
		d.Explained = "There is nothing to explain yet: it takes ten points whose accuracies differ."
		return
	}
	rest := 1.0
	var shares, rises []chart.Bar
	for _, a := range all {
		rest -= a.share
		shares = append(shares, chart.Bar{Name: a.name, Value: a.share, Low: math.NaN(), High: math.NaN(), Tip: fmt.Sprintf("%s\nexplains %.1f %% by itself", a.name, 100*a.share)})
		rises = append(rises, chart.Bar{Name: a.name, Value: a.rise, Low: math.NaN(), High: math.NaN(),
			Tip: fmt.Sprintf("%s\nshuffled, the squared error rises by %.1f %% of the variance", a.name, 100*a.rise)})
	}
	d.Importance = chart.Bars("share of the variance of accuracy that each hyper-parameter explains by itself", shares)
	d.Permutation = chart.Bars("rise of the squared error when a hyper-parameter is shuffled, over the variance of accuracy", rises)
	d.Explained = fmt.Sprintf("By itself: main effects of functional ANOVA over a random forest of %s points (Hutter et al. 2014); the remaining %.0f %% belong to interactions. "+
		"Shuffled: how much worse the forest predicts points that it has not seen when one hyper-parameter is shuffled among them (Breiman 2001), its interactions included; "+
		"near 0 it says nothing, and where hyper-parameters matter together shares of several add up to more than 100 %%.", count(points), 100*max(0, rest))
}

// importance is that of each axis, the largest share first; nil if there is
// nothing to explain.
func importance(axes []results.Axis, samples []results.Sample) (all []axisImportance) {
	x, y := [][]float64{}, []float64{}
	for _, s := range samples {
		if slices.ContainsFunc(s.At, math.IsNaN) {
			continue
		}
		row := make([]float64, len(s.At))
		for i, v := range s.At {
			row[i] = min(v, math.MaxFloat64) // a tree asks only which is more
		}
		x, y = append(x, row), append(y, s.Accuracy)
	}
	values := make([][]float64, len(axes))
	for i, a := range axes {
		for _, v := range a.Columns() {
			values[i] = append(values[i], min(v, math.MaxFloat64))
		}
	}
	if len(axes) == 0 {
		return nil
	}
	forest, ok := stats.Grow(x, y, importanceSeed)
	if !ok {
		return nil
	}
	shares, ok := forest.Importances(values)
	if !ok {
		return nil
	}
	rises, ok := forest.PermutationImportances(importanceSeed)
	if !ok {
		return nil
	}
	for i, a := range axes {
		all = append(all, axisImportance{a.Key, axisName(a.Key), shares[i], rises[i]})
	}
	slices.SortStableFunc(all, func(a, b axisImportance) int { return cmp.Compare(b.share, a.share) })
	return all
}
