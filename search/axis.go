package search

import "go.yaml.in/yaml/v3"

// axis reads n as the values of a hyper-parameter: a list or a generator where
// d is an axis, and one value where it is not.
func (p *parser) axis(d def, path string, n *yaml.Node) (Axis, bool) {
	switch {
	case d.may() && hasKey(n, "expr"):
		return p.derived(d, path, n)
	case d.may() && d.formula(n):
		p.nodes[join(path, "expr")] = n
		text, ok := p.condition(join(path, "expr"), n)
		if !ok {
			return Axis{}, false
		}
		return p.follows(d, text.(string), n), true
	case d.list && d.may() && hasKey(n, "when"):
		return p.conditional(d, path, n)
	case !d.list, d.single && n.Kind == yaml.ScalarNode:
		v, ok := p.scalar(d, path, n)
		return Axis{Name: d.name, Values: []any{v}, places: []place{at(n)}}, ok
	case n.Kind == yaml.SequenceNode:
		return p.listed(d, path, n)
	case n.Kind == yaml.MappingNode:
		return p.generated(d, path, n)
	case isNull(n):
		p.complain(at(n), "%s: nothing is here; write a list of values", path)
	default:
		p.complain(at(n), "%s: %s; write [%s], or move it to fixed", path, describe(n), n.Value)
	}
	return Axis{}, false
}

func (p *parser) listed(d def, path string, n *yaml.Node) (Axis, bool) {
	switch {
	case len(n.Content) == 0:
		p.complain(at(n), "%s: the list is empty; write at least one value", path)
		return Axis{}, false
	case len(n.Content) > maxAxis:
		p.complain(at(n), "%s: the list has %d values; an axis has at most %d", path, len(n.Content), maxAxis)
		return Axis{}, false
	}
	a, ok := Axis{Name: d.name}, true
	for _, item := range n.Content {
		v, good := p.scalar(d, path, item)
		a.Values, a.places = append(a.Values, v), append(a.places, at(deref(item)))
		ok = ok && good
	}
	if !ok {
		return Axis{}, false
	}
	if d.kind == external {
		unify(a.Values)
	}
	return a, p.distinct(a, path)
}

// distinct complains about values that a has twice.
func (p *parser) distinct(a Axis, path string) bool {
	seen, ok := make(map[any]place), true
	for i, v := range a.Values {
		if first, twice := seen[v]; twice {
			p.complain(a.places[i], "%s: %s stands twice, first at %d:%d; keep one, and see repeats for more trials of a point",
				path, show(v), first.line, first.column)
			ok = false
			continue
		}
		seen[v] = a.places[i]
	}
	return ok
}

// unify gives an external trainer's values one type: int, else float64, else string.
func unify(values []any) {
	allInt, allNumber := true, true
	for _, v := range values {
		_, isInt := v.(int)
		_, isFloat := v.(float64)
		allInt, allNumber = allInt && isInt, allNumber && (isInt || isFloat)
	}
	for i, v := range values {
		whole, isInt := v.(int)
		switch {
		case allInt:
		case allNumber && isInt:
			values[i] = float64(whole)
		case !allNumber:
			values[i] = show(v)
		}
	}
}
