package stablehlotest

import (
	"fmt"
	"math"
	"strings"
)

var unary = map[string]func(float64) float64{
	"abs":                   math.Abs,
	"cosine":                math.Cos,
	"exponential":           math.Exp,
	"exponential_minus_one": math.Expm1,
	"log":                   math.Log,
	"logistic":              func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	"rsqrt":                 func(x float64) float64 { return 1 / math.Sqrt(x) },
	"sine":                  math.Sin,
	"sqrt":                  math.Sqrt,
	"tanh":                  math.Tanh,
}

// Minimum and maximum hand on what is not a number, as Go's do.
var binaryFloat = map[string]func(a, b float64) float64{
	"add":      func(a, b float64) float64 { return a + b },
	"divide":   func(a, b float64) float64 { return a / b },
	"maximum":  math.Max,
	"minimum":  math.Min,
	"multiply": func(a, b float64) float64 { return a * b },
	"subtract": func(a, b float64) float64 { return a - b },
}

var binaryInt = map[string]func(t Type, a, b uint64) uint64{
	"add":      func(_ Type, a, b uint64) uint64 { return a + b },
	"multiply": func(_ Type, a, b uint64) uint64 { return a * b },
	"subtract": func(_ Type, a, b uint64) uint64 { return a - b },
	"and":      func(_ Type, a, b uint64) uint64 { return a & b },
	"or":       func(_ Type, a, b uint64) uint64 { return a | b },
	"xor":      func(_ Type, a, b uint64) uint64 { return a ^ b },
	"minimum": func(t Type, a, b uint64) uint64 {
		if less(t, a, b) {
			return a
		}
		return b
	},
	"maximum": func(t Type, a, b uint64) uint64 {
		if less(t, a, b) {
			return b
		}
		return a
	},
	// What is shifted by its width or more is 0; Go's shifts of 64 bits, and the
	// mask of what is narrower, see to that.
	"shift_left":          func(_ Type, a, b uint64) uint64 { return a << b },
	"shift_right_logical": func(_ Type, a, b uint64) uint64 { return a >> b },
}

func less(t Type, a, b uint64) bool {
	if t.signed() {
		return t.signedValue(a) < t.signedValue(b)
	}
	return a < b
}

func convert(_ *operation, out *Tensor, in []*Tensor) {
	v := in[0]
	for i := range v.Len() {
		switch {
		case v.floating() && out.floating():
			out.Floats[i] = out.rounded(v.Floats[i])
		case v.floating():
			panic("conversion of floating-point numbers to integers")
		case out.floating() && v.signed():
			out.Floats[i] = out.rounded(float64(v.signedValue(v.Ints[i])))
		case out.floating():
			out.Floats[i] = out.rounded(float64(v.Ints[i]))
		case out.Element == "i1":
			panic("conversion to i1")
		default:
			x := v.Ints[i]
			if v.signed() {
				x = uint64(v.signedValue(x))
			}
			out.Ints[i] = out.masked(x)
		}
	}
}

func reducePrecision(o *operation, out *Tensor, in []*Tensor) {
	elementwise(out, in, 1)
	if out.Element != "f32" {
		panic("reduce_precision of " + out.Element)
	}
	for i, x := range in[0].Floats {
		out.Floats[i] = reduced(x, o.integer("exponent_bits"), o.integer("mantissa_bits"))
	}
}

func isFinite(_ *operation, out *Tensor, in []*Tensor) {
	for i, x := range in[0].Floats {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			out.Ints[i] = 1
		}
	}
}

func not(_ *operation, out *Tensor, in []*Tensor) {
	elementwise(out, in, 1)
	for i, x := range in[0].Ints {
		out.Ints[i] = out.masked(^x)
	}
}

func compare(o *operation, out *Tensor, in []*Tensor) {
	direction := strings.TrimSuffix(strings.TrimPrefix(o.attributes["comparison_direction"], "#stablehlo<comparison_direction "), ">")
	a, b := in[0], in[1]
	elementwise(&Tensor{Type: a.Type}, in, 2)
	for i := range a.Len() {
		var lt, eq, gt bool // none if one is not a number
		if a.floating() {
			x, y := a.Floats[i], b.Floats[i]
			lt, eq, gt = x < y, x == y, x > y
		} else {
			lt, gt = less(a.Type, a.Ints[i], b.Ints[i]), less(a.Type, b.Ints[i], a.Ints[i])
			eq = !lt && !gt
		}
		var holds bool
		switch direction {
		case "LT":
			holds = lt
		case "LE":
			holds = lt || eq
		case "GT":
			holds = gt
		case "GE":
			holds = gt || eq
		case "EQ":
			holds = eq
		case "NE":
			holds = !eq
		default:
			panic(fmt.Sprintf("comparison %q", direction))
		}
		if holds {
			out.Ints[i] = 1
		}
	}
}

func choose(_ *operation, out *Tensor, in []*Tensor) {
	elementwise(out, in[1:], 2)
	if in[0].Element != "i1" || in[0].Len() != out.Len() {
		panic("select by " + in[0].Type.String())
	}
	for i, c := range in[0].Ints {
		out.move(i, in[2-c], i)
	}
}
