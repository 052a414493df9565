package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/privacy/audit"
	"sweep/search"
	"sweep/trainerplugin"
	"sweep/trainerplugin/builtin"
	"sweep/trainerplugin/canary"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
)

// attackReportEvery is how often an audit says how far it is.
const attackReportEvery = 2 * time.Second

// An attacker trains a trial with canaries.
type attacker struct {
	trial   *search.Trial
	part    *dataset.Partition
	engine  *model.Engine
	kind    canary.Kind
	score   canary.Score
	count   int // m
	runs    int
	seed    *uint64 // nil draws from the operating system
	dataDir string
	threads int
	talk    io.Writer
}

// attack trains as the flags say and returns the canaries of each run.
func attack(ctx context.Context, c *cli.Context, t *search.Trial) ([][]audit.Canary, error) {
	a, err := newAttacker(ctx, c, t)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &exitError{exitUsage, err}
	}
	runs := make([][]audit.Canary, a.runs)
	for r := range runs {
		if runs[r], err = a.run(ctx, r); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// newAttacker reads the data and builds the model; its errors are in what was asked.
func newAttacker(ctx context.Context, c *cli.Context, t *search.Trial) (*attacker, error) {
	p := t.Params
	if p.Trainer != "" {
		return nil, hinted{errors.New("the trial is another program's, and an audit trains with the built-in loop"), "score its canaries, and give the file to `sweep audit --scores`"}
	}
	if m := c.Int("canaries"); m < 1 || m > p.Data.Train {
		return nil, fmt.Errorf("--canaries %d; they take places of the trial's training set, which has %d", m, p.Data.Train)
	}
	at, err := placeOf(c)
	if err != nil {
		return nil, err
	}
	a := &attacker{
		trial: t, kind: canary.Kind(c.String("canary")), score: canary.Score(c.String("score")), count: c.Int("canaries"), runs: c.Int("runs"),
		dataDir: at.data, threads: c.Int("threads"), talk: c.App.ErrWriter,
	}
	if a.threads == 0 {
		a.threads = runtime.GOMAXPROCS(0)
	}
	if c.IsSet("seed") {
		seed := c.Uint64("seed")
		a.seed = &seed
	}
	return a, a.open(ctx)
}

func (a *attacker) open(ctx context.Context) error {
	data := a.trial.Params.Data
	set, err := dataset.Open(ctx, a.dataDir, data)
	if err != nil {
		return err
	}
	if a.part, err = set.Split(data.Train, data.Validation); err != nil {
		return err
	}
	in := model.Input{Height: set.Height, Width: set.Width, Channels: set.Channels, Classes: len(set.Classes)}
	a.engine, err = model.New(a.trial.Params.Model, in, a.threads, builtin.Layers(a.trial.Params)...)
	return err
}

// begin gives the engine the weights that p does not train, and returns those
// that it starts with, nil where the loop draws them.
func (a *attacker) begin(p sweep.Params) ([]float32, error) {
	start, frozen, err := dpsgd.StartOf(a.dataDir, p, a.engine)
	if err == nil && frozen != nil {
		err = a.engine.SetFrozen(frozen)
	}
	return start, err
}

// run trains once. Run r is trained as the trial's r-th next repeat is, or, under
// a seed, as that and r say.
func (a *attacker) run(ctx context.Context, r int) ([]audit.Canary, error) {
	p, random := a.trial.Params.WithRepeat(a.trial.Repeat+r), rand.Reader
	if a.seed != nil {
		random = canary.Seeded(*a.seed, r)
		p.NoiseFrom, p.Seed = sweep.Seeded, mixSeed(random)
	}
	set, err := canary.New(a.part, a.kind, a.count, random)
	if err != nil {
		return nil, err
	}
	start, err := a.begin(p)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sweep-audit-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // it holds no more than what a trainer that is told to stop leaves
	canaries, _, err := set.Train(ctx, dpsgd.Train, canary.Run{
		Job:    trainerplugin.Job{Trial: a.trial.Params.ID(), Params: p, DataDir: a.dataDir, Dir: dir, Threads: a.threads, ReportEvery: attackReportEvery},
		Engine: a.engine, Start: start, Score: a.score, Report: func(e trainerplugin.Event) error { return a.tell(r, e) },
	})
	return canaries, err
}

// tell says how far run r is.
func (a *attacker) tell(r int, e trainerplugin.Event) error {
	switch e := e.(type) {
	case trainerplugin.Progress:
		fmt.Fprintf(a.talk, "run %d of %d: step %d of %d, %s to go\n", r+1, a.runs, e.Step, a.trial.Params.Steps,
			(time.Duration(e.SecondsToFinish * float64(time.Second))).Round(time.Second))
	case trainerplugin.Evaluation:
		fmt.Fprintf(a.talk, "run %d of %d: trained, accuracy %.2f %%; scoring %d canaries\n", r+1, a.runs, 100*e.LastAccuracy, a.count)
	}
	return nil
}

// mixSeed draws a trial's seed, which is below 2^53.
func mixSeed(random io.Reader) uint64 {
	var b [8]byte
	_, _ = io.ReadFull(random, b[:]) // a generator in memory never ends
	return binary.LittleEndian.Uint64(b[:]) >> 11
}
