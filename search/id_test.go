package search

import (
	"regexp"
	"strings"
	"testing"
)

const sample = `
name: sample
data: {name: mnist, train: 60000}
model: tanh-cnn
privacy: {epsilon: [1, 8], delta: 1e-5}
grid: {learning_rate: [0.001, 2], batch_size: [512]}
fixed: {steps: 100}
where: epsilon > 0.5
repeats: 2
`

func TestIDIsOfTheContent(t *testing.T) {
	id := parse(t, sample).ID()
	if !regexp.MustCompile(`^sample-[0-9a-f]{8}$`).MatchString(string(id)) {
		t.Fatalf("ID %s is not the name and 8 digits", id)
	}
	for name, edit := range map[string][2]string{
		"spelling of a number":    {"0.001, 2", "1e-3, 2.0"},
		"another spelling":        {"1e-5", "0.00001"},
		"comments and blanks":     {"repeats: 2", "# twice\nrepeats:   2"},
		"order of keys":           {"learning_rate: [0.001, 2], batch_size: [512]", "batch_size: [512], learning_rate: [0.001, 2]"},
		"order of values":         {"[1, 8]", "[8, 1]"},
		"a generator for a list":  {"[0.001, 2]", "{lin: {min: 0.001, max: 2, num: 2}}"},
		"a default, written":      {"steps: 100}", "steps: 100, ema: 0.999, clip_norm: 1}"},
		"another default":         {"repeats: 2", "repeats: 2\nstrategy: grid"},
		"grid instead of fixed":   {"batch_size: [512]}\nfixed: {steps: 100}", "batch_size: [512], steps: [100]}"},
		"quotes around text":      {"tanh-cnn", `"tanh-cnn"`},
		"a literal for a flow":    {"where: epsilon > 0.5", "where: |\n  epsilon > 0.5"},
		"how trials are run":      {"repeats: 2", "repeats: 2\nrun: {parallel: 8, retries: 0, priority: 1, trial_timeout: 1h}"},
		"the start of a document": {"\nname", "---\nname"},
	} {
		if got := parse(t, edited(t, edit)).ID(); got != id {
			t.Errorf("%s: ID %s, want %s", name, got, id)
		}
	}
}

func TestIDChangesWithTheContent(t *testing.T) {
	seen := map[string]string{string(parse(t, sample).ID()): "the sample"}
	for name, edit := range map[string][2]string{
		"name":       {"name: sample", "name: sample2"},
		"data":       {"name: mnist", "name: glyphs"},
		"train":      {"60000", "59999"},
		"validation": {"60000}", "50000, validation: 10000}"},
		"model":      {"tanh-cnn", "wrn-16-4"},
		"epsilon":    {"[1, 8]", "[1, 8.1]"},
		"baseline":   {"[1, 8]", "[1, 8, inf]"},
		"noise":      {"epsilon: [1, 8]", "noise_multiplier: [1, 8]"},
		"delta":      {"1e-5", "1e-6"},
		"source":     {"1e-5", "1e-5, noise: seeded"},
		"axis":       {"0.001", "0.0011"},
		"clip":       {"steps: 100", "steps: 100, clip_norm: 2"},
		"steps":      {"steps: 100", "steps: 101"},
		"where":      {"epsilon > 0.5", "epsilon > 0.6"},
		"repeats":    {"repeats: 2", "repeats: 3"},
		"disclosure": {"repeats: 2", "repeats: 2\ndisclosure: composed"},
		"init":       {"repeats: 2", "repeats: 2\ninit: {weights: a, sha256: " + strings.Repeat("a", 64) + "}"},
		"classifier": {"repeats: 2", "repeats: 2\ninit: {weights: a, classifier: reset, sha256: " + strings.Repeat("a", 64) + "}"},
		"trainer":    {"repeats: 2", "repeats: 2\ntrainer: {command: [./t], sha256: " + strings.Repeat("a", 64) + "}"},
		"command":    {"repeats: 2", "repeats: 2\ntrainer: {command: [./t, -x], sha256: " + strings.Repeat("a", 64) + "}"},
		"option":     {"steps: 100", "steps: 100, option.x: 1}\ntrainer: {command: [./t], sha256: " + strings.Repeat("a", 64)},
	} {
		id := string(parse(t, edited(t, edit)).ID())
		if other, taken := seen[id]; taken {
			t.Errorf("%s: ID %s, as %s has", name, id, other)
		}
		seen[id] = name
	}
}

// edited is the sample with one edit, which must be one.
func edited(t *testing.T, edit [2]string) string {
	t.Helper()
	if !strings.Contains(sample, edit[0]) {
		t.Fatalf("the sample has no %q", edit[0])
	}
	text := strings.Replace(sample, edit[0], edit[1], 1)
	if strings.Contains(text, "noise_multiplier") {
		text = strings.Replace(text, "where: epsilon", "where: noise_multiplier", 1)
	}
	return text
}

func TestExtends(t *testing.T) {
	begun := parse(t, sample)
	for _, edit := range [][2]string{
		{"[1, 8]", "[1, 2, 8]"}, {"0.001", "0.002"}, {"repeats: 2", "repeats: 5"}, {"where: epsilon > 0.5\n", ""},
		{"repeats: 2", "repeats: 2\nrun: {parallel: 7}"}, {"steps: 100", "steps: 100, augmult: 4"},
	} {
		if err := Extends(begun, parse(t, edited(t, edit))); err != nil {
			t.Errorf("%q: %v", edit[1], err)
		}
	}
	trainer := strings.Repeat("a", 64)
	for _, c := range []struct{ from, to, want string }{
		{"name: sample", "name: other", "name was sample and is other"},
		{"name: mnist", "name: glyphs", "data.name was mnist and is glyphs"},
		{"60000", "59000", "data.train was 60000 and is 59000"},
		{"60000}", "60000, validation: 5}", "data.validation was 0 and is 5"},
		{"tanh-cnn", "wrn-16-4", "model was tanh-cnn and is wrn-16-4"},
		{"1e-5", "1e-6", "privacy.delta was 1e-5 and is 1e-6"},
		{"1e-5", "1e-5, noise: seeded", "privacy.noise was secure and is seeded"},
		{"repeats: 2", "init: {weights: a, classifier: reset, sha256: " + trainer + "}",
			"init was drawn from the seed and is sha256:" + trainer + " with its classifier reset"},
		{"repeats: 2", "trainer: {command: [./t, -x], sha256: " + trainer + "}",
			`trainer was the built-in one and is ["./t" "-x"] with sha256 ` + trainer},
	} {
		err := Extends(begun, parse(t, edited(t, [2]string{c.from, c.to})))
		if want := "extend sweep sample: " + c.want + "; give the new sweep a name of its own"; err == nil || err.Error() != want {
			t.Errorf("%s: error %v\nwant %s", c.to, err, want)
		}
	}
	err := Extends(begun, parse(t, strings.NewReplacer("60000", "59000", "tanh-cnn", "mlp").Replace(sample)))
	if err == nil || !strings.Contains(err.Error(), "data.train was 60000 and is 59000, model was tanh-cnn and is mlp") {
		t.Errorf("two differences: %v", err)
	}
}
