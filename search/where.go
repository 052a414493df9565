package search

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"
)

// whereFunctions are the functions that a constraint may use: those of the
// library that depend on their arguments alone, and three of ours.
var whereFunctions = []string{"abs", "ceil", "floor", "max", "min", "round", "int", "float"}

func whereOptions(axes []Axis) []expr.Option {
	options := []expr.Option{expr.Env(whereTypes(axes)), expr.AsBool(), expr.DisableAllBuiltins(), expr.MaxNodes(1000)}
	for _, name := range whereFunctions {
		options = append(options, expr.EnableBuiltin(name))
	}
	for name, f := range map[string]func(float64) float64{"sqrt": math.Sqrt, "log": math.Log, "log2": math.Log2} {
		call := func(args ...any) (any, error) {
			if whole, ok := args[0].(int); ok {
				return f(float64(whole)), nil
			}
			return f(args[0].(float64)), nil
		}
		options = append(options, expr.Function(name, call, new(func(float64) float64), new(func(int) float64)))
	}
	return options
}

// whereTypes are the names that a constraint may use; an external trainer's
// options are members of option.
func whereTypes(axes []Axis) types.Map {
	names, options := types.Map{}, types.Map{}
	for _, a := range axes {
		if bare, ok := strings.CutPrefix(a.Name, optionPrefix); ok {
			options[bare] = types.TypeOf(a.Values[0])
		} else {
			names[a.Name] = types.TypeOf(a.Values[0])
		}
	}
	if len(options) > 0 {
		names["option"] = options
	}
	return names
}

// filter compiles the sweep's constraint, and counts the points that pass it.
func (p *parser) filter() {
	s := p.sweep
	if n := p.nodes["where"]; n != nil {
		program, err := expr.Compile(n.Value, whereOptions(s.axes)...)
		if err != nil {
			p.badWhere(n, err)
			return
		}
		s.filter, s.filterAt = program, at(n)
	}
	for _, err := range s.grid() {
		if err != nil {
			p.badWhere(p.nodes["where"], err)
			return
		}
		s.points++
	}
	if s.points == 0 {
		p.complain(s.filterAt, "where: no point of the grid passes; loosen it, or remove it")
	}
}

var unknownName = regexp.MustCompile(`^unknown name (\S+)`)

// badWhere complains about the constraint at the place within it that err names.
func (p *parser) badWhere(n *yaml.Node, err error) {
	pos, msg := at(n), err.Error()
	if located, ok := errors.AsType[*file.Error](err); ok {
		pos, msg = p.within(n, located), located.Message
	}
	msg = strings.Replace(msg, "unexpected token EOF", "the expression ends too soon", 1)
	hint := "a constraint is true or false: learning_rate * augmult <= 64"
	if m := unknownName.FindStringSubmatch(msg); m != nil {
		names := p.whereNames()
		hint = "the names are " + list(names)
		if near := nearest(m[1], names); near != "" {
			hint = "did you mean " + near + "?"
		}
	}
	p.complain(pos, "where: %s; %s", msg, hint)
}

func (p *parser) whereNames() []string {
	var names []string
	for _, a := range p.sweep.axes {
		names = append(names, a.Name)
	}
	return names
}

// within is where in the file the expression that n holds has its mistake. Only
// what the file spells as the expression does can be told apart; otherwise it
// is n's own place.
func (p *parser) within(n *yaml.Node, e *file.Error) place {
	lines := strings.Split(n.Value, "\n")
	start, first := at(n), 0
	switch n.Style {
	case yaml.LiteralStyle:
		first = n.Line + 1
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		start.column++
		fallthrough
	default:
		if len(lines) == 1 && strings.HasPrefix(after(p.line(start.line), start.column-1), n.Value) {
			return place{start.line, start.column + e.Column}
		}
		return at(n)
	}
	if e.Line > len(lines) {
		return at(n)
	}
	line, value := p.line(first+e.Line-1), lines[e.Line-1]
	if i := strings.Index(line, value); i >= 0 {
		return place{first + e.Line - 1, utf8.RuneCountInString(line[:i]) + 1 + e.Column}
	}
	return at(n)
}

// after drops the first n characters of s.
func after(s string, n int) string {
	r := []rune(s)
	return string(r[min(n, len(r)):])
}

// A constraint decides for one point after another whether it is run.
type constraint struct {
	program *vm.Program
	machine vm.VM
	env     map[string]any
	options map[string]any
	names   []string
}

func newConstraint(program *vm.Program, axes []Axis) *constraint {
	c := &constraint{program: program, options: make(map[string]any)}
	c.machine.MemoryBudget = 1000 // list elements; a grid evaluates this up to a million times
	c.env = map[string]any{"option": c.options}
	for _, a := range axes {
		c.names = append(c.names, a.Name)
	}
	return c
}

// set gives axis i its value.
func (c *constraint) set(i int, v any) {
	if bare, ok := strings.CutPrefix(c.names[i], optionPrefix); ok {
		c.options[bare] = v
	} else {
		c.env[c.names[i]] = v
	}
}

func (c *constraint) pass() (bool, error) {
	v, err := c.machine.Run(c.program, c.env)
	if err != nil {
		return false, err
	}
	pass, _ := v.(bool)
	return pass, nil
}
