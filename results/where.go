package results

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// ErrCondition marks a [Filter.Where] that is not one.
var ErrCondition = errors.New("not a condition on trials")

// maxCondition bounds a condition that somebody types.
const maxCondition = 4000

// condition is where as SQL on [trialTables], with the values that it names as
// arguments. It is written in the language of a sweep file's own where:
// `learning_rate * augmult <= 16 and model == "wrn-16-4"`.
func condition(where string) (string, []any, error) {
	if strings.TrimSpace(where) == "" {
		return "", nil, nil
	}
	if len(where) > maxCondition {
		return "", nil, fmt.Errorf("%w: it has %d bytes; %d are read", ErrCondition, len(where), maxCondition)
	}
	tree, err := parser.Parse(where)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrCondition, err)
	}
	c := conditionWriter{}
	if err := c.write(tree.Node); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrCondition, err)
	}
	return " AND (" + c.sql.String() + ")", c.args, nil
}

type conditionWriter struct {
	sql  strings.Builder
	args []any
}

// sqlOperators are those of the language that SQLite has.
var sqlOperators = map[string]string{
	"and": "AND", "&&": "AND", "or": "OR", "||": "OR", "==": "IS", "!=": "IS NOT",
	"<": "<", "<=": "<=", ">": ">", ">=": ">=", "+": "+", "-": "-", "*": "*", "/": "/", "%": "%",
}

func (c *conditionWriter) write(n ast.Node) error {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return c.value(n.Value)
	case *ast.FloatNode:
		return c.value(n.Value)
	case *ast.StringNode:
		return c.value(n.Value)
	case *ast.BoolNode:
		return c.value(n.Value)
	case *ast.IdentifierNode:
		return c.column(n.Value)
	case *ast.MemberNode:
		return c.option(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.BuiltinNode:
		if n.Name == "abs" && len(n.Arguments) == 1 {
			return c.around("abs(", n.Arguments[0], ")")
		}
		return fmt.Errorf("%s() is not known here", n.Name)
	}
	return fmt.Errorf("%s is not known here; a condition compares names with values: learning_rate >= 1 and batch_size in [256, 512]", n)
}

func (c *conditionWriter) value(v any) error {
	c.sql.WriteByte('?')
	c.args = append(c.args, v)
	return nil
}

func (c *conditionWriter) around(before string, n ast.Node, after string) error {
	c.sql.WriteString(before)
	err := c.write(n)
	c.sql.WriteString(after)
	return err
}

func (c *conditionWriter) column(name string) error {
	if column, ok := conditionColumns()[name]; ok {
		c.sql.WriteString(column)
		return nil
	}
	return fmt.Errorf("unknown name %s; the names are %s", name, strings.Join(slices.Sorted(maps.Keys(conditionColumns())), ", "))
}

// option is option.NAME, an external trainer's own hyper-parameter.
func (c *conditionWriter) option(n *ast.MemberNode) error {
	of, named := n.Node.(*ast.IdentifierNode)
	name, ok := n.Property.(*ast.StringNode)
	if !named || !ok || of.Value != "option" {
		return fmt.Errorf("%s is not known here; only option has members", n)
	}
	column, _, _ := axisColumn("option." + name.Value)
	c.sql.WriteString(column)
	return nil
}

func (c *conditionWriter) unary(n *ast.UnaryNode) error {
	switch n.Operator {
	case "not", "!":
		return c.around("NOT (", n.Node, ")")
	case "-", "+":
		return c.around(n.Operator+"(", n.Node, ")")
	}
	return fmt.Errorf("operator %s is not known here", n.Operator)
}

func (c *conditionWriter) binary(n *ast.BinaryNode) error {
	if n.Operator == "in" {
		return c.in(n)
	}
	operator, ok := sqlOperators[n.Operator]
	if !ok {
		return fmt.Errorf("operator %s is not known here", n.Operator)
	}
	before, after := "(", " "+operator+" "
	if operator == "/" {
		before, after = "(CAST(", " AS REAL) / " // SQLite's own division of whole numbers is whole
	}
	if err := c.around(before, n.Left, after); err != nil {
		return err
	}
	return c.around("", n.Right, ")")
}

func (c *conditionWriter) in(n *ast.BinaryNode) error {
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return errors.New("what stands right of in is a list: batch_size in [256, 512]")
	}
	if err := c.around("(", n.Left, " IN ("); err != nil {
		return err
	}
	for i, v := range list.Nodes {
		if i > 0 {
			c.sql.WriteString(", ")
		}
		if err := c.write(v); err != nil {
			return err
		}
	}
	c.sql.WriteString("))")
	return nil
}

// conditionColumns are the names that a condition may use: hyper-parameters and
// whatever trials can be sorted by.
func conditionColumns() map[string]string {
	columns := maps.Clone(sortColumns)
	for _, a := range axisColumns {
		columns[a.key] = a.column
	}
	for name, column := range map[string]string{
		"trial": "t.id", "label": "st.label", "repeat": "st.repeat", "seed": "t.seed", "point": "t.point", "gone": "st.gone",
		"worker": "a.worker", "failure": "coalesce(a.failure, '')", "reason": "coalesce(a.reason, '')", "step": "a.last_step",
	} {
		columns[name] = column
	}
	return columns
}
