// Package stablehlotest interprets StableHLO programs, for tests: the generic
// text form, and as much of the operation set as package xla prints. It is
// written from the specification (https://openxla.org/stablehlo/spec), knows
// nothing of how the text came about, and is slow.
package stablehlotest

import (
	"fmt"
	"strconv"
	"strings"
)

// A Program is a parsed module with one function, @main.
type Program struct {
	params  []param
	results []Type
	aliases map[int]int // by argument: the result that takes its memory
	body    []*operation
}

// Aliases says which arguments are donated, and to which results.
func (p *Program) Aliases() map[int]int { return p.aliases }

// A Type is that of a tensor.
type Type struct {
	Element string // "f32"
	Shape   []int
}

func (t Type) String() string {
	s := "tensor<"
	for _, d := range t.Shape {
		s += strconv.Itoa(d) + "x"
	}
	return s + t.Element + ">"
}

// Len is the number of elements.
func (t Type) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

type param struct {
	id string
	Type
}

// An operation is one line, with the regions it encloses.
type operation struct {
	name       string // "stablehlo.add"
	results    []string
	in         []string
	attributes map[string]string // as written
	regions    []block
	inTypes    []Type
	outTypes   []Type
	line       int
}

type block struct {
	params []param
	body   []*operation
}

// Parse reads a module.
func Parse(text string) (p *Program, err error) {
	r := &reader{text: text}
	defer func() {
		if bad := recover(); bad != nil {
			s, ok := bad.(syntaxError)
			if !ok {
				panic(bad)
			}
			p, err = nil, fmt.Errorf("line %d: %s", r.lineNumber(), string(s))
		}
	}()
	return r.module(), nil
}

type syntaxError string

// A reader walks through the text; it panics with a syntaxError.
type reader struct {
	text string
	at   int

	line, counted int // lines that end in the first counted bytes
}

// lineNumber counts on from the last call.
func (r *reader) lineNumber() int {
	r.line += strings.Count(r.text[r.counted:r.at], "\n")
	r.counted = r.at
	return r.line + 1
}

func (r *reader) fail(format string, args ...any) { panic(syntaxError(fmt.Sprintf(format, args...))) }

func (r *reader) space() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// next says whether s follows, and passes it if so.
func (r *reader) next(s string) bool {
	r.space()
	if !strings.HasPrefix(r.text[r.at:], s) {
		return false
	}
	r.at += len(s)
	return true
}

func (r *reader) want(s string) {
	if !r.next(s) {
		r.fail("want %q before %.30q", s, r.text[r.at:])
	}
}

// word reads letters, digits and the given other characters.
func (r *reader) word(others string) string {
	r.space()
	first := r.at
	for r.at < len(r.text) {
		c := r.text[r.at]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(others, c) >= 0 {
			r.at++
			continue
		}
		break
	}
	if r.at == first {
		r.fail("want a name before %.30q", r.text[r.at:])
	}
	return r.text[first:r.at]
}

func (r *reader) value() string {
	r.want("%")
	return "%" + r.word("_#")
}

func (r *reader) integer() int {
	n, err := strconv.Atoi(r.word("-"))
	if err != nil {
		r.fail("%v", err)
	}
	return n
}

func (r *reader) typ() Type {
	r.want("tensor<")
	parts := strings.Split(r.word(""), "x")
	r.want(">")
	t := Type{Element: parts[len(parts)-1]}
	for _, p := range parts[:len(parts)-1] {
		d, err := strconv.Atoi(p)
		if err != nil || d < 0 {
			r.fail("dimension %q", p)
		}
		t.Shape = append(t.Shape, d)
	}
	if _, known := widths[t.Element]; !known {
		r.fail("element type %q", t.Element)
	}
	return t
}

// types reads "(T, T)", or one type without parentheses.
func (r *reader) types() (ts []Type) {
	if !r.next("(") {
		return []Type{r.typ()}
	}
	for !r.next(")") {
		ts = append(ts, r.typ())
		r.next(",")
	}
	return ts
}

func (r *reader) module() *Program {
	r.want("module")
	r.want("@")
	r.word("_")
	if r.next("attributes") {
		r.balanced('{', '}')
	}
	r.want("{")
	r.want("func.func public @main(")
	p := &Program{aliases: map[int]int{}}
	for !r.next(")") {
		a := param{id: r.value()}
		r.want(":")
		a.Type = r.typ()
		if r.next("{") {
			r.want("tf.aliasing_output =")
			p.aliases[len(p.params)] = r.integer()
			r.want(": i32}")
		}
		p.params = append(p.params, a)
		r.next(",")
	}
	r.want("->")
	p.results = r.types()
	r.want("{")
	p.body = r.operations()
	r.want("}")
	r.want("}")
	r.space()
	if r.at != len(r.text) {
		r.fail("more text after the module")
	}
	return p
}

// operations reads until the closing brace, which stays.
func (r *reader) operations() (body []*operation) {
	for {
		r.space()
		if strings.HasPrefix(r.text[r.at:], "}") {
			return body
		}
		body = append(body, r.operation())
	}
}

func (r *reader) operation() *operation {
	o := &operation{line: r.lineNumber(), attributes: map[string]string{}}
	r.space()
	if strings.HasPrefix(r.text[r.at:], "%") {
		id := r.value()
		o.results = []string{id}
		if r.next(":") {
			n := r.integer()
			o.results = nil
			for i := range n {
				o.results = append(o.results, fmt.Sprintf("%s#%d", id, i))
			}
		}
		r.want("=")
	}
	r.want(`"`)
	o.name = r.word("._")
	r.want(`"(`)
	for !r.next(")") {
		o.in = append(o.in, r.value())
		r.next(",")
	}
	if r.next("<{") {
		r.readAttributes(o.attributes)
	}
	if r.next("({") {
		o.regions = append(o.regions, r.block())
		for r.next("}, {") {
			o.regions = append(o.regions, r.block())
		}
		r.want("})")
	}
	r.want(":")
	o.inTypes = r.types()
	r.want("->")
	o.outTypes = r.types()
	if len(o.in) != len(o.inTypes) || len(o.results) != len(o.outTypes) {
		r.fail("%s: numbers of operands, results and types differ", o.name)
	}
	return o
}

func (r *reader) block() block {
	var b block
	r.want("^bb0(")
	for !r.next(")") {
		a := param{id: r.value()}
		r.want(":")
		a.Type = r.typ()
		b.params = append(b.params, a)
		r.next(",")
	}
	r.want(":")
	b.body = r.operations()
	return b
}

// readAttributes reads "a = b, c = d}>".
func (r *reader) readAttributes(into map[string]string) {
	for !r.next("}>") {
		name := r.word("_")
		r.want("=")
		r.space()
		first, depth := r.at, 0
		for ; ; r.at++ {
			if r.at >= len(r.text) {
				r.fail("attribute %s has no end", name)
			}
			c := r.text[r.at]
			if strings.HasPrefix(r.text[r.at:], "->") {
				r.at++
				continue
			}
			if depth == 0 && (c == ',' || c == '}') {
				break
			}
			depth += strings.Count("<[({", string(c)) - strings.Count(">])}", string(c))
		}
		into[name] = strings.TrimSpace(r.text[first:r.at])
		r.next(",")
	}
}

// balanced passes what stands between a pair of brackets.
func (r *reader) balanced(open, end byte) {
	r.want(string(open))
	for depth := 1; depth > 0; r.at++ {
		if r.at >= len(r.text) {
			r.fail("no %q", end)
		}
		switch r.text[r.at] {
		case open:
			depth++
		case end:
			depth--
		}
	}
}
