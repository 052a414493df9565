package search

import (
	"math"
	"strings"

	"github.com/expr-lang/expr/vm"
)

// A settler works out one point after another: what is derived, what has no
// effect, and whether the constraint lets it run.
type settler struct {
	s       *Sweep
	machine vm.VM
	env     map[string]any
	options map[string]any

	base   []any  // what each axis would have by itself
	values []any  // what it has; nil is an option that is left out
	idle   []bool // axes that have no effect
	moving []int  // axes whose value or effect depends on others
}

func newSettler(s *Sweep) *settler {
	c := &settler{s: s, options: make(map[string]any), base: make([]any, len(s.axes)), values: make([]any, len(s.axes)), idle: make([]bool, len(s.axes))}
	c.machine.MemoryBudget = 1000 // list elements; a grid evaluates this up to a million times
	c.env = map[string]any{"option": c.options}
	for i, a := range s.axes {
		c.set(i, a.Values[0])
		if s.whens[i] != nil || s.exprs[i] != nil || s.effects[i].counts != nil && len(a.Values) > 1 {
			c.moving = append(c.moving, i)
		}
	}
	return c
}

// set gives axis i its own value.
func (c *settler) set(i int, v any) {
	c.base[i], c.values[i] = v, v
	c.tell(i, v)
}

// tell lets expressions see v as the value of axis i.
func (c *settler) tell(i int, v any) {
	name := c.s.axes[i].Name
	if bare, ok := strings.CutPrefix(name, optionPrefix); ok {
		c.options[bare] = v
	} else {
		c.env[name] = v
	}
}

// settle works out the axes that depend on others: conditions first, then what
// is derived, then what has no effect.
func (c *settler) settle() error {
	for _, i := range c.moving {
		if c.s.whens[i] == nil {
			continue
		}
		on, err := c.machine.Run(c.s.whens[i], c.env)
		if err != nil {
			return c.wrong(i, err.Error())
		}
		c.idle[i] = !on.(bool)
		c.values[i] = c.base[i]
		if c.idle[i] {
			c.values[i] = c.s.axes[i].Else
		}
		if c.values[i] != nil {
			c.tell(i, c.values[i])
		}
	}
	for _, i := range c.moving {
		if c.s.exprs[i] == nil {
			continue
		}
		v, err := c.machine.Run(c.s.exprs[i], c.env)
		if err != nil {
			return c.wrong(i, err.Error())
		}
		if c.values[i], err = c.typed(i, v); err != nil {
			return err
		}
		c.tell(i, c.values[i])
	}
	for _, i := range c.moving {
		if c.s.whens[i] == nil && c.s.exprs[i] == nil {
			c.idle[i] = !c.s.effects[i].here(c.values)
		}
	}
	return nil
}

// typed is v as a value of axis i, if it can be one.
func (c *settler) typed(i int, v any) (any, error) {
	d := hyperNamed(c.s.axes[i].Name).def
	switch d.kind {
	case integer:
		x, ok := asFloat(v)
		switch {
		case !ok || x != math.Trunc(x):
			return nil, c.wrong(i, "the expression comes to "+show(v)+", which is no whole number; round() makes one")
		case !d.limits.holds(x):
			return nil, c.wrong(i, "the expression comes to "+show(v)+"; it is "+d.limits.String()+": "+d.doc)
		case d.name == "batch_size" && x > float64(c.s.Data.Train):
			return nil, c.wrong(i, "the expression comes to "+show(v)+", more than the "+show(c.s.Data.Train)+" examples of data.train")
		}
		return int(x), nil
	case number:
		x, ok := asFloat(v)
		if !ok || math.IsNaN(x) || math.IsInf(x, 0) || !d.limits.holds(x) {
			return nil, c.wrong(i, "the expression comes to "+show(v)+"; it is a number "+d.limits.String()+": "+d.doc)
		}
		return x, nil
	case choice:
		for _, name := range d.choices {
			if v == name {
				return v, nil
			}
		}
		return nil, c.wrong(i, "the expression comes to "+show(v)+"; there are "+list(d.choices))
	}
	if x, ok := v.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
		return nil, c.wrong(i, "the expression comes to "+show(v)+", which is no number")
	}
	return v, nil
}

func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func (c *settler) wrong(i int, msg string) error {
	return &valueError{axis: c.s.axes[i].Name, at: c.s.axes[i].places[0], msg: msg}
}

// pass reports whether the settled point passes the constraint.
func (c *settler) pass() (bool, error) {
	if c.s.filter == nil {
		return true, nil
	}
	v, err := c.machine.Run(c.s.filter, c.env)
	if err != nil {
		return false, err
	}
	pass, _ := v.(bool)
	return pass, nil
}

// repeated says whether the settled point of a grid is the same as another: the
// one with the first value of an axis that has no effect here.
func (c *settler) repeated(at []int) bool {
	for _, i := range c.moving {
		if at[i] > 0 && c.idle[i] {
			return true
		}
	}
	return false
}
