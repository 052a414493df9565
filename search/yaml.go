package search

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// document reads text as one YAML document. It returns nil after a complaint
// if text is something else.
func (p *parser) document(text []byte) *yaml.Node {
	if len(text) > MaxFile {
		p.complain(place{1, 1}, "the file has more than %d bytes, which no sweep needs", MaxFile)
		return nil
	}
	if !p.plainText(text) {
		return nil
	}
	docs, err := decode(text)
	switch {
	case err != nil:
		p.notYAML(text, err)
		return nil
	case len(docs) == 0 || len(docs[0].Content) == 0 || isNull(docs[0].Content[0]):
		p.complain(place{1, 1}, "the file is empty; a sweep needs %s", list(requiredNames(format)))
		return nil
	case len(docs) > 1:
		p.complain(at(docs[1]), "a second document begins; a sweep file is one document, so write one file for each sweep")
		return nil
	}
	return docs[0].Content[0]
}

// plainText complains about characters that YAML refuses, or takes for line
// breaks where editors do not.
func (p *parser) plainText(text []byte) bool {
	pos := place{1, 1}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		next, _ := utf8.DecodeRune(text[i+size:])
		switch {
		case r == utf8.RuneError && size == 1:
			p.complain(pos, "the byte 0x%02x is not UTF-8; save the file as UTF-8", text[i])
			return false
		case r == '\r' && next != '\n',
			r < ' ' && r != '\t' && r != '\n' && r != '\r',
			r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029', r == '\ufeff' && i > 0, r >= 0xfffe && r <= 0xffff:
			p.complain(pos, "the control character %U is here; remove it", r)
			return false
		case r == '\n':
			pos = place{pos.line + 1, 1}
		default:
			pos.column++
		}
		i += size
	}
	return true
}

// decode returns the first documents of text, two at most.
func decode(text []byte) ([]*yaml.Node, error) {
	var docs []*yaml.Node
	for d := yaml.NewDecoder(bytes.NewReader(text)); len(docs) < 2; {
		var doc yaml.Node
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		docs = append(docs, &doc)
	}
	return docs, nil
}

// yamlPrefix is what the library puts before its message. Its line is that of
// the construct around the mistake, and often one off.
var yamlPrefix = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (p *parser) notYAML(text []byte, err error) {
	line := brokenLine(text, err)
	source := p.line(line)
	indent := source[:len(source)-len(strings.TrimLeft(source, " \t"))]
	if tab := strings.IndexByte(indent, '\t'); tab >= 0 {
		p.complain(place{line, tab + 1}, "a tab indents the line; YAML is indented with spaces")
		return
	}
	msg := yamlPrefix.ReplaceAllString(err.Error(), "")
	p.complain(place{line, len(indent) + 1}, "not YAML: %s; look at the indentation, colons, brackets and quotes here", msg)
}

// brokenLine is the line, from 1, at which text stops being YAML: what precedes
// it can be read, and nothing longer can. In files of many thousand lines that
// would take too long, and the library's word is taken for it.
func brokenLine(text []byte, err error) int {
	ends := lineEnds(text)
	for k, budget := len(ends)-1, 2*MaxFile; k > 0; k-- {
		prefix := text[:ends[k-1]]
		if budget -= len(prefix); budget < 0 {
			line, _ := strconv.Atoi(yamlPrefix.FindStringSubmatch(err.Error())[1])
			return min(max(line, 1), len(ends))
		}
		if _, err := decode(prefix); err == nil {
			return k + 1
		}
	}
	return 1
}

// lineEnds returns where each line of text ends, its line break included.
func lineEnds(text []byte) []int {
	var ends []int
	for i, c := range text {
		if c == '\n' && i+1 < len(text) {
			ends = append(ends, i+1)
		}
	}
	return append(ends, len(text))
}

// deref follows aliases, of which YAML allows chains but no endless ones.
func deref(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func at(n *yaml.Node) place { return place{n.Line, n.Column} }

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// describe says what n is, for complaints.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list is here"
	case n.Kind == yaml.MappingNode:
		return "a mapping is here"
	case isNull(n):
		return "nothing is here"
	}
	return quote(n) + " is here"
}

// quote returns a scalar as the file has it, in short.
func quote(n *yaml.Node) string {
	const most = 40
	v := n.Value
	if r := []rune(v); len(r) > most {
		v = string(r[:most]) + "…"
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.ContainsAny(v, " \n\t,;") {
		return fmt.Sprintf("%q", v)
	}
	return v
}
