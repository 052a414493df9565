package stablehlotest

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// integer reads "3 : i64".
func (o *operation) integer(name string) int {
	text, _, _ := strings.Cut(o.attributes[name], ":")
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		panic(fmt.Sprintf("attribute %s: %v", name, err))
	}
	return n
}

// integers reads "array<i64: 1, 2>", and the numbers of "dense<[[1, 2]]> : …".
func (o *operation) integers(name string) []int {
	text := o.attributes[name]
	if strings.HasPrefix(text, "dense<") {
		text, _, _ = strings.Cut(text, "> :")
		text = strings.TrimPrefix(text, "dense<")
	} else {
		var ok bool
		if text, ok = strings.CutPrefix(text, "array<i64"); !ok {
			panic(fmt.Sprintf("attribute %s is %q", name, text))
		}
		text = strings.TrimPrefix(strings.TrimSuffix(text, ">"), ":")
	}
	return numbers(text)
}

var number = regexp.MustCompile(`-?\d+`)

func numbers(text string) []int {
	var out []int
	for _, s := range number.FindAllString(text, -1) {
		n, err := strconv.Atoi(s)
		if err != nil {
			panic(err.Error())
		}
		out = append(out, n)
	}
	return out
}

// field reads "name = [1, 2]" within a dialect's attribute; it is empty where
// the field is absent.
func (o *operation) field(attribute, name string) []int {
	_, after, found := strings.Cut(o.attributes[attribute], name+" = ")
	if !found {
		return nil
	}
	if !strings.HasPrefix(after, "[") {
		after, _, _ = strings.Cut(after, ",")
		return numbers(strings.TrimSuffix(after, ">"))
	}
	after, _, _ = strings.Cut(after, "]")
	return numbers(after)
}

// constant reads "dense<1.0> : T" or "dense<[1.0, 2.0]> : T".
func constant(o *operation, out *Tensor, _ []*Tensor) {
	text, _, _ := strings.Cut(o.attributes["value"], "> :")
	text = strings.Trim(strings.TrimPrefix(text, "dense<"), "[]")
	literals := strings.Split(text, ", ")
	if len(literals) != 1 && len(literals) != out.Len() {
		panic(fmt.Sprintf("%d numbers for %v", len(literals), out.Type))
	}
	for i := range out.Len() {
		if i < len(literals) {
			out.parse(i, literals[i])
		} else {
			out.move(i, out, 0)
		}
	}
}

func (v *Tensor) parse(i int, literal string) {
	var err error
	switch {
	case literal == "true" || literal == "false":
		if v.Element != "i1" {
			panic(literal + " for " + v.Element)
		}
		v.Ints[i] = map[string]uint64{"true": 1}[literal]
	case v.floating() && strings.HasPrefix(literal, "0x"):
		var bits uint64
		bits, err = strconv.ParseUint(literal[2:], 16, 64)
		switch v.Element {
		case "f64":
			v.Floats[i] = math.Float64frombits(bits)
		case "f32":
			v.Floats[i] = float64(math.Float32frombits(uint32(bits)))
		case "bf16":
			v.Floats[i] = float64(math.Float32frombits(uint32(bits) << 16))
		}
	case v.floating():
		if !strings.Contains(literal, ".") {
			panic("floating-point literal without a point: " + literal)
		}
		v.Floats[i], err = strconv.ParseFloat(literal, 64)
		v.Floats[i] = v.rounded(v.Floats[i])
	case v.signed():
		var n int64
		n, err = strconv.ParseInt(literal, 10, widths[v.Element])
		v.Ints[i] = v.masked(uint64(n))
	default:
		v.Ints[i], err = strconv.ParseUint(literal, 10, widths[v.Element])
	}
	if err != nil {
		panic(err.Error())
	}
}
