package search

import (
	"fmt"
	"strings"

	"sweep"
)

// Extends reports whether next may add trials to a sweep that began as prev
// under the same name. Grids, targets, repeats and how trials are run may
// change; what makes trials comparable may not. The error says all that differs.
func Extends(prev, next *Sweep) error {
	var differ []string
	compare := func(what string, before, now any) {
		if before != now {
			differ = append(differ, fmt.Sprintf("%s was %v and is %v", what, before, now))
		}
	}
	compare("name", prev.Name, next.Name)
	compare("data.name", prev.Data.Name, next.Data.Name)
	compare("data.train", prev.Data.Train, next.Data.Train)
	compare("data.validation", prev.Data.Validation, next.Data.Validation)
	compare("model", prev.Model, next.Model)
	compare("init", initName(prev.Init), initName(next.Init))
	compare("trainer", trainerName(prev.Trainer), trainerName(next.Trainer))
	compare("privacy.delta", show(prev.Privacy.Delta), show(next.Privacy.Delta))
	compare("privacy.noise", prev.Privacy.Noise, next.Privacy.Noise)
	if prev.Disclosure == sweep.PrivateSelect || next.Disclosure == sweep.PrivateSelect {
		return fmt.Errorf("extend sweep %s: a private selection is priced and drawn as a whole, before its first trial: it takes no more points and becomes no other; give the new sweep a name of its own", prev.Name)
	}
	if len(differ) == 0 {
		return nil
	}
	return fmt.Errorf("extend sweep %s: %s; give the new sweep a name of its own", prev.Name, strings.Join(differ, ", "))
}

// initName is all of i that matters, in words.
func initName(i sweep.Init) string {
	switch {
	case i == sweep.Init{}:
		return "drawn from the seed"
	case i.Classifier == sweep.ResetClassifier:
		return i.Digest + " with its classifier reset"
	}
	return i.Digest
}

// trainerName is all that a trainer is, in one line.
func trainerName(t *Trainer) string {
	if t == nil {
		return "the built-in one"
	}
	return fmt.Sprintf("%q with sha256 %s", t.Command, t.SHA256)
}
