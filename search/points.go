package search

import (
	"fmt"
	"iter"
	"slices"

	"sweep/search/strategy"
)

// listed yields the points that are known before anything ran, each as the values
// of the sweep's axes: all of the grid that pass the constraint, the last axis
// fastest, or those that the strategy draws beforehand. The slice is reused.
func (s *Sweep) listed() iter.Seq2[[]any, error] {
	if s.Strategy != "grid" {
		return func(yield func([]any, error) bool) {
			for _, values := range s.drawn {
				if !yield(values, nil) {
					return
				}
			}
		}
	}
	return s.grid()
}

func (s *Sweep) grid() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		at := make([]int, len(s.axes))
		c := newSettler(s)
		for more := true; more; more = s.advance(at, c) {
			err := c.settle()
			if err == nil && c.repeated(at) {
				continue
			}
			pass := true
			if err == nil {
				pass, err = c.pass()
			}
			if (pass || err != nil) && !yield(c.values, err) {
				return
			}
		}
	}
}

// advance moves at to the next point and reports whether there is one.
func (s *Sweep) advance(at []int, c *settler) bool {
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

// An effect says beside which values of another axis an axis counts. The zero
// effect counts always.
type effect struct {
	beside int // the other, by its place in the sweep's axes
	counts func(any) bool
}

func (e effect) here(values []any) bool { return e.counts == nil || e.counts(values[e.beside]) }

// link finds the effects of the sweep's axes, all of which are there.
func (s *Sweep) link() {
	s.effects = make([]effect, len(s.axes))
	for i, a := range s.axes {
		if w := hyperNamed(a.Name).with; w.name != "" {
			s.effects[i] = effect{s.axis(w.name), w.holds}
		}
	}
}

// axis is the index of the named axis, which every sweep has.
func (s *Sweep) axis(name string) int {
	i := slices.IndexFunc(s.axes, func(a Axis) bool { return a.Name == name })
	if i < 0 {
		panic("search: no axis " + name)
	}
	return i
}

// draw finds the points that the strategy draws before anything ran, and counts
// them; of a grid, all that pass.
func (p *parser) draw() {
	s := p.sweep
	if s.Adaptive() && s.Strategy != "grid" || s.private() && s.Strategy == "random" {
		p.drawOne()
		return
	}
	if s.Strategy != "grid" {
		space := newSpace(s)
		asks, _ := s.strategy(space, nil).Next(nil, s.Settings.Trials)
		for _, a := range asks {
			values, _ := space.values(a.At)
			s.drawn = append(s.drawn, slices.Clone(values))
		}
	}
	noise := newAsking(s)
	for values, err := range s.listed() {
		if err != nil {
			p.badPoint(err)
			return
		}
		s.points++
		s.asked = noise.note(values, s.asked)
	}
	if s.points == 0 {
		p.nothingPasses()
	}
}

// drawOne wants a space that has a point at all.
func (p *parser) drawOne() {
	space := newSpace(p.sweep)
	chooser := p.sweep.strategy(space, nil)
	if p.sweep.private() {
		chooser = strategy.Random{Space: space.cube(), Trials: 1}
	}
	asks, _ := chooser.Next(nil, 1)
	switch {
	case len(asks) > 0:
	case space.err != nil:
		p.badPoint(space.err)
	default:
		p.nothingPasses()
	}
}

func (p *parser) nothingPasses() {
	if p.nodes["where"] == nil {
		p.complain(p.placeOf("grid"), "grid: no point can be run; see what the derived values come to")
		return
	}
	p.complain(p.sweep.filterAt, "where: no point of the grid passes; loosen it, or remove it")
}

// badPoint complains about a point that could not be worked out.
func (p *parser) badPoint(err error) {
	if e, ok := err.(*valueError); ok {
		p.complain(e.at, "%s: %s", p.pathOf(e.axis), e.msg)
		return
	}
	p.badWhere(p.nodes["where"], err)
}

// A valueError is a derived value that its axis cannot have.
type valueError struct {
	axis string
	at   place
	msg  string
}

func (e *valueError) Error() string { return fmt.Sprintf("%s: %s", e.axis, e.msg) }
