package trainerplugin

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep"
)

// outcome checks an outcome against the job and against the last evaluation.
func (a *audit) outcome(o sweep.Outcome) error {
	if a.last == nil {
		return a.breach("an outcome of a trial that it never started")
	}
	if o.Steps != a.job.Params.Steps {
		return a.breach("its outcome has %d steps, and the trial %d", o.Steps, a.job.Params.Steps)
	}
	final := Evaluation{
		Step: o.Steps, Split: o.Split, Examples: o.Examples,
		Accuracy: o.Accuracy, LastAccuracy: o.LastAccuracy, Loss: o.Loss,
	}
	if err := a.measured(final); err != nil {
		return err
	}
	switch {
	case a.final == nil:
		return a.breach("an outcome without an evaluation of step %d", o.Steps)
	case *a.final != final:
		return a.breach("its outcome %+v is not what it evaluated: %+v", final, *a.final)
	case o.NonFinite < a.bad:
		return a.breach("its outcome has %d gradients not finite, and it reported %d", o.NonFinite, a.bad)
	case !isDigest(o.DataDigest):
		return a.breach("its outcome's data digest is %q", cut(o.DataDigest, 80))
	case !isDigest(o.WeightsDigest):
		return a.breach("its outcome's weights digest is %q", cut(o.WeightsDigest, 80))
	case o.Trainer != a.desc.Program():
		return a.breach("its outcome is by trainer %q, and it described itself as %q", cut(o.Trainer, 80), a.desc.Program())
	}
	if q := (quantity{"seconds", o.Seconds, 0, math.Inf(1)}); !q.valid() {
		return a.breach("its outcome's %s", q)
	}
	return a.unproven()
}

// Program is the name and version that a trainer's outcomes carry.
func (d Description) Program() string { return d.Name + " " + d.Version }

// isDigest says whether s is "sha256:" and 64 lower-case hexadecimal digits.
func isDigest(s string) bool {
	digits, ok := strings.CutPrefix(s, "sha256:")
	raw, err := hex.DecodeString(digits)
	return ok && err == nil && len(raw) == 32 && digits == strings.ToLower(digits)
}

func checkDescription(d Description) error {
	names := slices.Concat([]string{d.Name, d.Version}, d.Devices, d.Models, d.Datasets, d.Extras)
	for _, p := range d.Parameters {
		names = append(names, p.Name)
	}
	for _, name := range names {
		if !isName(name) {
			return breachf("its description has a name, version or choice that is empty or unreadable: %q", cut(name, 80))
		}
	}
	return nil
}

func checkEstimate(e Estimate) error {
	switch {
	case min(e.MemoryBytes, e.Parameters, e.ExampleFLOP, int64(e.Microbatch), int64(e.TrainExamples)) < 0:
		return breachf("an estimate below zero: %+v", e)
	case e.DataDigest != "" && !isDigest(e.DataDigest):
		return breachf("its estimate's data digest is %q", cut(e.DataDigest, 80))
	}
	return nil
}

func breachf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}
