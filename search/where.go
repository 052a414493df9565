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
	"go.yaml.in/yaml/v3"
)

// whereFunctions are the functions that a constraint may use: those of the
// library that depend on their arguments alone, and three of ours.
var whereFunctions = []string{"abs", "ceil", "floor", "max", "min", "round", "int", "float"}

func whereOptions(axes []Axis) []expr.Option {
	options := []expr.Option{expr.Env(whereTypes(axes)), expr.DisableAllBuiltins(), expr.MaxNodes(1000)}
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

var unknownName = regexp.MustCompile(`^unknown name (\S+)`)

// badWhere complains about the constraint at the place within it that err names.
func (p *parser) badWhere(n *yaml.Node, err error) {
	p.badExpression("where", n, err, "a constraint is true or false: learning_rate * augmult <= 64", axisNames(p.sweep.axes))
}

// badExpression complains about an expression at the place within it that err
// names; names are what it may use.
func (p *parser) badExpression(path string, n *yaml.Node, err error, hint string, names []string) {
	pos, msg := at(n), err.Error()
	if located, ok := errors.AsType[*file.Error](err); ok {
		pos, msg = p.within(n, located), located.Message
	}
	msg = strings.Replace(msg, "unexpected token EOF", "the expression ends too soon", 1)
	if m := unknownName.FindStringSubmatch(msg); m != nil {
		hint = "the names are " + list(names)
		if near := nearest(m[1], names); near != "" {
			hint = "did you mean " + near + "?"
		}
	}
	p.complain(pos, "%s: %s; %s", path, msg, hint)
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
