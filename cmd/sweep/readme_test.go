package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readmeCommands are the lines of README.md's code blocks of the given kind.
func readmeCommands(t *testing.T, kind string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "```"+kind:
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside:
			lines = append(lines, line)
		}
	}
	return lines
}

// shortQuickstart stands in for sweeps/quickstart.yaml, which trains for a
// minute: the same axes with fewer and shorter trials, and noise that repeats.
const shortQuickstart = `
name: quickstart
data: {name: glyphs, train: 4000, validation: 500}
model: tanh-cnn
privacy: {epsilon: [0.5, 2, 8], delta: 1e-5, noise: seeded}
grid: {batch_size: [250], learning_rate: [1, 2]}
fixed: {clip_norm: 1, steps: 40, ema: 0.9}
run: {parallel: 2, evaluate_every: 20}
`

// TestReadmeSession runs the session of README.md in a fresh folder. With
// SWEEP_SLOW the quickstart is the real one.
func TestReadmeSession(t *testing.T) {
	t.Parallel()
	commands := readmeCommands(t, "sh session")
	if len(commands) < 10 {
		t.Fatalf("found %d commands: the README has no session any more", len(commands))
	}
	dir, least := t.TempDir(), 85.0
	if os.Getenv("SWEEP_SLOW") == "" {
		least = 60
		if err := os.Mkdir(filepath.Join(dir, "sweeps"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sweeps", "quickstart.yaml"), []byte(shortQuickstart), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range commands {
		words := shellWords(line)
		if words[0] != "sweep" {
			t.Fatalf("%q: the session is of sweep commands", line)
		}
		out, err := sweepIn(dir, words[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		if words[1] == "start" {
			checkQuickstart(t, string(out), least)
		}
	}
}

// shellWords divides a line as a shell does, as far as the README needs it.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part) // in quotes
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// checkQuickstart wants a frontier of three budgets whose accuracy rises with
// epsilon, from far above the 10 % of guessing to at least so many per cent.
func checkQuickstart(t *testing.T, out string, least float64) {
	t.Helper()
	var accuracies []float64
	for line := range strings.Lines(out) {
		var target, spent, accuracy float64
		if n, _ := fmt.Sscan(line, &target, &spent, &accuracy); n == 3 && spent <= target {
			accuracies = append(accuracies, accuracy)
		}
	}
	if len(accuracies) != 3 || accuracies[0] < 30 || accuracies[2] < least || accuracies[0] >= accuracies[1] || accuracies[1] > accuracies[2]+1 {
		t.Errorf("accuracies %v by rising epsilon; want three, rising, the last above %v %%\n%s", accuracies, least, out)
	}
}

// TestReadmeNamesRealCommands holds the other code blocks to commands that exist.
func TestReadmeNamesRealCommands(t *testing.T) {
	commands := readmeCommands(t, "sh")
	want := []string{"go run ./cmd/sweep start sweeps/quickstart.yaml", "go test ./..."}
	if len(commands) < 2 || commands[0] != want[0] || commands[1] != want[1] {
		t.Errorf("README's first two commands are %q, want %q; .ci/run runs them", commands[:min(2, len(commands))], want)
	}
}
