package search

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestBadFiles reads each testdata/*.bad.yaml and compares its complaints, all
// of them and in order, with those that its "# want" comments state.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 35 {
		t.Fatalf("%d bad files, error %v; the folder has at least 35", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".bad.yaml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := complaints(t, text), wants(string(text)); !slices.Equal(got, want) {
				t.Errorf("complaints:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func wants(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if want, ok := strings.CutPrefix(line, "# want "); ok {
			all = append(all, strings.TrimSuffix(want, "\n"))
		}
	}
	return all
}

// complaints are what Parse says of text, each as "line:column: message".
func complaints(t *testing.T, text []byte) []string {
	t.Helper()
	s, err := Parse("bad.yaml", text)
	if err == nil {
		t.Fatalf("no complaint; read %+v", s)
	}
	mistakes, ok := err.(SyntaxErrors)
	if !ok || s != nil {
		t.Fatalf("got a %T and %v; want SyntaxErrors and no Sweep", err, s)
	}
	var all []string
	for _, e := range mistakes {
		inside(t, text, e)
		all = append(all, strings.TrimPrefix(e.Error(), "bad.yaml:"))
	}
	return all
}

// inside fails the test if e points at no place in text. A place just after a
// line's end is one: something may be missing there.
func inside(t *testing.T, text []byte, e *SyntaxError) {
	t.Helper()
	lines := strings.Split(string(text), "\n")
	if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > utf8.RuneCountInString(lines[e.Line-1])+1 {
		t.Errorf("%v: no such place in the file", e)
	}
	if e.Msg == "" || strings.ContainsAny(e.Msg, "\n\r") {
		t.Errorf("%q: a complaint is one line", e.Msg)
	}
}

// minimal is a file without mistakes, to add some to.
const minimal = `name: x
data: {name: glyphs, train: 1000}
model: tanh-cnn
privacy: {epsilon: [1], delta: 1e-5}
grid: {batch_size: [100], learning_rate: [1], steps: [10]}
`

// TestLargeFiles has mistakes that are too large for testdata.
func TestLargeFiles(t *testing.T) {
	bomb := "a: &a [x]\n"
	for i := range 25 {
		c, d := string(rune('a'+i)), string(rune('a'+i+1))
		bomb += fmt.Sprintf("%s: &%s [*%s, *%s, *%s, *%s, *%s, *%s, *%s, *%s, *%s]\n", d, d, c, c, c, c, c, c, c, c, c)
	}
	for _, c := range []struct{ name, text, want string }{
		{"file", minimal + strings.Repeat("# a comment\n", 100_000), "1:1: the file has more than 1048576 bytes, which no sweep needs"},
		{"list", strings.Replace(minimal, "learning_rate: [1]", "learning_rate: ["+strings.Repeat("1, ", maxAxis)+"1]", 1),
			"5:42: grid.learning_rate: the list has 10001 values; an axis has at most 10000"},
		{"depth", "name: " + strings.Repeat("[", 100_000), "1:1: not YAML: exceeded max depth of 10000; look at the indentation, colons, brackets and quotes here"},
		{"parentheses", minimal + "where: " + strings.Repeat("(", 100_000) + "1\n", "6:8: where: the expression has 100001 bytes; at most 4096 are read"},
		{"aliases", bomb, "1:1: a is not a key here; the keys are " + list(format.names())},
		{"broken at the end", strings.Repeat("# a comment\n", 20_000) + "name: [", "20001:1: not YAML: did not find expected node content; look at the indentation, colons, brackets and quotes here"},
		{"broken at the start", "name: [\n" + strings.Repeat("# a comment\n", 20_000), "20001:1: not YAML: did not find expected node content; look at the indentation, colons, brackets and quotes here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := complaints(t, []byte(c.text))
			if got[0] != c.want {
				t.Errorf("complaint:\n%s\nwant:\n%s", got[0], c.want)
			}
		})
	}
}

// FuzzParse wants every text to be a sweep or to have mistakes at places in it.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d files, error %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("fuzz.yaml", text)
		if err != nil {
			complaints(t, text)
			return
		}
		if s.Len() < 1 || s.Len() > maxTrials {
			t.Errorf("%d trials", s.Len())
		}
		if again, err := Parse("again.yaml", []byte(s.Text)); err != nil || again.ID() != s.ID() {
			t.Errorf("read again: error %v, or another ID than %s", err, s.ID())
		}
	})
}
