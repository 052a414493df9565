package dataset

import "sweep"

// A Subset is some of a part's examples, in a fixed order. It may be used from
// several goroutines at once. The zero Subset is empty.
type Subset struct {
	set   *Set
	part  *Part
	index []int32 // into part
}

// Len is the number of examples.
func (s Subset) Len() int { return len(s.index) }

// Set is the data set that s is a part of.
func (s Subset) Set() *Set { return s.set }

// Label is the class of example i.
func (s Subset) Label(i int) int { return int(s.part.Labels[s.index[i]]) }

// At writes example i into dst, [height][width][channel] and normalised, and
// returns its class.
func (s Subset) At(i int, dst []float32) (label int) {
	j := int(s.index[i])
	s.set.plain(dst, s.set.image(s.part, j))
	return int(s.part.Labels[j])
}

// View writes the view that d names into dst, as [Set.DrawView] does, and
// returns the class of the example; d.Example is an index into s.
func (s Subset) View(dst []float32, aug sweep.Augmentation, d Draw) (label int) {
	j := int(s.index[d.Example])
	s.set.DrawView(dst, s.set.image(s.part, j), aug, d)
	return int(s.part.Labels[j])
}
