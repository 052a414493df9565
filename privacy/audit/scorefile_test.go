package audit

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestReadScores(t *testing.T) {
	got, err := ReadScores(strings.NewReader("canary,included,score\na,true,1.5\n\"b,c\",0,-inf\nd,1,1e999\ne,false,-2\n"))
	want := []Canary{{1.5, true}, {math.Inf(-1), false}, {math.Inf(1), true}, {-2, false}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestReadScoresRefuses(t *testing.T) {
	const head = "canary,included,score\n"
	var all strings.Builder
	for i := range 100 {
		fmt.Fprintf(&all, "c%d,true,1\n", i)
	}
	for _, c := range []struct{ text, want string }{
		{"", "empty"},
		{"canary,score,included\n", `line 1 is "canary,score,included"; the heading is canary,included,score`},
		{head, "no canaries"},
		{head + "a,true\n", "line 2"},
		{head + "a,yes,1\n", `line 2: included is "yes"`},
		{head + "a,true,1\nb,true,high\n", `line 3: score is "high"`},
		{head + "a,true,NaN\n", "-inf"},
		{head + "a,true,1\na,false,2\n", `line 3: canary "a" is also on line 2`},
		{head + "a,\"true,1\n", "line 2"},
		{head + all.String(), "100 of 100 canaries were included"},
	} {
		if _, err := ReadScores(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; want %q", c.text[:min(len(c.text), 60)], err, c.want)
		}
	}
}

// Whatever is read can be audited.
func FuzzReadScores(f *testing.F) {
	f.Add("canary,included,score\na,true,1.5\nb,false,-inf\n")
	f.Add("canary,included,score\n\"x\n\",1,0\n")
	f.Fuzz(func(t *testing.T, text string) {
		canaries, err := ReadScores(strings.NewReader(text))
		if err != nil {
			return
		}
		if found, err := Search(canaries, 1e-5, 0.05); err != nil || math.IsNaN(found.Epsilon) {
			t.Errorf("%+v, %v", found, err)
		}
	})
}
