package search

import "iter"

// grid yields the points of the sweep that pass its constraint, each as the
// index of its value on every axis, the last axis fastest. The slice is reused.
func (s *Sweep) grid() iter.Seq2[[]int, error] {
	return func(yield func([]int, error) bool) {
		at := make([]int, len(s.axes))
		c := newConstraint(s.filter, s.axes)
		for i, a := range s.axes {
			c.set(i, a.Values[0])
		}
		for more := true; more; more = s.advance(at, c) {
			if s.repeated(at) {
				continue
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

// repeated says whether the point is the same as another: the one with the
// first value of an axis that has no effect here.
func (s *Sweep) repeated(at []int) bool {
	for _, i := range s.sometimes {
		if at[i] > 0 && !s.effects[i].here(at) {
			return true
		}
	}
	return false
}

// An effect says beside which values of another axis an axis counts. The zero
// effect counts always.
type effect struct {
	beside int    // the other, by its place in the sweep's axes
	counts []bool // by the index of the other's value
}

func (e effect) here(at []int) bool { return e.counts == nil || e.counts[at[e.beside]] }

// link finds the effects of the sweep's axes, all of which are there.
func (s *Sweep) link() {
	s.effects = make([]effect, len(s.axes))
	for i, a := range s.axes {
		w := hyperNamed(a.Name).with
		if w.name == "" {
			continue
		}
		e := effect{beside: s.axis(w.name)}
		for _, v := range s.axes[e.beside].Values {
			e.counts = append(e.counts, w.holds(v))
		}
		s.effects[i] = e
		if len(a.Values) > 1 {
			s.sometimes = append(s.sometimes, i)
		}
	}
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
