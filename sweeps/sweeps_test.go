package sweeps_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"sweep"
	"sweep/privacy"
	"sweep/sweeps"
)

func TestShippedFiles(t *testing.T) {
	names, err := fs.Glob(sweeps.FS, "*.yaml")
	if err != nil || len(names) < 2 {
		t.Fatalf("the binary has %v, error %v; want quickstart.yaml and mnist.yaml at least", names, err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { enumerate(t, name) })
	}
}

// enumerate wants the shipped file to be free of mistakes, and each trial to
// have the noise that its budget needs and an ID of its own.
func enumerate(t *testing.T, name string) {
	s := read(t, name)
	if s.Name+".yaml" != name {
		t.Errorf("the sweep in %s is called %s; people look for it by its file", name, s.Name)
	}
	seen := make(map[sweep.TrialID]bool)
	for trial, err := range s.Trials(privacy.CalibrateNoise) {
		if err != nil {
			t.Fatal(err)
		}
		if trial.Params.Noise <= 0 {
			t.Errorf("trial %s has no noise", trial.Label)
		}
		seen[trial.Params.ID()] = true
	}
	if len(seen) != s.Len() {
		t.Errorf("%d different trials, but Len is %d", len(seen), s.Len())
	}
}

// The page of the folder names each file, alone or as one of a row.
func TestReadmeNamesTheFiles(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(sweeps.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		row := regexp.MustCompile(`eps[0-9]+\.yaml$`).ReplaceAllString(name, "eps1.yaml")
		if !strings.Contains(string(page), "`"+row+"`") && !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("README.md has no word on %s", name)
		}
	}
}
