package search

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"
)

// may reports whether d's values can be given by expr, or under when: those of
// hyper-parameters can, those of the noise cannot.
func (d def) may() bool { return d.set == nil && !d.single && d.kind != mapping }

// hasKey reports whether n is a mapping with that key.
func hasKey(n *yaml.Node, key string) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

// derived reads {expr: "2 * batch_size / 1024"}.
func (p *parser) derived(d def, path string, n *yaml.Node) (Axis, bool) {
	var text string
	form := def{kind: mapping, keys: []def{{
		name: "expr", kind: condition, required: true, doc: "an expression of the other hyper-parameters",
		set: func(_ *Sweep, v any) { text = v.(string) },
	}}}
	before := len(p.errs)
	p.mapping(form, path, n)
	if len(p.errs) > before {
		return Axis{}, false
	}
	if text == "" {
		p.complain(at(n), `%s.expr: the expression is empty; write one, such as "2 * batch_size / 1024"`, path)
		return Axis{}, false
	}
	return p.follows(d, text, p.nodes[join(path, "expr")]), true
}

// follows is the axis whose values the expression text, which stands at n, gives.
func (p *parser) follows(d def, text string, n *yaml.Node) Axis {
	return Axis{Name: d.name, Expr: text, Values: []any{d.example()}, places: []place{at(n)}}
}

// formulaText tells an expression from a numeral that is misspelt: it has a name
// and an operator.
var formulaText = regexp.MustCompile(`[A-Za-z_]{2}.*[-+*/%(]|[-+*/%(].*[A-Za-z_]{2}`)

// formula reports whether n, where numbers belong, is an expression without its
// mapping: learning_rate: "2 * batch_size / 1024".
func (d def) formula(n *yaml.Node) bool {
	return (d.kind == integer || d.kind == number) && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && formulaText.MatchString(n.Value)
}

// example is a value of d's type, for the types of expressions.
func (d def) example() any {
	switch d.kind {
	case integer:
		return 1
	case choice:
		return d.choices[0]
	}
	return 1.0
}

// conditional reads {when: "optimizer == 'adam'", values: [0.9, 0.99], else: 0.9}.
func (p *parser) conditional(d def, path string, n *yaml.Node) (Axis, bool) {
	var when string
	var valuesNode, elseNode *yaml.Node
	before := len(p.errs)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], deref(n.Content[i+1])
		full := join(path, key.Value)
		switch key.Value {
		case "when":
			p.nodes[full] = v
			if text, ok := p.condition(full, v); ok {
				when = text.(string)
			}
		case "values":
			valuesNode = v
		case "else":
			elseNode = v
		default:
			p.complain(at(key), "%s: %s is not a key here; the keys are when, values and else", path, quote(key))
		}
	}
	if valuesNode == nil {
		p.complain(at(n), "%s: values are missing; write {when: %q, values: [1, 2]}", path, when)
	}
	if len(p.errs) > before {
		return Axis{}, false
	}
	a, ok := p.axis(d, join(path, "values"), valuesNode)
	if !ok {
		return Axis{}, false
	}
	a.When = when
	h := hyperNamed(d.name)
	switch {
	case elseNode != nil:
		a.Else, ok = p.scalar(d, join(path, "else"), elseNode)
	case h.required:
		p.complain(at(n), "%s: else is missing; %s has no default for points where the condition is false", path, d.name)
		return Axis{}, false
	case h.fallback != "":
		a.Else = fallback(h.def)
	}
	return a, ok
}

// compile compiles the expressions of the sweep, those of axes and the constraint.
func (p *parser) compile() bool {
	s := p.sweep
	s.whens, s.exprs = make([]*vm.Program, len(s.axes)), make([]*vm.Program, len(s.axes))
	var alone, given []Axis // axes that stand by themselves, and those that may be conditional
	for _, a := range s.axes {
		if s.solved && a.Name == "steps" {
			continue
		}
		if a.Expr == "" {
			given = append(given, a)
		}
		if a.Expr == "" && a.When == "" {
			alone = append(alone, a)
		}
	}
	ok := true
	for i, a := range s.axes {
		if a.When != "" {
			s.whens[i] = p.program(p.pathOf(a.Name)+".when", a.When, &ok, append(whereOptions(alone), expr.AsBool()), alone)
		}
		if a.Expr != "" {
			s.exprs[i] = p.program(p.pathOf(a.Name)+".expr", a.Expr, &ok, whereOptions(given), given)
		}
	}
	if n := p.nodes["where"]; n != nil && ok {
		all := slices.DeleteFunc(slices.Clone(s.axes), func(a Axis) bool { return s.solved && a.Name == "steps" })
		program, err := expr.Compile(n.Value, append(whereOptions(all), expr.AsBool())...)
		if err != nil {
			p.badWhere(n, err)
			return false
		}
		s.filter, s.filterAt = program, at(n)
	}
	return ok
}

func (p *parser) program(path, text string, ok *bool, options []expr.Option, names []Axis) *vm.Program {
	n := p.nodes[path]
	program, err := expr.Compile(text, options...)
	if err != nil {
		*ok = false
		hint := "it may use " + list(axisNames(names))
		p.badExpression(path, n, err, hint, axisNames(names))
		return nil
	}
	return program
}

func axisNames(axes []Axis) []string {
	names := make([]string, len(axes))
	for i, a := range axes {
		names[i] = a.Name
	}
	return names
}

// together complains about values of a trial that are a mistake only together,
// which those that the file derives, or solves for, can be.
func (s *Sweep) together(t Trial) error {
	p := t.Params
	switch {
	case p.Warmup > 0 && p.Warmup >= p.Steps:
		return s.mistake("warmup", "%d updates of warm-up leave none of the %d of steps at the full learning rate (trial %s)", p.Warmup, p.Steps, t.Label)
	case p.Batch > p.Data.Train:
		return s.mistake("batch_size", "%d is more than the %d examples of data.train (trial %s)", p.Batch, p.Data.Train, t.Label)
	}
	return nil
}

// mistake is an error at the place of an axis.
func (s *Sweep) mistake(axis, format string, args ...any) error {
	e := &SyntaxError{File: s.file, Msg: axis + ": " + fmt.Sprintf(format, args...)}
	for _, a := range s.axes {
		if a.Name == axis && len(a.places) > 0 {
			e.Line, e.Column = a.places[0].line, a.places[0].column
		}
	}
	return e
}
