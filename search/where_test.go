package search

import (
	"slices"
	"strings"
	"testing"
)

// TestWhere lists the batch sizes of 1, 2, …, 10 that pass.
func TestWhere(t *testing.T) {
	for _, c := range []struct {
		where string
		want  []int
	}{
		{"batch_size > 8", []int{9, 10}},
		{"batch_size % 4 == 0", []int{4, 8}},
		{"batch_size / 4 == 2.25", []int{9}},
		{"batch_size in [3, 5, 11]", []int{3, 5}},
		{"batch_size ** 2 < 10 and not (batch_size == 2)", []int{1, 3}},
		{"batch_size < 3 ? learning_rate == 1 : batch_size == 7", []int{1, 2, 7}},
		{"sqrt(batch_size) == 3 or log2(batch_size * 1.0) >= 3", []int{8, 9, 10}},
		{"log(batch_size) == 0", []int{1}},
		{"min(batch_size, 5) == max(batch_size, 5)", []int{5}},
		{`augment == "crop-flip" and batch_size * epsilon <= 2`, []int{1, 2}},
		{"option.layers == 3 && option.name == 'x' && batch_size == 1", []int{1}},
		{"batch_size == option.layers", []int{3}},
		{"batch_size * clip_norm * (steps - 9) == 6", []int{6}},
	} {
		s := parse(t, `
name: x
data: {name: glyphs, train: 1000}
model: tanh-cnn
trainer: {command: [./t], sha256: `+strings.Repeat("a", 64)+`}
privacy: {epsilon: [1], delta: 1e-5}
grid: {batch_size: {range: {from: 1, to: 10, step: 1}}, learning_rate: [1], steps: [10]}
fixed: {option.layers: 3, option.name: x}
where: `+"|\n  "+c.where+"\n")
		var got []int
		for _, trial := range trials(t, s, halves) {
			got = append(got, trial.Params.Batch)
		}
		if !slices.Equal(got, c.want) || s.Len() != len(c.want) {
			t.Errorf("where %s: batches %v, Len %d; want %v", c.where, got, s.Len(), c.want)
		}
	}
}

// A constraint may hang on nothing but the point: not on the clock, and not on
// work without bound.
func TestWhereIsBounded(t *testing.T) {
	for _, where := range []string{
		"now().Year() > 2000",
		"len(1..1000000000) > 0",
		"all(1..100, # > 0)",
		"(1..batch_size * 100)[0] == 1",
		"env('HOME') != ''",
		strings.Repeat("batch_size + ", 300) + "1 > 0 or " + strings.Repeat("not ", 900) + "true",
	} {
		if _, err := Parse("bad.yaml", []byte(minimal+"where: "+where+"\n")); err == nil || !strings.HasPrefix(err.Error(), "bad.yaml:6:") {
			t.Errorf("where: %.40s: error %v", where, err)
		}
	}
}
