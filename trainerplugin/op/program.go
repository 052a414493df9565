package op

import (
	"fmt"

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
