// Package trainertest holds the conformance suite that every trainer should
// pass, a quick deterministic trainer that passes it, and trainers that break
// the contract in every way that the host must survive.
package trainertest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sweep"
	"sweep/trainerplugin"
)

// StepTimeOption names the Params.Options entry that sets a trial's
// [Fake.StepTime], as Go writes durations ("20ms").
const StepTimeOption = "step_time"

// FitsOption names the entry that says how many examples at once a trial has
// memory for: with more it ends on its second step as one that ran out.
const FitsOption = "fits"

// A Fake is a trainer that trains nothing, quickly, and keeps the whole
// contract: it reports, checkpoints, resumes and repeats itself. Its accuracy
// is a smooth function of the parameters with one best learning rate; see
// [Accuracy]. The zero value is ready.
type Fake struct {
	StepTime time.Duration // of one step, if the trial's options do not say; 0 is as fast as it goes
}

var _ trainerplugin.Trainer = Fake{}

// Names that a Fake accepts, beside "fake" itself: those that a sweep file
// written for the built-in trainer uses.
var (
	fakeModels   = []string{"fake", "tanh-cnn", "wrn-16-4", "wrn-40-4"}
	fakeDatasets = []string{"fake", "glyphs", "mnist", "fashion-mnist", "cifar10"}
)

const (
	fakeTrain = 60_000 // examples that each of its data sets has for training and validation
	fakeTest  = 10_000
)

// Describe implements [trainerplugin.Trainer].
func (f Fake) Describe(context.Context) (trainerplugin.Description, error) {
	return trainerplugin.Description{
		Name:     "sweep-fake",
		Version:  "1",
		Devices:  []string{"cpu", "cuda"},
		Models:   fakeModels,
		Datasets: fakeDatasets,
		Parameters: []trainerplugin.Parameter{{
			Name:    StepTimeOption,
			Doc:     "time that a step takes, as a Go duration",
			Default: f.StepTime.String(),
			Choices: []string{"0s", "1ms", "10ms", "100ms", "1s"},
		}, {
			Name:    FitsOption,
			Doc:     "examples at once that there is memory for; 0 is any number",
			Default: "0",
			Max:     fakeTrain,
		}},
	}, nil
}

// Check implements [trainerplugin.Trainer].
func (f Fake) Check(_ context.Context, j trainerplugin.Job) (trainerplugin.Estimate, error) {
	if err := f.refuse(j); err != nil {
		return trainerplugin.Estimate{}, err
	}
	return trainerplugin.Estimate{
		MemoryBytes:   1 << 20,
		Parameters:    1000,
		ExampleFLOP:   6000,
		Microbatch:    microbatch(j),
		DataDigest:    dataDigest(j.Params.Data),
		TrainExamples: fakeTrain,
	}, nil
}

func (f Fake) refuse(j trainerplugin.Job) error {
	if err := j.Validate(); err != nil {
		return err
	}
	p := j.Params
	switch {
	case !slices.Contains(fakeModels, p.Model):
		return fmt.Errorf("%w: no model %q; there are %v", trainerplugin.ErrRefused, p.Model, fakeModels)
	case !slices.Contains(fakeDatasets, p.Data.Name):
		return fmt.Errorf("%w: no data set %q; there are %v", trainerplugin.ErrRefused, p.Data.Name, fakeDatasets)
	case p.Data.Train+p.Data.Validation > fakeTrain:
		return fmt.Errorf("%w: %d examples of %s, which has %d for training and validation",
			trainerplugin.ErrRefused, p.Data.Train+p.Data.Validation, p.Data.Name, fakeTrain)
	}
	_, err := f.stepTime(p)
	return err
}

// microbatch is how many examples would be worked on at once.
func microbatch(j trainerplugin.Job) int {
	n := min(j.Params.Batch, 64)
	if j.Microbatch > 0 {
		n = min(n, j.Microbatch)
	}
	return n
}

// fits reports an error if the trial has no memory for its microbatch.
func fits(j trainerplugin.Job) error {
	text, given := j.Params.Options[FitsOption]
	if !given {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return fmt.Errorf("%w: option %s: %q is no number of examples", trainerplugin.ErrRefused, FitsOption, text)
	}
	if m := microbatch(j); n > 0 && m > n {
		return fmt.Errorf("%w: %d examples at once, and there is room for %d", trainerplugin.ErrOutOfMemory, m, n)
	}
	return nil
}

func (f Fake) stepTime(p sweep.Params) (time.Duration, error) {
	text, given := p.Options[StepTimeOption]
	if !given {
		return f.StepTime, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%w: option %s: %v", trainerplugin.ErrRefused, StepTimeOption, err)
	}
	return d, nil
}

// Train implements [trainerplugin.Trainer].
func (f Fake) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	if err := f.refuse(j); err != nil {
		return sweep.Outcome{}, err
	}
	pace, err := f.stepTime(j.Params)
	if err != nil {
		return sweep.Outcome{}, err
	}
	r := &run{job: j, report: report, pace: pace, begun: time.Now()}
	if err := r.begin(); err != nil {
		return sweep.Outcome{}, err
	}
	for r.state.Step < j.Params.Steps {
		if err := r.step(ctx); err != nil {
			return sweep.Outcome{}, err
		}
		if err := fits(j); err != nil && r.state.Step >= 2 {
			return sweep.Outcome{}, err
		}
	}
	return r.outcome(), nil
}

// newState is the state before the first step: like the weights of a real
// trial it depends on all that decides the outcome.
func newState(p sweep.Params) (state, error) {
	s := state{Trial: p.ID(), Key: hex.EncodeToString([]byte(strconv.FormatUint(p.Seed, 10)))}
	if p.NoiseFrom == sweep.Secure {
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return s, fmt.Errorf("draw a noise key: %w", err)
		}
		s.Key = hex.EncodeToString(key)
	}
	s.Weights = digest("init", string(s.Trial), s.Key)
	return s, nil
}

func dataDigest(d sweep.Data) string {
	return "sha256:" + digest("data", d.Name, strconv.Itoa(d.Train), strconv.Itoa(d.Validation))
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
