package sweep_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every test that the threat model names is there, and every row of its tables
// names one.
func TestThreatModelIsTested(t *testing.T) {
	text, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+|Fuzz\w+)\(`)
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllSubmatch(code, -1) {
			there[string(m[1])] = true
		}
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") || strings.Contains(line, "---") || strings.Contains(line, "| test |") {
			continue
		}
		rows++
		tests := named.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 && !strings.Contains(line, "`.ci/") {
			t.Errorf("no test is named in: %s", line)
		}
		for _, m := range tests {
			if !there[m[1]] {
				t.Errorf("there is no test %s, which holds: %s", m[1], line)
			}
		}
	}
	if rows < 15 {
		t.Errorf("found %d claims: the search is broken", rows)
	}
}
