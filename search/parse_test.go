package search

import (
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sweep"
	"sweep/privacy"
)

func parse(t testing.TB, text string) *Sweep {
	t.Helper()
	s, err := Parse("good.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parseFile(t testing.TB, file string) *Sweep {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

func TestParseEveryKey(t *testing.T) {
	s := parseFile(t, "testdata/every-key.yaml")
	for _, c := range []struct{ got, want any }{
		{s.Name, "every-key_1.0"},
		{s.Data, sweep.Data{Name: "folder:cifar10", Train: 45000, Validation: 5000}},
		{s.Model, "wrn-16-4"},
		{s.Init, sweep.Init{
			File: "weights/imagenet32.safetensors", Digest: "sha256:" + strings.Repeat("fedcba9876543210", 4), Classifier: sweep.ResetClassifier,
		}},
		{*s.Trainer, Trainer{
			Command: []string{"./trainers/jax", "--verbose", "3"},
			SHA256:  strings.Repeat("0123456789abcdef", 4),
		}},
		{s.Privacy, Privacy{
			Epsilon: []float64{1, 0.5, math.Inf(1)}, Delta: 1e-5, Accountant: privacy.RDP, Noise: sweep.Seeded,
		}},
		{s.Fixed, map[string]any{
			"clip_norm": 0.5, "steps": 875, "ema": 0.9999, "option.optimizer": "sgd", "option.nesterov": "true",
			"clipping": "per-layer", "optimizer": "adam", "beta1": 0.8, "beta2": 0.99, "adam_eps": 1e-6, "weight_decay": 0.01, "schedule": "cosine", "warmup": 50,
		}},
		{s.Where, "learning_rate * augmult <= 16 and\n(option.depth == 2 or batch_size < 4096)"},
		{s.Repeats, 2}, {s.Strategy, "grid"}, {s.Disclosure, "composed"},
		{s.Run, Run{
			Parallel: 4, Retries: 0, GPUsPerTrial: 0.25, EvaluateEvery: 100, EvaluateTest: false,
			CheckpointEvery: 90 * time.Second, KeepWeights: true, TrialTimeout: 2 * time.Hour, Priority: 1,
		}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("got  %+v\nwant %+v", c.got, c.want)
		}
	}
	want := map[string][]any{
		"batch_size":     {1024, 2048, 3072, 4096},
		"learning_rate":  {0.5, 1.0, 2.0, 4.0, 8.0},
		"augmult":        {0, 4},
		"augment":        {"flip", "crop-flip"},
		"option.depth":   {2, 4},
		"option.dropout": {0.1, 0.0},
	}
	if got := gridOf(s); !reflect.DeepEqual(got, want) {
		t.Errorf("grid %v\nwant %v", got, want)
	}
}

func gridOf(s *Sweep) map[string][]any {
	grid := make(map[string][]any)
	for _, a := range s.Grid {
		grid[a.Name] = a.Values
	}
	return grid
}

func TestParseDefaults(t *testing.T) {
	s := parse(t, minimal)
	if s.Trainer != nil || s.Repeats != 1 || s.Strategy != "grid" || s.Disclosure != "research" || s.Data.Validation != 0 {
		t.Errorf("defaults: %+v", s)
	}
	if want := (Run{Retries: 3, EvaluateTest: true, CheckpointEvery: 30 * time.Second, Priority: 3}); s.Run != want {
		t.Errorf("run %+v, want %+v", s.Run, want)
	}
	if s.Privacy.Accountant != privacy.Certified || s.Privacy.Noise != sweep.Secure {
		t.Errorf("privacy %+v", s.Privacy)
	}
	if s.Text != minimal || len(s.Fixed) != 0 {
		t.Errorf("text %q, fixed %v", s.Text, s.Fixed)
	}
	p := only(t, s).Params
	if p.Clip != 1 || p.AugMult != 0 || p.Augment != "" || p.EMA != 0.999 {
		t.Errorf("params %+v", p)
	}
}

func TestParseAliases(t *testing.T) {
	s := parseFile(t, "testdata/aliases.yaml")
	if s.Model != "aliases" || s.Data.Validation != 1000 || s.Fixed["steps"] != 1000 || s.Len() != 8 {
		t.Errorf("read %+v with %d trials", s, s.Len())
	}
}

// A byte order mark and Windows line ends are how some editors save files.
func TestParseWindowsFile(t *testing.T) {
	s := parse(t, "\ufeff"+strings.ReplaceAll(minimal, "\n", "\r\n"))
	if got, want := s.ID(), parse(t, minimal).ID(); got != want {
		t.Errorf("ID %s, want %s", got, want)
	}
}

func TestSyntaxErrorsAreFound(t *testing.T) {
	_, err := Parse("dir/bad.yaml", []byte("name: x\n"))
	one, ok := errors.AsType[*SyntaxError](err)
	if !ok || one.File != "dir/bad.yaml" || one.Line != 1 || one.Column != 1 {
		t.Errorf("%T does not lead to its first mistake: %+v", err, one)
	}
	if lines := strings.Split(err.Error(), "\n"); !strings.HasPrefix(lines[0], "dir/bad.yaml:1:1: data: missing; ") {
		t.Errorf("printed as %q", lines)
	}
}

func TestAxisValues(t *testing.T) {
	for _, c := range []struct {
		name, axis string
		want       []any
	}{
		{"learning_rate", "{log: {min: 0.5, max: 8, num: 5}}", []any{0.5, 1.0, 2.0, 4.0, 8.0}},
		{"learning_rate", "{log: {min: 1e-3, max: 1, num: 4}}", []any{0.001, 0.01, 0.1, 1.0}},
		{"learning_rate", "{log: {min: 0.3, max: 0.7, num: 2}}", []any{0.3, 0.7}},
		{"learning_rate", "{log: {min: 0.1234567890123456, max: 0.7654321098765432, num: 2}}", []any{0.1234567890123456, 0.7654321098765432}},
		{"learning_rate", "{lin: {min: 0.1, max: 0.7, num: 7}}", []any{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}},
		{"learning_rate", "{range: {from: 0.1, to: 0.5, step: 0.1}}", []any{0.1, 0.2, 0.3, 0.4, 0.5}},
		{"learning_rate", "{range: {from: 1, to: 1, step: 1}}", []any{1.0}},
		{"learning_rate", "[3, 1e-1, 2.50]", []any{3.0, 0.1, 2.5}},
		{"batch_size", "{range: {from: 1, to: 10, step: 4}}", []any{1, 5, 9}},
		{"batch_size", "{lin: {min: 1, max: 10, num: 4}}", []any{1, 4, 7, 10}},
		{"batch_size", "{lin: {min: 1, max: 2, num: 5}}", []any{1, 2}},                      // 1, 1.25, 1.5, 1.75, 2
		{"batch_size", "{log: {min: 1, max: 16, num: 9}}", []any{1, 2, 3, 4, 6, 8, 11, 16}}, // powers of √2
		{"ema", "{range: {from: 0, to: 0.99, step: 0.33}}", []any{0.0, 0.33, 0.66, 0.99}},
	} {
		t.Run(c.name+" "+c.axis, func(t *testing.T) {
			text := strings.Replace(minimal, "grid: {batch_size: [100], learning_rate: [1], steps: [10]}",
				"grid: {"+c.name+": "+c.axis+"}\nfixed: {"+others(c.name)+"}", 1)
			if got := gridOf(parse(t, text))[c.name]; !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// others fixes the required hyper-parameters but one.
func others(name string) string {
	var all []string
	for _, h := range hypers {
		if h.required && h.name != name {
			all = append(all, h.name+": 10")
		}
	}
	return strings.Join(all, ", ")
}

// -0 and 0 are equal, and would be two trials in every digest.
func TestNoNegativeZero(t *testing.T) {
	s := parse(t, strings.Replace(minimal, "epsilon: [1]", "noise_multiplier: [-0.0]", 1)+"fixed: {ema: -0}\n")
	if p := only(t, s).Params; math.Signbit(p.Noise) || math.Signbit(p.EMA) {
		t.Errorf("noise %v, EMA %v", p.Noise, p.EMA)
	}
}

func TestOptionTypes(t *testing.T) {
	const head = "trainer: {command: [./t], sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n"
	for _, c := range []struct {
		values string
		want   []any
	}{
		{"[1, 2]", []any{1, 2}},
		{"[1, 2.5]", []any{1.0, 2.5}},
		{"[1, auto, 0.50]", []any{"1", "auto", "0.5"}},
		{"[true, false]", []any{"true", "false"}},
		{`["1", "2"]`, []any{"1", "2"}},
		{"{log: {min: 1e-4, max: 1e-2, num: 3}}", []any{0.0001, 0.001, 0.01}},
	} {
		text := head + strings.Replace(minimal, "steps: [10]", "steps: [10], option.x: "+c.values, 1)
		if got := gridOf(parse(t, text))["option.x"]; !slices.Equal(got, c.want) {
			t.Errorf("%s: got %#v, want %#v", c.values, got, c.want)
		}
	}
}

// Every accountant that package privacy has under one of our names can be chosen.
func TestAccountants(t *testing.T) {
	names := accountants()
	if !slices.Contains(names, string(privacy.RDP)) {
		t.Fatalf("accountants %q", names)
	}
	for _, name := range names {
		s := parse(t, strings.Replace(minimal, "1e-5", "1e-5, accountant: "+name, 1))
		if string(s.Privacy.Accountant) != name {
			t.Errorf("accountant %q, want %q", s.Privacy.Accountant, name)
		}
	}
	_, err := Parse("bad.yaml", []byte(strings.Replace(minimal, "1e-5", "1e-5, accountant: rpd", 1)))
	want := "bad.yaml:4:50: privacy.accountant: rpd is not available; there are " + list(names) + "; did you mean rdp?"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

func TestDoubts(t *testing.T) {
	if d := parse(t, minimal).Doubts(); len(d) != 0 {
		t.Errorf("one private trial with a small δ: doubts %q", d)
	}
	r := strings.NewReplacer("[1], delta: 1e-5", "[1, inf], delta: 1e-3, noise: seeded")
	got := parse(t, r.Replace(minimal)+"\ninit: {weights: w/x, sha256: "+strings.Repeat("a", 64)+"}\n").Doubts()
	for i, want := range []string{
		"delta 0.001 is not below 1/N = 0.001", "noise is seeded", "some trials have no noise",
		"trials start from the weights in w/x: epsilon does not count", "choosing among 2",
	} {
		if i >= len(got) || !strings.Contains(got[i], want) {
			t.Errorf("doubts %q; want one with %q at %d", got, want, i)
		}
	}
}

func TestNearest(t *testing.T) {
	names := format.names()
	for word, want := range map[string]string{
		"nmae": "name", "Name": "name", "privcy": "privacy", "disclosur": "disclosure", "gird": "grid",
		"zebra": "", "": "", "nothing": "", strings.Repeat("name", 100): "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"a cat", "an act", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
