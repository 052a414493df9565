package trainertest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"sweep"
	"sweep/trainerplugin"
)

// A trainFunc is a Train, given the honest one to abuse.
type trainFunc func(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error)

// modes are the ways to break the contract by what a Train does. Those that
// end or freeze their process are for a process of their own.
var modes = map[string]trainFunc{
	"hang":       hang,
	"crash":      atStep(2, func(trainerplugin.Progress) trainerplugin.Event { os.Exit(3); return nil }),
	"panic":      atStep(2, func(trainerplugin.Progress) trainerplugin.Event { panic("weights overflow") }),
	"disorder":   atStep(3, func(p trainerplugin.Progress) trainerplugin.Event { p.Step = 1; return p }),
	"twice":      atStep(3, func(p trainerplugin.Progress) trainerplugin.Event { p.Step = 2; return p }),
	"beyond":     atStep(2, func(p trainerplugin.Progress) trainerplugin.Event { p.Step = 1 << 40; return p }),
	"nan":        atStep(2, func(p trainerplugin.Progress) trainerplugin.Event { p.Loss = math.NaN(); return p }),
	"restart":    atStep(2, func(trainerplugin.Progress) trainerplugin.Event { return trainerplugin.Started{NoiseID: "again"} }),
	"huge":       atStep(2, func(p trainerplugin.Progress) trainerplugin.Event { return huge(p) }),
	"phantom":    atStep(2, func(p trainerplugin.Progress) trainerplugin.Event { return phantom(p, "nowhere") }),
	"escape":     atStep(2, func(p trainerplugin.Progress) trainerplugin.Event { return phantom(p, "../../etc/passwd") }),
	"lie":        lie(func(o *sweep.Outcome) { o.Accuracy = 0.999 }),
	"shortcut":   lie(func(o *sweep.Outcome) { o.Steps-- }),
	"impostor":   lie(func(o *sweep.Outcome) { o.Trainer = "sweep-builtin 9" }),
	"unmeasured": unmeasured,
	"flood":      flood,
	"deaf":       deaf,
	"refuse":     refuse,
	"diverge":    diverge,
}

// Modes lists what [Misbehaving] knows and what only [ServeFromEnv] can do.
func Modes() []string {
	all := slices.Concat(slices.Collect(maps.Keys(modes)), slices.Collect(maps.Keys(wireModes)),
		slices.Collect(maps.Keys(processModes)))
	slices.Sort(all)
	return all
}

// Misbehaving returns a [Fake] whose Train breaks the contract in the way named.
func Misbehaving(mode string) (trainerplugin.Trainer, error) {
	f, ok := modes[mode]
	if !ok {
		return nil, fmt.Errorf("no such way to misbehave: %q; there are %v", mode, slices.Sorted(maps.Keys(modes)))
	}
	return misbehaving{train: f}, nil
}

type misbehaving struct {
	Fake
	train trainFunc
}

func (m misbehaving) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	return m.train(ctx, j, report)
}

// atStep trains honestly but for the progress of one step.
func atStep(step int, instead func(trainerplugin.Progress) trainerplugin.Event) trainFunc {
	return func(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
		return Fake{}.Train(ctx, j, func(e trainerplugin.Event) error {
			if p, ok := e.(trainerplugin.Progress); ok && p.Step == step {
				e = instead(p)
			}
			return report(e)
		})
	}
}

func huge(p trainerplugin.Progress) trainerplugin.Event {
	return trainerplugin.Note{Step: p.Step, Text: strings.Repeat("all work and no play ", 1<<18)}
}

func phantom(p trainerplugin.Progress, file string) trainerplugin.Event {
	return trainerplugin.Checkpoint{Step: p.Step, File: file, Digest: "sha256:" + digest(file), Bytes: 1000}
}

// lie trains honestly and then tells another outcome.
func lie(edit func(*sweep.Outcome)) trainFunc {
	return func(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
		o, err := Fake{}.Train(ctx, j, report)
		edit(&o)
		return o, err
	}
}

// unmeasured has an outcome that it never evaluated.
func unmeasured(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	return Fake{}.Train(ctx, j, func(e trainerplugin.Event) error {
		if _, ok := e.(trainerplugin.Evaluation); ok {
			return nil
		}
		return report(e)
	})
}

// hang starts, and is silent for ever.
func hang(_ context.Context, _ trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	if err := report(trainerplugin.Started{NoiseID: "hang"}); err != nil {
		return sweep.Outcome{}, err
	}
	<-make(chan struct{})
	return sweep.Outcome{}, nil
}

// flood starts, and prints for ever.
func flood(_ context.Context, _ trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	if err := report(trainerplugin.Started{NoiseID: "flood"}); err != nil {
		return sweep.Outcome{}, err
	}
	lines := []byte(strings.Repeat("WARNING: \x1b[31mthe same as before\x07\n", 2000))
	for {
		if _, err := os.NewFile(2, "stderr").Write(lines); err != nil {
			return sweep.Outcome{}, err
		}
	}
}

// deaf trains honestly and does not hear that it should stop.
func deaf(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	return Fake{}.Train(context.WithoutCancel(ctx), j, report)
}

func refuse(context.Context, trainerplugin.Job, func(trainerplugin.Event) error) (sweep.Outcome, error) {
	return sweep.Outcome{}, fmt.Errorf("%w: the model needs 96 GiB and the device has 80", trainerplugin.ErrRefused)
}

func diverge(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	lost := fmt.Errorf("step 2: loss is NaN: %w", trainerplugin.ErrDiverged)
	return Fake{}.Train(ctx, j, func(e trainerplugin.Event) error {
		if p, ok := e.(trainerplugin.Progress); ok && p.Step == 2 {
			return lost
		}
		return report(e)
	})
}
