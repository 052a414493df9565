package page

import (
	"cmp"
	"fmt"
	"slices"

	"sweep/results"
)

// An axisChoice is an axis that charts may show.
type axisChoice struct {
	Key, Name string
	Share     string // of the variance that it explains; "" where that is not known
	Shown     bool
}

// chooseAxes offers the axes, the most important first, and shows those asked for
// or, without, as many as can be told apart.
func (d *exploreData) chooseAxes(axes []results.Axis, important []axisImportance, asked []string) {
	rank := func(key string) int {
		if i := slices.IndexFunc(important, func(a axisImportance) bool { return a.key == key }); i >= 0 {
			return i
		}
		return len(important)
	}
	sorted := slices.Clone(axes)
	slices.SortStableFunc(sorted, func(a, b results.Axis) int { return cmp.Compare(rank(a.Key), rank(b.Key)) })
	d.Choices = nil
	for i, a := range sorted {
		c := axisChoice{Key: a.Key, Name: axisName(a.Key), Shown: i < axesShown}
		if len(asked) > 0 {
			c.Shown = slices.Contains(asked, a.Key)
		}
		if r := rank(a.Key); r < len(important) {
			c.Share = fmt.Sprintf("%.1f %%", 100*important[r].share)
		}
		d.Choices = append(d.Choices, c)
	}
}

// shown are those of the axes that were chosen, in their own order.
func (d *exploreData) shown(axes []results.Axis) (some []results.Axis) {
	for _, a := range axes {
		if slices.ContainsFunc(d.Choices, func(c axisChoice) bool { return c.Shown && c.Key == a.Key }) {
			some = append(some, a)
		}
	}
	return some
}

// Asked are the keys of the axes that somebody chose, for forms that keep them.
func (d exploreData) Asked() (keys []string) {
	for _, c := range d.Choices {
		if c.Shown && len(d.Choices) > axesShown {
			keys = append(keys, c.Key)
		}
	}
	return keys
}

// Shown is how many of the axes the charts show.
func (d exploreData) Shown() (n int) {
	for _, c := range d.Choices {
		if c.Shown {
			n++
		}
	}
	return n
}
