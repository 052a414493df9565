package search

import "iter"

// grid yields the points of the sweep that pass its constraint, each as the
// index of its value on every axis, the last axis fastest. The slice is reused.
func (s *Sweep) grid() iter.Seq2[[]int, error] {
	return func(yield func([]int, error) bool) {
		at := make([]int, len(s.axes))
		views, augment := s.axis("augmult"), s.axis("augment")
		c := newConstraint(s.filter, s.axes)
		for i, a := range s.axes {
			c.set(i, a.Values[0])
		}
		for more := true; more; more = s.advance(at, c) {
			if at[augment] > 0 && s.axes[views].Values[at[views]] == 0 {
				continue // without views there is nothing to augment: the point is the same as with the first value
			}
			pass, err := true, error(nil)
			if s.filter != nil {
				pass, err = c.pass()
			}
			if (pass || err != nil) && !yield(at, err) {
				return
			}
		}
	}
}

// advance moves at to the next point and reports whether there is one.
func (s *Sweep) advance(at []int, c *constraint) bool {
	for i := len(at) - 1; i >= 0; i-- {
		at[i]++
		if at[i] == len(s.axes[i].Values) {
			at[i] = 0
		}
		c.set(i, s.axes[i].Values[at[i]])
		if at[i] > 0 {
			return true
		}
	}
	return false
}

// axis is the index of the named axis, which every sweep has.
func (s *Sweep) axis(name string) int {
	for i, a := range s.axes {
		if a.Name == name {
			return i
		}
	}
	panic("search: no axis " + name)
}
