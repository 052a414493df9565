package main

import (
	"math"
	"slices"
	"testing"
)

// What a trainer has said moves no cursor and changes no colour.
func TestPlain(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"\x1b[31mloss\x1b[0m \u009b2J is NaN\r", "\uFFFD[31mloss\uFFFD[0m \uFFFD2J is NaN\uFFFD"},
		{"two\nlines\tof ε", "two\nlines\tof ε"},
		{1234567.0, "1.23457e+06"}, {math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {nil, ""}, {3, "3"},
	} {
		if got := plain(tt.value); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.value, got, tt.want)
		}
	}
}

// Of several comparisons only what stands after Holm's correction is a win.
func TestVerdicts(t *testing.T) {
	p := func(x float64) *float64 { return &x }
	rows := []comparisonRow{
		{P: p(0.01), N: 4, Difference: 0.1}, {P: p(0.03), N: 4, Difference: 0.1}, {P: p(0.012), N: 4, Difference: -0.1}, {N: 1, Difference: 0.3}, {N: 3, Difference: 0.3},
	}
	verdicts(rows)
	for i, want := range []string{"better", "better", "worse", "too few repeats to say", "nothing varies by which to say"} {
		if rows[i].Verdict != want {
			t.Errorf("row %d is %q, want %q", i, rows[i].Verdict, want)
		}
	}
	two := []comparisonRow{{P: p(0.03), N: 4, Difference: 0.1}, {P: p(0.04), N: 4, Difference: 0.1}}
	verdicts(two) // 2 · 0.03 is above 0.05
	if two[0].Verdict != "within the noise" || two[1].Verdict != "within the noise" || *two[1].Corrected != 0.06 {
		t.Errorf("%+v", two)
	}
}

// On a narrow terminal a table's columns stand in several tables, each with the
// first column, and none is lost.
func TestListingWithin(t *testing.T) {
	l := listing{headings: []string{"ε", "accuracy %", "n", "hyper-parameters"}, rows: [][]any{{"0.5", "80.95", 3, "B=500 η=1"}, {"2", "93.00", 3, "B=1000 η=2"}}}
	for width, want := range map[int][][]string{
		0: {l.headings}, 80: {l.headings},
		25: {{"ε", "accuracy %", "n"}, {"ε", "hyper-parameters"}},
		10: {{"ε", "accuracy %"}, {"ε", "n"}, {"ε", "hyper-parameters"}},
	} {
		var got [][]string
		for _, part := range l.within(width) {
			got = append(got, part.headings)
			if len(part.rows) != 2 || part.rows[1][0] != "2" || len(part.rows[0]) != len(part.headings) {
				t.Errorf("%d columns: rows %v", width, part.rows)
			}
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
}
