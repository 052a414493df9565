package search

import (
	"math"
	"math/big"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// A generator spells an axis: {lin: {min: 1, max: 9, num: 5}}.
type generator struct {
	fields []string
	make   func(p *parser, path string, n *yaml.Node, f []*big.Rat, whole bool) []float64
}

var generators = map[string]generator{
	"range": {[]string{"from", "to", "step"}, (*parser).stepped},
	"lin":   {[]string{"min", "max", "num"}, (*parser).linear},
	"log":   {[]string{"min", "max", "num"}, (*parser).logarithmic},
}

var generatorNames = []string{"range", "lin", "log"}

const generatorForms = "[1, 2, 4], {range: {from: 1, to: 9, step: 2}}, {lin: {min: 1, max: 9, num: 5}} or {log: {min: 1, max: 16, num: 5}}"

// generated reads {range: …}, {lin: …} or {log: …}.
func (p *parser) generated(d def, path string, n *yaml.Node) (Axis, bool) {
	if !d.generates() {
		p.complain(at(n), "%s: a mapping is here; these values are listed: [%s]", path, d.fallback)
		return Axis{}, false
	}
	if len(n.Content) != 2 {
		p.complain(at(n), "%s: a mapping of %d keys is here; an axis is %s", path, len(n.Content)/2, generatorForms)
		return Axis{}, false
	}
	key := n.Content[0]
	g, ok := generators[key.Value]
	if !ok || key.Kind != yaml.ScalarNode {
		hint := "an axis is " + generatorForms
		if near := nearest(key.Value, generatorNames); near != "" {
			hint = "did you mean " + near + "?"
		}
		p.complain(at(key), "%s: %s is no kind of axis; %s", path, quote(key), hint)
		return Axis{}, false
	}
	full := join(path, key.Value)
	f, ok := p.generatorFields(d.generatorDef(key.Value), full, deref(n.Content[1]))
	if !ok {
		return Axis{}, false
	}
	if f[2] == nil {
		return p.span(d, path, n, key.Value == "log", f)
	}
	return p.generatedAxis(d, path, n, g.make(p, full, n, f, d.kind == integer))
}

// span reads a lin or log without num: every number between two ends.
func (p *parser) span(d def, path string, n *yaml.Node, log bool, f []*big.Rat) (Axis, bool) {
	full := join(path, deref(n).Content[0].Value)
	switch {
	case log && f[0].Sign() <= 0:
		p.complain(at(n), "%s: min is %s; a logarithmic axis begins above 0 (it takes values, not exponents)", full, showRat(f[0]))
		return Axis{}, false
	case f[1].Cmp(f[0]) <= 0:
		p.complain(at(n), "%s: max %s is not above min %s; swap them, or list the one value", full, showRat(f[1]), showRat(f[0]))
		return Axis{}, false
	}
	low, _ := f[0].Float64()
	high, _ := f[1].Float64()
	a, ok := p.generatedAxis(d, path, n, []float64{low, high})
	a.Span = &Span{Min: low, Max: high, Log: log, Whole: d.kind == integer}
	return a, ok
}

// generates reports whether d's values are numbers, which generators can make.
func (d def) generates() bool {
	return d.kind == integer || d.kind == number || d.kind == external
}

// generatorDef defines the mapping of a generator of d's values.
func (d def) generatorDef(name string) def {
	g := def{name: name, kind: mapping, required: true, doc: "an axis by its ends"}
	for _, field := range generators[name].fields {
		f := def{name: field, kind: number, limits: interval{min: math.Inf(-1), max: math.Inf(1)}, required: field != "num", doc: "a number"}
		if d.kind == integer || field == "num" {
			f.kind = integer
		}
		g.keys = append(g.keys, f)
	}
	return g
}

// generatorFields reads the numbers of generator g, exactly as they are written.
func (p *parser) generatorFields(g def, path string, n *yaml.Node) ([]*big.Rat, bool) {
	found := make([]*big.Rat, len(g.keys))
	for i, k := range g.keys {
		g.keys[i].set = func(*Sweep, any) { found[i] = exact(p.nodes[join(path, k.name)].Value) }
	}
	before := len(p.errs)
	p.mapping(g, path, n)
	return found, len(p.errs) == before
}

func exact(numeral string) *big.Rat {
	r, ok := new(big.Rat).SetString(numeral)
	if !ok {
		panic("search: not a numeral: " + strconv.Quote(numeral)) // the parser has matched it
	}
	return r
}

// generatedAxis checks values against d's range and types them.
func (p *parser) generatedAxis(d def, path string, n *yaml.Node, values []float64) (Axis, bool) {
	if len(values) == 0 {
		return Axis{}, false // generators have complained
	}
	for _, v := range []float64{values[0], values[len(values)-1]} {
		if d.kind != external && !d.limits.holds(v) {
			p.complain(at(n), "%s: the axis reaches %s, which is out of range; it is %s: %s", path, show(v), d.limits, d.doc)
			return Axis{}, false
		}
	}
	a := Axis{Name: d.name}
	for _, v := range slices.Compact(values) {
		if d.kind == integer {
			a.Values = append(a.Values, int(v))
		} else {
			a.Values = append(a.Values, v)
		}
		a.places = append(a.places, at(n))
	}
	return a, true
}

// stepped is from, from+step, … up to to, which is a value if a step meets it.
// It adds in rational numbers, so that 0.1 in steps of 0.1 reaches 0.3.
func (p *parser) stepped(path string, n *yaml.Node, f []*big.Rat, _ bool) []float64 {
	from, to, step := f[0], f[1], f[2]
	if step.Sign() <= 0 || to.Cmp(from) < 0 {
		p.complain(at(n), "%s: from %s to %s by %s is no range; step is > 0 and to is ≥ from", path, showRat(from), showRat(to), showRat(step))
		return nil
	}
	count := new(big.Rat).Quo(new(big.Rat).Sub(to, from), step)
	if count.Cmp(big.NewRat(maxAxis, 1)) >= 0 {
		p.complain(at(n), "%s: the range has more than %d values, the most an axis may have; take a larger step", path, maxAxis)
		return nil
	}
	var values []float64
	for v := new(big.Rat).Set(from); v.Cmp(to) <= 0; v.Add(v, step) {
		x, _ := v.Float64()
		values = append(values, x)
	}
	return values
}

// linear is num values at equal distances from min to max, both included.
func (p *parser) linear(path string, n *yaml.Node, f []*big.Rat, whole bool) []float64 {
	num := p.spaced(path, n, f)
	values := make([]float64, num)
	for i := range values {
		v := new(big.Rat).Sub(f[1], f[0])
		v.Mul(v, big.NewRat(int64(i), int64(num-1)))
		values[i], _ = v.Add(v, f[0]).Float64()
	}
	return rounded(values, whole)
}

// logarithmic is num values at equal ratios from min to max, both included.
// Values between are rounded to 12 digits, so that they are the same on every
// processor and {min: 0.5, max: 8, num: 5} is 0.5, 1, 2, 4, 8 exactly.
func (p *parser) logarithmic(path string, n *yaml.Node, f []*big.Rat, whole bool) []float64 {
	if f[0].Sign() <= 0 {
		p.complain(at(n), "%s: min is %s; a logarithmic axis begins above 0 (it takes values, not exponents)", path, showRat(f[0]))
		return nil
	}
	num := p.spaced(path, n, f)
	values := make([]float64, num)
	low, _ := f[0].Float64()
	high, _ := f[1].Float64()
	for i := range values {
		t := float64(i) / float64(num-1)
		v := math.Exp((1-t)*math.Log(low) + t*math.Log(high))
		values[i], _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	}
	if num > 0 {
		values[0], values[num-1] = low, high
	}
	return rounded(values, whole)
}

// spaced checks the fields of lin and log and returns num, or 0 after a complaint.
func (p *parser) spaced(path string, n *yaml.Node, f []*big.Rat) int {
	low, high, num := f[0], f[1], f[2]
	switch {
	case high.Cmp(low) <= 0:
		p.complain(at(n), "%s: max %s is not above min %s; swap them, or list the one value", path, showRat(high), showRat(low))
	case num.Cmp(big.NewRat(2, 1)) < 0:
		p.complain(at(n), "%s: num is %s; an axis between two ends has at least 2 values", path, showRat(num))
	case num.Cmp(big.NewRat(maxAxis, 1)) > 0:
		p.complain(at(n), "%s: num is %s; an axis has at most %d values", path, showRat(num), maxAxis)
	default:
		return int(num.Num().Int64())
	}
	return 0
}

func showRat(r *big.Rat) string {
	v, _ := r.Float64()
	return show(v)
}

func rounded(values []float64, whole bool) []float64 {
	if whole {
		for i, v := range values {
			values[i] = math.Round(v)
		}
	}
	return values
}
