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
	calls []call
}

type call struct {
	do *operation
	in []*Value
	at []*Value // in, as if one example were the first; see RunExample
}

// NewProgram orders what outputs need. Each output is computed as soon as what
// it needs was, in the order given, so that outputs which share much follow each
// other while it is in the cache. Inputs must have been bound.
func NewProgram(outputs G.Nodes) (*Program, error) {
	p := &Program{}
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
	}
	return p, nil
}

// Run computes the outputs. Its error names the layer that failed.
func (p *Program) Run() error {
	for _, c := range p.calls {
		if err := c.do.run(c.in); err != nil {
			return err
		}
	}
	return nil
}

// Cut takes from p the calls that compute the given outputs, and returns them as
// a program of their own, to be run by RunExample once p has run. Outputs that
// take no memory, or that p itself needs, stay.
func (p *Program) Cut(outputs G.Nodes) *Program {
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
	last := &Program{}
	p.calls = slices.DeleteFunc(p.calls, func(c call) bool {
		if cut[c.do.out] {
			last.calls = append(last.calls, c)
		}
		return cut[c.do.out]
	})
	return last
}

// RunExample computes the outputs for example e as if it were the only one, and
// leaves them where those of the first example belong. It is for groups of one
// view for each example.
func (p *Program) RunExample(e int) error {
	for i := range p.calls {
		c := &p.calls[i]
		for j, v := range c.in {
			if len(c.at) == j {
				c.at = append(c.at, new(Value))
			}
			*c.at[j] = *v
			if v.count > 1 {
				c.at[j].mem = v.mem[e*v.stride:]
			}
		}
		if err := c.do.run(c.at); err != nil {
			return err
		}
	}
	return nil
}
