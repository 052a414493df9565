package xla

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A value is a tensor of the program under construction.
type value struct {
	id      string // "%12" or "%12#1"
	element Element
	shape   []int
}

func (v value) typ() string { return tensorType(v.element, v.shape) }

func (v value) rank() int { return len(v.shape) }

func (v value) len() int {
	n := 1
	for _, d := range v.shape {
		n *= d
	}
	return n
}

// An emitter prints a program in the generic form of MLIR, which has one
// grammar for all operations and has not changed since properties came. It
// infers the types of results; a mismatch is a mistake in this package, and
// panics.
type emitter struct {
	text   strings.Builder
	depth  int
	values int
}

func (e *emitter) line(format string, args ...any) {
	e.text.WriteString(strings.Repeat("  ", e.depth))
	fmt.Fprintf(&e.text, format, args...)
	e.text.WriteByte('\n')
}

func (e *emitter) name() string {
	e.values++
	return "%" + strconv.Itoa(e.values)
}

// apply prints one operation of one result. attributes is empty or "a = b, c = d".
func (e *emitter) apply(op, attributes string, element Element, shape []int, in ...value) value {
	out := value{e.name(), element, shape}
	e.line("%s = \"stablehlo.%s\"(%s)%s : %s -> %s", out.id, op, ids(in), properties(attributes), inputTypes(in), out.typ())
	return out
}

func properties(attributes string) string {
	if attributes == "" {
		return ""
	}
	return " <{" + attributes + "}>"
}

func ids(vs []value) string {
	var s []string
	for _, v := range vs {
		s = append(s, v.id)
	}
	return strings.Join(s, ", ")
}

func typesOf(vs []value) string {
	var s []string
	for _, v := range vs {
		s = append(s, v.typ())
	}
	return strings.Join(s, ", ")
}

func inputTypes(vs []value) string { return "(" + typesOf(vs) + ")" }

// list spells an array attribute: "array<i64: 1, 2>".
func list[T int | bool](numbers []T) string {
	kind := "i64"
	if _, ok := any(numbers).([]bool); ok {
		kind = "i1"
	}
	if len(numbers) == 0 {
		return "array<" + kind + ">"
	}
	return "array<" + kind + ": " + commas(numbers) + ">"
}

func commas[T any](numbers []T) string {
	var s []string
	for _, n := range numbers {
		s = append(s, fmt.Sprint(n))
	}
	return strings.Join(s, ", ")
}

