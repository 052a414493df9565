package stablehlotest

import (
	"fmt"
	"slices"
	"strings"
)

// Run calls @main. Its arguments must have the types that the text says.
func (p *Program) Run(args ...*Tensor) (results []*Tensor, err error) {
	if len(args) != len(p.params) {
		return nil, fmt.Errorf("%d arguments; @main takes %d", len(args), len(p.params))
	}
	at := &operation{name: "@main", line: 1}
	defer func() {
		if bad := recover(); bad != nil {
			results, err = nil, fmt.Errorf("line %d: %s: %v", at.line, at.name, bad)
		}
	}()
	results = run(block{p.params, p.body}, args, &at)
	for i, r := range results {
		if r.Type.String() != p.results[i].String() {
			return nil, fmt.Errorf("result %d is %v; @main returns %v", i, r.Type, p.results[i])
		}
	}
	return results, nil
}

// run executes a block. Names of enclosing blocks are not seen in it.
func run(b block, args []*Tensor, at **operation) []*Tensor {
	names := map[string]*Tensor{}
	for i, p := range b.params {
		if args[i].Type.String() != p.Type.String() {
			panic(fmt.Sprintf("argument %d is %v, not %v", i, args[i].Type, p.Type))
		}
		names[p.id] = args[i]
	}
	for _, o := range b.body {
		*at = o
		var in []*Tensor
		for i, id := range o.in {
			v, ok := names[id]
			if !ok {
				panic("no value " + id)
			}
			if v.Type.String() != o.inTypes[i].String() {
				panic(fmt.Sprintf("operand %s is %v, not %v", id, v.Type, o.inTypes[i]))
			}
			in = append(in, v)
		}
		if o.name == "stablehlo.return" || o.name == "func.return" {
			return in
		}
		for i, v := range execute(o, in, at) {
			names[o.results[i]] = v
		}
		*at = o
	}
	panic("block has no end")
}

// execute is one operation.
func execute(o *operation, in []*Tensor, at **operation) []*Tensor {
	name := strings.TrimPrefix(o.name, "stablehlo.")
	if name == "while" {
		state := in
		for run(o.regions[0], state, at)[0].Ints[0] != 0 {
			state = run(o.regions[1], state, at)
		}
		return state
	}
	out := newTensor(o.outTypes[0])
	switch f := functions[name]; {
	case f != nil:
		f(o, out, in)
	case unary[name] != nil:
		elementwise(out, in, 1)
		for i, x := range in[0].Floats {
			out.Floats[i] = out.rounded(unary[name](x))
		}
	case binaryFloat[name] != nil || binaryInt[name] != nil:
		elementwise(out, in, 2)
		pairwise(name, out, in[0], in[1])
	default:
		panic("not known to this interpreter")
	}
	return []*Tensor{out}
}

// elementwise checks that all are of one type.
func elementwise(out *Tensor, in []*Tensor, n int) {
	if len(in) != n {
		panic(fmt.Sprintf("%d operands", len(in)))
	}
	for _, v := range in {
		if v.Type.String() != out.Type.String() {
			panic(fmt.Sprintf("operand %v of a result %v", v.Type, out.Type))
		}
	}
}

func pairwise(name string, out, a, b *Tensor) {
	if out.floating() {
		f := binaryFloat[name]
		for i, x := range a.Floats {
			out.Floats[i] = out.rounded(f(x, b.Floats[i]))
		}
		return
	}
	f, mask := binaryInt[name], out.mask()
	for i, x := range a.Ints {
		out.Ints[i] = f(out.Type, x, b.Ints[i]) & mask
	}
}

// combiner is what a region of one binary operation does.
func combiner(b block) string {
	if len(b.body) != 2 || b.body[1].name != "stablehlo.return" || len(b.params) != 2 ||
		!slices.Equal(b.body[0].in, []string{b.params[0].id, b.params[1].id}) || !slices.Equal(b.body[1].in, b.body[0].results) {
		panic("region is not of one operation")
	}
	return strings.TrimPrefix(b.body[0].name, "stablehlo.")
}

// combine returns what sets element i of v to what the named operation makes of
// it and element j of w.
func (v *Tensor) combine(name string, w *Tensor) func(i, j int) {
	if v.floating() {
		f := binaryFloat[name]
		return func(i, j int) { v.Floats[i] = v.rounded(f(v.Floats[i], w.Floats[j])) }
	}
	f, mask := binaryInt[name], v.mask()
	return func(i, j int) { v.Ints[i] = f(v.Type, v.Ints[i], w.Ints[j]) & mask }
}
