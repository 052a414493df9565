package op

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// A Program computes some nodes of a graph: their operations, one after the
// other, on the goroutine of its caller. Gorgonia's own machine runs the same
// operations on another goroutine and from a thread that it locks; its two
// hand-overs per run cost groups of small images a third of their speed on two
// threads.
type Program struct {
	group  *Group
	calls  []call
	uses   uses
	stages []*stage // the calls
}

type call struct {
	do *operation
	in []*Value
}

// NewProgram orders what outputs need. Each output is computed as soon as what
// it needs was, in the order given, so that outputs which share much follow each
// other while it is in the cache. Inputs must have been bound.
func NewProgram(g *Group, outputs G.Nodes) (*Program, error) {
	p := &Program{group: g, uses: uses{}}
	seen := map[int64]bool{}
	var visit func(n *G.Node) error
	visit = func(n *G.Node) error {
		if seen[n.ID()] {
			return nil
		}
		seen[n.ID()] = true
		o, ok := n.Op().(*operation)
		if !ok {
			if ValueOf(n) == nil {
				return fmt.Errorf("%v is neither an input nor an operation of this package", n)
			}
			return nil
		}
		c := call{do: o}
		for _, from := range inputsOf(n) {
			if err := visit(from); err != nil {
				return err
			}
			c.in = append(c.in, ValueOf(from))
		}
		p.calls = append(p.calls, c)
		return nil
	}
	for _, n := range outputs {
		if err := visit(n); err != nil {
			return nil, err
		}
		p.uses[ValueOf(n)]++
	}
	p.uses.count(p.calls)
	p.stages = stagesOf(g, p.calls, p.uses)
	return p, nil
}

// Run computes the outputs. Its error names the layer that failed.
func (p *Program) Run() error {
	for _, s := range p.stages {
		if err := s.run(p.group); err != nil {
			return err
		}
	}
	return nil
}

// runAll makes calls, one after the other. A panic becomes an error here: it
// names the layer, and does not end the process.
func runAll(calls []call) (err error) {
	var now *operation
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %s: %v", now.layer, now.kind, r)
		}
	}()
	for i := range calls {
		now = calls[i].do
		now.run(calls[i].in)
	}
	return nil
}

// A PerExample computes outputs of a [Program] for one example at a time, for
// groups of one view for each example.
type PerExample struct {
	group  *Group
	before *stage // what nothing else needs, for some examples at a time
	calls  []call
	in     window // what the calls read of an example
	shared window // and what they read of before
}

// Cut takes from p the calls that compute the given outputs, and those before
// them that nothing else needs and that work image by image. Outputs that take no
// memory, or that p itself needs, stay.
func (p *Program) Cut(outputs G.Nodes) *PerExample {
	cut := map[*Value]bool{}
	for _, n := range outputs {
		if o, ok := n.Op().(*operation); ok && !o.unstored {
			cut[o.out] = true
		}
	}
	for _, c := range p.calls {
		for _, v := range c.in {
			delete(cut, v)
		}
	}
	last := &PerExample{group: p.group}
	p.calls, last.calls = divide(p.calls, func(c call) bool { return cut[c.do.out] })

	within := uses{}
	within.count(last.calls)
	var before []call
	for i := len(p.calls) - 1; i >= 0; i-- { // the last first: it may free those before it
		c := p.calls[i]
		if c.do.imagewise && within[c.do.out] == p.uses[c.do.out] {
			before = append(before, c)
			within.count([]call{c})
			p.calls = slices.Delete(p.calls, i, i+1)
		}
	}
	slices.Reverse(before)
	last.before = newStage(p.group, before, func(v *Value) bool { return within[v] == p.uses[v] })
	last.in, last.shared = readsOf(last.calls, before)
	p.stages = stagesOf(p.group, p.calls, p.uses)
	return last
}

// divide returns the calls that are not asked for and those that are.
func divide(calls []call, asked func(call) bool) (no, yes []call) {
	for _, c := range calls {
		if asked(c) {
			yes = append(yes, c)
		} else {
			no = append(no, c)
		}
	}
	return no, yes
}

// readsOf is what calls read of an example, and which of it the calls before them
// wrote.
func readsOf(calls, before []call) (in, shared window) {
	written := map[*Value]bool{}
	for _, c := range before {
		written[c.do.out] = true
	}
	for _, c := range calls {
		for _, v := range c.in {
			if written[v] {
				shared.add(v)
			} else {
				in.add(v)
			}
		}
	}
	return in, shared
}

// Run computes the outputs for example e as if it were the only one, and leaves
// them where those of the first example belong. Examples must be asked for in
// their order, from the first on, once the program has run.
func (p *PerExample) Run(e int) error {
	g, first := p.group, e/p.before.images*p.before.images
	if e == first {
		if err := p.before.runSome(g, first, min(p.before.images, g.Active-first)); err != nil {
			return err
		}
	}
	active := g.Active
	g.Active = 1
	p.in.move(e)
	p.shared.move(e - first)
	err := runAll(p.calls)
	p.in.move(0)
	p.shared.move(0)
	g.Active = active
	return err
}
