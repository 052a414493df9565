package search

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

const readme = "../sweeps/README.md"

var update = flag.Bool("update", false, "write the tables of "+readme)

var tableMark = regexp.MustCompile(`(?s)<!-- table: (\w+) -->\n.*?<!-- end -->\n`)

// TestReadmeTables compares the specification's tables with the definitions
// that the parser works from. After a change: go test ./search -run Readme -update
func TestReadmeTables(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	want := tableMark.ReplaceAllStringFunc(string(text), func(block string) string {
		name := tableMark.FindStringSubmatch(block)[1]
		found = append(found, name)
		return fmt.Sprintf("<!-- table: %s -->\n%s<!-- end -->\n", name, table(t, name))
	})
	if got := strings.Join(found, " "); got != "file data privacy grid strategy disclosure repeats init trainer run" {
		t.Errorf("the page has the tables %q", got)
	}
	if *update {
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s is behind the definitions; go test ./search -run Readme -update", readme)
	}
}

// table is the Markdown table of a mapping's keys.
func table(t *testing.T, name string) string {
	d := format
	if name != "file" {
		var ok bool
		if d, ok = format.find(name); !ok {
			t.Fatalf("%s: no mapping %q in a sweep file", readme, name)
		}
	}
	var b strings.Builder
	b.WriteString("| key | value | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, k := range d.keys {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.name, valueWords(k), defaultWords(k), k.doc)
	}
	return b.String()
}

func valueWords(d def) string {
	if k, ok := d.find(d.short); ok && d.short != "" {
		return valueWords(k) + ", or a mapping"
	}
	switch d.kind {
	case integer, number:
		words := map[kind]string{integer: "whole number", number: "number"}[d.kind] + " " + d.limits.String()
		if d.unit != "" {
			words += " " + d.unit
		}
		if d.inf {
			words += ", or `inf`"
		}
		return words
	case choice:
		return "`" + strings.Join(d.choices, "`, `") + "`"
	case text:
		return d.like
	}
	return map[kind]string{
		duration: "time with its unit: `30s`, `5m`, `1h30m`", words: "list of text", condition: "true or false", boolean: "`true` or `false`", mapping: "mapping",
	}[d.kind]
}

func defaultWords(d def) string {
	for _, h := range hypers {
		if h.name == d.name {
			d.required, d.fallback = h.required, h.fallback
		}
	}
	if k, ok := d.find(d.short); ok && d.short != "" {
		d.fallback = k.fallback
	}
	switch {
	case d.required:
		return "required"
	case d.fallback != "":
		return "`" + d.fallback + "`"
	}
	return ""
}

// TestReadmeExamples reads every YAML example of the specification.
func TestReadmeExamples(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(examples) < 3 {
		t.Fatalf("%d examples", len(examples))
	}
	for i, m := range examples {
		if _, err := Parse(fmt.Sprintf("example %d", i+1), []byte(m[1])); err != nil {
			t.Error(err)
		}
	}
}

// TestReadmeMistake wants the specification's sample complaint to be real.
func TestReadmeMistake(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```text\n(grid.yaml:.*?)```").FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("no sample of complaints")
	}
	const file = `name: frontier
data: {name: cifar10, train: 45000, validation: 5000}
model: wrn-16-4
privacy: {epsilon: [1, 8], delta: 1e-5}
grid:
  batch_size: [1024, 4096]
  clip_norm: [1, -1]
  learning_rates: [2]
  steps: [875]
`
	if _, err := Parse("grid.yaml", []byte(file)); err == nil || err.Error()+"\n" != m[1] {
		t.Errorf("Parse says\n%v\nthe page\n%s", err, m[1])
	}
}
