package search

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse reads a sweep file; file is its name in messages. If text has
// mistakes, the error is a [SyntaxErrors] with all of them.
func Parse(file string, text []byte) (*Sweep, error) {
	p := &parser{
		sweep: &Sweep{Text: string(text), file: file, places: make(map[string]place)},
		lines: strings.Split(string(text), "\n"),
		axes:  make(map[string]Axis),
		keys:  make(map[string]place),
		nodes: make(map[string]*yaml.Node),
		taken: make(map[string]bool),
	}
	if root := p.document(text); root != nil {
		p.file(root)
	}
	if len(p.errs) > 0 {
		return nil, p.errs.sorted()
	}
	for path, n := range p.nodes {
		p.sweep.places[path] = at(n)
	}
	return p.sweep, nil
}

// Mistake is what somebody who knows more than this package has against the
// value of the key at path, such as "data.name".
func (s *Sweep) Mistake(path string, cause error) *SyntaxError {
	at := s.places[path]
	return &SyntaxError{File: s.file, Line: at.line, Column: at.column, Msg: fmt.Sprintf("%s: %v", path, cause), cause: cause}
}

// A parser reads one file into a Sweep and collects complaints on the way.
type parser struct {
	sweep *Sweep
	lines []string
	errs  SyntaxErrors
	axes  map[string]Axis       // hyper-parameters by name: those of privacy, grid and fixed
	keys  map[string]place      // where each key stands, by path
	nodes map[string]*yaml.Node // what stands there, by path
	taken map[string]bool       // keys that a misspelt one was taken for, by path
}

func (p *parser) complain(at place, format string, args ...any) {
	p.errs = append(p.errs, &SyntaxError{File: p.sweep.file, Line: at.line, Column: at.column, Msg: fmt.Sprintf(format, args...)})
}

// line returns line n of the file, from 1, without its line break.
func (p *parser) line(n int) string {
	if n > len(p.lines) {
		return ""
	}
	return strings.TrimSuffix(p.lines[n-1], "\r")
}

func (p *parser) file(root *yaml.Node) {
	p.value(format, "", root)
	if p.nodes[""].Kind != yaml.MappingNode {
		return
	}
	p.check()
	if len(p.errs) == 0 {
		p.assemble()
	}
}

// value reads n, the value of d, and stores it. path is d's place in the file:
// "privacy.delta".
func (p *parser) value(d def, path string, n *yaml.Node) {
	n = deref(n)
	p.nodes[path] = n
	switch {
	case d.short != "" && n.Kind == yaml.ScalarNode && !isNull(n):
		p.defaults(d)
		k, _ := d.find(d.short)
		p.value(k, path, n)
	case d.kind == mapping:
		p.mapping(d, path, n)
	case d.set == nil:
		if a, ok := p.axis(d, path, n); ok {
			p.axes[d.name] = a
		}
	default:
		if v, ok := p.scalar(d, path, n); ok {
			d.set(p.sweep, v)
		}
	}
}

// mapping reads the keys of n, and gives those that are not there their defaults.
func (p *parser) mapping(d def, path string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.complain(at(n), "%s%s; %s belongs here", prefix(path), describe(n), d.belongs())
		return
	}
	if d.set != nil {
		d.set(p.sweep, nil)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		p.pair(d, path, n.Content[i], n.Content[i+1])
	}
	for _, k := range d.keys {
		full := join(path, k.name)
		if _, given := p.keys[full]; given {
			continue
		}
		if k.required && !p.taken[full] {
			p.complain(at(n), "%s: missing; give %s", full, k.doc)
		}
		p.defaults(k)
	}
}

// belongs says what the value of a mapping looks like.
func (d def) belongs() string {
	words := "a mapping with the keys " + list(d.names())
	if d.short != "" {
		words = "its " + d.short + " alone, or " + words + ","
	}
	return words
}

// pair reads one key of a mapping and its value.
func (p *parser) pair(d def, path string, key, v *yaml.Node) {
	if key.Kind != yaml.ScalarNode {
		p.complain(at(key), "%s%s as a key; keys are plain words", prefix(path), describe(deref(key)))
		return
	}
	full := join(path, key.Value)
	k, known := d.find(key.Value)
	if !known {
		p.unknown(d, path, key)
		return
	}
	if first, twice := p.keys[full]; twice {
		p.complain(at(key), "%s: stands twice, first on line %d; keep one", full, first.line)
		return
	}
	p.keys[full] = at(key)
	p.value(k, full, v)
}

// unknown complains about a key that d does not have, and says which one may
// have been meant: one of d's, or one that belongs elsewhere.
func (p *parser) unknown(d def, path string, key *yaml.Node) {
	word, names := quote(key), d.names()
	hint := "the keys are " + list(names)
	if d.options {
		hint += "; an external trainer's are option.NAME, a name of letters, digits and underscores"
	}
	if near := d.meant(key.Value); near != "" {
		p.taken[join(path, near)] = true
		hint = fmt.Sprintf("did you mean %s?", near)
	} else if home := homes(key.Value); len(home) > 0 {
		hint = "it belongs " + strings.Join(home, " or ")
	}
	p.complain(at(key), "%s%s is not a key here; %s", prefix(path), word, hint)
}

// meant is the key of d that was probably meant by word, or "".
func (d def) meant(word string) string {
	start, bare, dotted := strings.Cut(word, ".")
	if d.options && dotted && optionName.MatchString(bare) && nearest(start+".", []string{optionPrefix}) != "" {
		return optionPrefix + bare
	}
	return nearest(word, d.names())
}

// homes are the mappings that have a key of that name.
func homes(name string) []string {
	var in []string
	if _, ok := format.find(name); ok {
		in = append(in, "at the left margin")
	}
	for _, d := range format.keys {
		if _, ok := d.find(name); ok {
			in = append(in, "under "+d.name)
		}
	}
	return in
}

// defaults stores the default of d and of every key within it.
func (p *parser) defaults(d def) {
	for _, k := range d.keys {
		p.defaults(k)
	}
	if d.fallback != "" && d.set != nil {
		d.set(p.sweep, fallback(d))
	}
}

// fallback is d's default, read as a file's value would be.
func fallback(d def) any {
	p := &parser{sweep: &Sweep{}}
	v, ok := p.scalar(d, d.name, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: d.fallback})
	if !ok {
		panic(fmt.Sprintf("search: the default of %s is a mistake: %v", d.name, p.errs))
	}
	return v
}

func requiredNames(d def) []string {
	var names []string
	for _, k := range d.keys {
		if k.required {
			names = append(names, k.name)
		}
	}
	return names
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// prefix begins a message about path; the file as a whole has no name.
func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// list is "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
