package op

import (
	"fmt"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// An operation is a Gorgonia op that owns the memory of its result, so that a
// graph runs again and again without allocating.
type operation struct {
	layer, kind string // "conv1", "convolution": what errors and printed graphs call it
	id          uint64
	what        Description
	group       *Group
	ranks       []int // dimensions of the inputs
	out         *Value

	// plan runs once, before the first do and after all borders are known.
	plan func(in []*Value)
	do   func(in []*Value)

	// wrt says with respect to which inputs derive differentiates; it returns
	// one node per input, nil for the others.
	wrt    []bool
	derive func(in G.Nodes, out, grad *G.Node) (G.Nodes, error)

	multiplies int64 // multiply-adds of a matrix product, for one image

	scratch int // numbers that do uses besides its result; see Group.scratchFor

	unstored  bool // the result takes no memory: it is another's, or never computed
	imagewise bool // works on each image alone, and on a few as well as on many
}

var (
	_ G.SDOp  = (*operation)(nil)
	_ G.Value = (*Value)(nil)
	_ G.Typer = (*Value)(nil)
)

var lastID atomic.Uint64

// apply makes o's node in the graph of its inputs.
func apply(o *operation, in ...*G.Node) (*G.Node, error) {
	o.id = lastID.Add(1)
	o.ranks = make([]int, len(in))
	for i, n := range in {
		o.ranks[i] = n.Dims()
	}
	if o.wrt == nil {
		o.wrt = make([]bool, len(in))
	}
	n, err := G.ApplyOp(o, in...)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", o.layer, o.kind, err)
	}
	return n, nil
}

// ValueOf is what n holds, or will hold once the graph has run. It is nil for
// nodes that are neither inputs nor made by this package.
func ValueOf(n *G.Node) *Value {
	if o, ok := n.Op().(*operation); ok {
		return o.out
	}
	v, _ := n.Value().(*Value)
	return v
}

// Do computes, for Gorgonia's machines.
func (o *operation) Do(inputs ...G.Value) (G.Value, error) {
	in := make([]*Value, len(inputs))
	for i, v := range inputs {
		u, ok := v.(*Value)
		if !ok {
			return nil, fmt.Errorf("%s: %s: input %d is a %T", o.layer, o.kind, i, v)
		}
		in[i] = u
	}
	return o.out, runAll([]call{{o, in}})
}

// alloc gives the result its memory.
func (o *operation) alloc() {
	if !o.unstored {
		o.out.Alloc()
	}
}

// run computes.
func (o *operation) run(in []*Value) {
	o.alloc()
	if o.plan != nil {
		o.plan(in)
		o.plan = nil
	}
	if o.do != nil {
		o.do(in)
	}
}

func (o *operation) DiffWRT(int) []bool { return o.wrt }

func (o *operation) SymDiff(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	if o.derive == nil {
		return nil, fmt.Errorf("%s: %s has no derivative", o.layer, o.kind)
	}
	grad, err := o.own(grad)
	if err != nil {
		return nil, err
	}
	return o.derive(in, out, grad)
}

func (o *operation) Arity() int { return len(o.ranks) }

func (o *operation) Type() hm.Type {
	ts := make([]hm.Type, 0, len(o.ranks)+1)
	for _, r := range append(o.ranks, len(o.out.shape)) {
		ts = append(ts, G.TensorType{Dims: r, Of: tensor.Float32})
	}
	return hm.NewFnType(ts...)
}

func (o *operation) InferShape(...G.DimSizer) (tensor.Shape, error) { return o.out.shape.Clone(), nil }

func (o *operation) ReturnsPtr() bool     { return true }
func (o *operation) CallsExtern() bool    { return false }
func (o *operation) OverwritesInput() int { return -1 }

// WriteHash tells operations apart: Gorgonia merges nodes whose hashes agree.
func (o *operation) WriteHash(h hash.Hash) { fmt.Fprintf(h, "%s#%d", o, o.id) }

func (o *operation) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o *operation) String() string { return o.layer + "." + o.kind }