// literal spells x as a number of the given type.
func literal(element Element, x float64) string {
	switch element {
	case F32, F64, BF16:
	case Bool:
		return strconv.FormatBool(x != 0)
	default:
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	bits := 32
	if element == F64 {
		bits = 64
	}
	if math.IsInf(x, 0) || math.IsNaN(x) {
		switch element {
		case F64:
			return fmt.Sprintf("0x%016X", math.Float64bits(x))
		case BF16:
			return fmt.Sprintf("0x%04X", math.Float32bits(float32(x))>>16)
		}
		return fmt.Sprintf("0x%08X", math.Float32bits(float32(x)))
	}
	s := strconv.FormatFloat(x, 'e', -1, bits)
	if mantissa, exponent, _ := strings.Cut(s, "e"); !strings.Contains(mantissa, ".") {
		s = mantissa + ".0e" + exponent
	}
	return s
}

// constant is a tensor whose elements are all x. It is a scalar that is
// repeated: a compiler may write out a constant of many elements.
func (e *emitter) constant(element Element, shape []int, x float64) value {
	attributes := fmt.Sprintf("value = dense<%s> : %s", literal(element, x), tensorType(element, nil))
	return e.broadcast(e.apply("constant", attributes, element, nil), shape)
}

// vector is a constant of one dimension.
func (e *emitter) vector(element Element, numbers []float64) value {
	var s []string
	for _, x := range numbers {
		s = append(s, literal(element, x))
	}
	shape := []int{len(numbers)}
	attributes := fmt.Sprintf("value = dense<[%s]> : %s", strings.Join(s, ", "), tensorType(element, shape))
	return e.apply("constant", attributes, element, shape)
}

// like is a constant of v's type.
func (e *emitter) like(v value, x float64) value { return e.constant(v.element, v.shape, x) }

func (e *emitter) iota(element Element, shape []int, dimension int) value {
	return e.apply("iota", fmt.Sprintf("iota_dimension = %d : i64", dimension), element, shape)
}

func (e *emitter) unary(op string, v value) value { return e.apply(op, "", v.element, v.shape, v) }

func (e *emitter) isFinite(v value) value { return e.apply("is_finite", "", Bool, v.shape, v) }

func (e *emitter) convert(v value, to Element) value {
	if v.element == to {
		return v
	}
	return e.apply("convert", "", to, v.shape, v)
}

func sameType(op string, a, b value) {
	if a.element != b.element || !slices.Equal(a.shape, b.shape) {
		panic(fmt.Sprintf("%s of %s and %s", op, a.typ(), b.typ()))
	}
}

func (e *emitter) binary(op string, a, b value) value {
	sameType(op, a, b)
	return e.apply(op, "", a.element, a.shape, a, b)
}

func (e *emitter) add(a, b value) value { return e.binary("add", a, b) }
func (e *emitter) sub(a, b value) value { return e.binary("subtract", a, b) }
func (e *emitter) mul(a, b value) value { return e.binary("multiply", a, b) }
func (e *emitter) div(a, b value) value { return e.binary("divide", a, b) }
func (e *emitter) max(a, b value) value { return e.binary("maximum", a, b) }
func (e *emitter) min(a, b value) value { return e.binary("minimum", a, b) }

// plus, times and over are arithmetic with a constant.
func (e *emitter) plus(a value, x float64) value  { return e.add(a, e.like(a, x)) }
func (e *emitter) times(a value, x float64) value { return e.mul(a, e.like(a, x)) }

// compare is a Bool tensor; direction is LT, LE, GT, GE, EQ or NE.
func (e *emitter) compare(direction string, a, b value) value {
	sameType("compare", a, b)
	attributes := "comparison_direction = #stablehlo<comparison_direction " + direction + ">"
	return e.apply("compare", attributes, Bool, a.shape, a, b)
}

func (e *emitter) choose(where, a, b value) value {
	sameType("select", a, b)
	if where.element != Bool || !slices.Equal(where.shape, a.shape) {
		panic(fmt.Sprintf("select by %s of %s", where.typ(), a.typ()))
	}
	return e.apply("select", "", a.element, a.shape, where, a, b)
}

// reduction is what a reduction does with two elements, and where it starts.
type reduction struct {
	op    string
	start float64
}

var (
	sums   = reduction{"add", 0}
	maxima = reduction{"maximum", math.Inf(-1)}
	all    = reduction{"and", 1}
)

// region prints a reduction's region.
func (e *emitter) region(op string, element Element) {
	a, b := value{e.name(), element, nil}, value{e.name(), element, nil}
	e.line("^bb0(%s: %s, %s: %s):", a.id, a.typ(), b.id, b.typ())
	e.depth++
	e.yield(e.binary(op, a, b))
	e.depth--
}

func (e *emitter) yield(vs ...value) {
	e.line("\"stablehlo.return\"(%s) : %s -> ()", ids(vs), inputTypes(vs))
}

// reduce removes dimensions from v.
func (e *emitter) reduce(r reduction, v value, dimensions ...int) value {
	if len(dimensions) == 0 {
		return v
	}
	start := e.constant(v.element, nil, r.start)
	out := value{e.name(), v.element, nil}
	for i, d := range v.shape {
		if !slices.Contains(dimensions, i) {
			out.shape = append(out.shape, d)
		}
	}
	e.line("%s = \"stablehlo.reduce\"(%s, %s) <{dimensions = %s}> ({", out.id, v.id, start.id, list(dimensions))
	e.region(r.op, v.element)
	e.line("}) : %s -> %s", inputTypes([]value{v, start}), out.typ())
	return out
}

// total reduces v to a scalar.
func (e *emitter) total(r reduction, v value) value {
	var all []int
	for i := range v.shape {
		all = append(all, i)
	}
	return e.reduce(r, v, all...)
}

// while repeats body while cond holds. constant values are passed through: a
// region refers to nothing outside it.
func (e *emitter) while(state, constant []value, cond func(state []value) value, body func(state, constant []value) []value) []value {
	in := slices.Concat(state, constant)
	name := e.name()
	e.line("%s:%d = \"stablehlo.while\"(%s) ({", name, len(in), ids(in))
	e.yieldBlock(in, func(args []value) []value { return []value{cond(args[:len(state)])} })
	e.line("}, {")
	e.yieldBlock(in, func(args []value) []value {
		args, rest := args[:len(state)], args[len(state):]
		next := body(args, rest)
		for i, v := range next {
			sameType("while", v, args[i])
		}
		return slices.Concat(next, rest)
	})
	e.line("}) : %s -> (%s)", inputTypes(in), typesOf(in))
	var out []value
	for i, v := range state {
		out = append(out, value{fmt.Sprintf("%s#%d", name, i), v.element, v.shape})
	}
	return out
}

// yieldBlock prints a block of a region with arguments like in.
func (e *emitter) yieldBlock(in []value, do func(args []value) []value) {
	var args []value
	var declared []string
	for _, v := range in {
		a := value{e.name(), v.element, v.shape}
		args, declared = append(args, a), append(declared, a.id+": "+a.typ())
	}
	e.line("^bb0(%s):", strings.Join(declared, ", "))
	e.depth++
	e.yield(do(args)...)
	e.depth--
}
