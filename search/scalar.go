package search

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Numbers are spelled in one way, so that a file means the same to every YAML
// reader: 010 is 8 to some and 10 to others, 1_000 and 0x10 are text to some.
var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	anyNumber   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// scalar reads n as one value of d: an int, float64, string, time.Duration or
// []string, by d's kind.
func (p *parser) scalar(d def, path string, n *yaml.Node) (any, bool) {
	n = deref(n)
	if n.Style&yaml.TaggedStyle != 0 {
		p.complain(at(n), "%s: the tag %s is here; write the value without a tag", path, n.Tag)
		return nil, false
	}
	switch d.kind {
	case integer:
		return p.integer(d, path, n)
	case number:
		return p.number(d, path, n)
	case external:
		return p.external(path, n)
	case words:
		return p.words(path, n)
	case duration:
		return p.duration(path, n)
	case boolean:
		return p.boolean(path, n)
	}
	v, ok := p.text(path, n)
	if !ok {
		return nil, false
	}
	switch d.kind {
	case choice:
		return v, p.choice(d, path, n)
	case condition:
		return p.condition(path, n)
	}
	if !d.pattern().MatchString(v) {
		p.complain(at(n), "%s: %s does not fit; use %s", path, quote(n), d.like)
		return nil, false
	}
	return v, true
}

func (p *parser) integer(d def, path string, n *yaml.Node) (any, bool) {
	if !p.numeral(path, n) {
		return nil, false
	}
	if !wholeNumber.MatchString(n.Value) {
		remedy := "write a whole number"
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < maxCount {
			remedy = "write " + strconv.Itoa(int(f))
		}
		p.complain(at(n), "%s: %s is not written as a whole number; %s", path, n.Value, remedy)
		return nil, false
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || !d.limits.holds(float64(v)) {
		p.outOfRange(d, path, n)
		return nil, false
	}
	return int(v), true
}

func (p *parser) number(d def, path string, n *yaml.Node) (any, bool) {
	if d.inf && isInf(n) {
		return math.Inf(1), true
	}
	v, ok := p.finite(path, n)
	if !ok {
		return nil, false
	}
	if !d.limits.holds(v) {
		p.outOfRange(d, path, n)
		return nil, false
	}
	return v, true
}

// finite reads a number of any size that float64 has.
func (p *parser) finite(path string, n *yaml.Node) (float64, bool) {
	if !p.numeral(path, n) {
		return 0, false
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	switch {
	case err != nil:
		p.complain(at(n), "%s: %s is beyond the largest number; %g is the largest", path, quote(n), math.MaxFloat64)
		return 0, false
	case v == 0 && strings.ContainsAny(strings.FieldsFunc(n.Value, isExponent)[0], "123456789"):
		p.complain(at(n), "%s: %s is too small to tell from 0; write 0 or a larger number", path, quote(n))
		return 0, false
	}
	return v + 0, true // -0 is 0, also in digests
}

func isExponent(r rune) bool { return r == 'e' || r == 'E' }

func (p *parser) outOfRange(d def, path string, n *yaml.Node) {
	unit := ""
	if d.unit != "" {
		unit = " " + d.unit
	}
	p.complain(at(n), "%s: %s is out of range; it is %s%s: %s", path, quote(n), d.limits, unit, d.doc)
}

// external reads a hyper-parameter that only an external trainer understands.
func (p *parser) external(path string, n *yaml.Node) (any, bool) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Style == 0 && n.Tag == "!!bool":
		return p.text(path, n)
	case n.Kind == yaml.ScalarNode && n.Style == 0 && (n.Tag == "!!int" || n.Tag == "!!float"):
		v, ok := p.finite(path, n)
		if i := int(v); ok && wholeNumber.MatchString(n.Value) && math.Abs(v) < 1<<53 {
			return i, true
		}
		return v, ok
	}
	return p.text(path, n)
}

func (p *parser) words(path string, n *yaml.Node) (any, bool) {
	switch {
	case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		p.complain(at(n), "%s: the list is empty; write the program and its arguments: [./trainer, --verbose]", path)
		return nil, false
	case n.Kind != yaml.SequenceNode:
		p.complain(at(n), "%s: %s; a list of the program and its arguments belongs here: [./trainer, --verbose]", path, describe(n))
		return nil, false
	}
	all, ok := make([]string, len(n.Content)), true
	for i, item := range n.Content {
		v, good := p.text(path, deref(item))
		if good && i == 0 && v == "" {
			p.complain(at(deref(item)), `%s: "" is here; the first word is the program`, path)
			good = false
		}
		all[i], ok = v, ok && good
	}
	return all, ok
}

// text reads text, quoted or not. What YAML would read as something else needs
// quotes, so that nobody has to know YAML's table of them.
func (p *parser) text(path string, n *yaml.Node) (string, bool) {
	plain := n.Kind == yaml.ScalarNode && n.Style == 0
	switch {
	case n.Kind != yaml.ScalarNode || isNull(n):
		p.complain(at(n), "%s: %s; text belongs here", path, describe(n))
		return "", false
	case plain && n.Tag == "!!bool" && (n.Value == "true" || n.Value == "false") && strings.Contains(path, optionPrefix):
		return n.Value, true
	case plain && (n.Tag != "!!str" || isYesNo(n.Value)):
		p.complain(at(n), "%s: %s is not text to YAML; write %q in quotes if it is meant", path, quote(n), n.Value)
		return "", false
	}
	return n.Value, true
}

// isYesNo reports whether YAML 1.1 takes v for a truth value, which YAML 1.2 does not.
func isYesNo(v string) bool {
	switch strings.ToLower(v) {
	case "y", "n", "yes", "no", "on", "off":
		return true
	}
	return false
}

func (p *parser) duration(path string, n *yaml.Node) (any, bool) {
	v, err := time.ParseDuration(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || isNull(n):
		p.complain(at(n), "%s: %s; a time with its unit belongs here: 30s, 5m, 1h30m", path, describe(n))
	case err != nil:
		p.complain(at(n), "%s: %s is not a time; write one with its unit: 30s, 5m, 1h30m", path, quote(n))
	case v < 0:
		p.complain(at(n), "%s: %s is negative; write 0s or more", path, quote(n))
	case v > 0 && v < time.Second:
		p.complain(at(n), "%s: %s is less than 1s; write 0s or at least 1s", path, quote(n))
	default:
		return v, true
	}
	return nil, false
}

func (p *parser) boolean(path string, n *yaml.Node) (any, bool) {
	if n.Kind == yaml.ScalarNode && n.Style == 0 && (n.Value == "true" || n.Value == "false") {
		return n.Value == "true", true
	}
	p.complain(at(n), "%s: %s; true or false belongs here", path, describe(n))
	return nil, false
}

// condition reads an expression, which the sweep's axes must be known to check.
func (p *parser) condition(path string, n *yaml.Node) (any, bool) {
	if len(n.Value) > maxWhere {
		p.complain(at(n), "%s: the expression has %d bytes; at most %d are read", path, len(n.Value), maxWhere)
		return nil, false
	}
	return strings.TrimSpace(n.Value), true
}

func (p *parser) choice(d def, path string, n *yaml.Node) bool {
	for _, c := range d.choices {
		if n.Value == c {
			return true
		}
	}
	hint := ""
	if near := nearest(n.Value, d.choices); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	what := "there are " + list(d.choices)
	if len(d.choices) == 1 {
		what = "there is only " + d.choices[0]
	}
	p.complain(at(n), "%s: %s is not available; %s%s", path, quote(n), what, hint)
	return false
}
