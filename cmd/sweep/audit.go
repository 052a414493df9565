package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"sweep/privacy"
	"sweep/privacy/audit"
	"sweep/search"
	"sweep/trainerplugin/canary"
	"sweep/trainerplugin/dataset"
)

var auditCommand = &cli.Command{
	Name:      "audit",
	Usage:     "attack a trial with canaries: a lower bound on epsilon beside the upper one",
	ArgsUsage: "FILE",
	Description: `Trains one trial of a sweep file, or more with --runs, with canaries in its training set, and
guesses from the trained weights which of them were there: only fair coins decided. How often
the guesses are right proves a lower bound on epsilon (Steinke, Nasr, Jagielski 2023). Exit
status 1 says that it is above the upper bound: trainer or accounting are broken.

The attack is strongest where it meets little else: large batches and canaries that make up half
of the training set or more; random ones for the linear model, mislabelled ones for convolutions.

  sweep audit grid.yaml --roc roc.svg
  sweep audit grid.yaml --trial 3 --canary mislabelled --runs 5
  sweep audit --scores scores.csv --delta 1e-5 --claimed 8    another trainer's canaries, scored

A file of scores has the heading canary,included,score and a line for each canary.`,
	Flags: []cli.Flag{
		&cli.IntFlag{Name: "canaries", Value: 1000, Usage: "take `M` places of the training set for canaries"},
		&cli.StringFlag{Name: "canary", Value: string(canary.Random), Usage: "`KIND` of canaries: random images, or mislabelled ones"},
		&cli.StringFlag{Name: "score", Value: string(canary.LastLoss), Usage: "`HOW` canaries are scored: by the loss under the last weights, the averaged ones, or along the trajectory"},
		&cli.StringFlag{Name: "trial", Value: "0", Usage: "`TRIAL` to audit: its number in `sweep plan`, from 0, or the beginning of its ID"},
		&cli.IntFlag{Name: "runs", Value: 1, Usage: "train `R` times, each with canaries, coins and noise of its own"},
		&cli.Float64Flag{Name: "significance", Value: 0.05, Usage: "`CHANCE` that a correct trainer's lower bound is too high"},
		&cli.Float64Flag{Name: "delta", Usage: "`PROBABILITY` δ at which epsilon is bounded", DefaultText: "the sweep file's"},
		&cli.Uint64Flag{Name: "seed", Usage: "draw canaries, coins, batches and noise from `SEED`, to repeat an audit", DefaultText: "drawn by the operating system"},
		&cli.IntFlag{Name: "threads", Usage: "train with `N` threads", DefaultText: "one for each core"},
		&cli.StringFlag{Name: "scores", Usage: "train nothing, and audit the canaries that `FILE` scores"},
		&cli.Float64Flag{Name: "claimed", Usage: "`EPSILON` claimed for what --scores come from, if no sweep file says"},
		&cli.StringFlag{Name: "roc", Usage: "write a plot of the attack's true- over its false-positive rate to `FILE.svg` or .png"},
		&cli.BoolFlag{Name: "log", Usage: "with logarithmic axes"},
		outputFlag,
		&cli.StringFlag{Name: "data-dir", EnvVars: []string{"SWEEP_DATA_DIR"}, Usage: "`FOLDER` of data sets", DefaultText: dataset.DefaultDir()},
	},
	Action: func(c *cli.Context) error {
		ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
		defer stop()
		v, err := auditOf(ctx, c)
		if err != nil {
			return err
		}
		if path := c.String("roc"); path != "" {
			if err := writeROC(path, v, c.Bool("log")); err != nil {
				return err
			}
		}
		if err := v.print(c); err != nil {
			return err
		}
		return v.alarm()
	},
}

// auditOf audits what the flags name.
func auditOf(ctx context.Context, c *cli.Context) (auditReport, error) {
	if err := checkAuditFlags(c); err != nil {
		return auditReport{}, err
	}
	claim, err := claimOf(c)
	if err != nil {
		return auditReport{}, err
	}
	var runs [][]audit.Canary
	if path := c.String("scores"); path != "" {
		var canaries []audit.Canary
		if canaries, err = readScores(path); err != nil {
			return auditReport{}, &exitError{exitUsage, err}
		}
		runs = append(runs, canaries)
	} else if runs, err = attack(ctx, c, claim.trial); err != nil {
		return auditReport{}, err
	}
	return judge(claim, runs, c.Float64("significance"))
}

func checkAuditFlags(c *cli.Context) error {
	scored := c.IsSet("scores")
	switch s := c.Float64("significance"); {
	case !(s > 0 && s < 1):
		return usagef("--significance %v lies between 0 and 1; 0.05 gives 95 %% confidence", s)
	case c.NArg() == 0 && !scored:
		return usagef("audit wants a sweep file, or --scores")
	case c.NArg() == 0 && !c.IsSet("delta"):
		return usagef("--scores without a sweep file wants --delta, the δ at which epsilon is claimed")
	case c.NArg() > 0 && c.IsSet("claimed"):
		return usagef("--claimed is for scores alone: the sweep file says what is claimed")
	case !scored && c.IsSet("claimed"):
		return usagef("--claimed is for --scores")
	case c.Int("runs") < 1:
		return usagef("--runs %d; at least 1", c.Int("runs"))
	case c.Int("threads") < 0:
		return usagef("--threads %d; at least 1", c.Int("threads"))
	}
	if path := c.String("roc"); path != "" && rocFormat(path) == "" {
		return usagef("--roc %s: plots are written as .svg or .png", path)
	}
	if _, err := canary.ParseKind(c.String("canary")); err != nil {
		return &exitError{exitUsage, err}
	}
	if _, err := canary.ParseScore(c.String("score")); err != nil {
		return &exitError{exitUsage, err}
	}
	if scored {
		for _, name := range []string{"canaries", "canary", "score", "runs", "seed", "threads"} {
			if c.IsSet(name) {
				return usagef("--%s is for training, and --scores trains nothing", name)
			}
		}
	}
	return nil
}

// A claim is what is said of a trial's privacy.
type claim struct {
	trial   *search.Trial // nil if no sweep file was given
	epsilon float64       // upper bound; NaN if nothing is claimed
	delta   float64
	by      string // who says so
	event   privacy.Event
}

// claimOf computes what is claimed for the trial that the flags name.
func claimOf(c *cli.Context) (claim, error) {
	cl := claim{epsilon: nan, delta: c.Float64("delta"), by: "as claimed"}
	if c.NArg() == 0 {
		if c.IsSet("claimed") {
			cl.epsilon = c.Float64("claimed")
		}
		return cl, privacyUsage(privacy.Budget{Epsilon: c.Float64("claimed"), Delta: cl.delta}.Check())
	}
	s, err := readSweepFile(c)
	if err != nil {
		return claim{}, err
	}
	trial, err := findTrial(s, c.String("trial"))
	if err != nil {
		return claim{}, err
	}
	cl.trial = &trial
	if !c.IsSet("delta") {
		cl.delta = trial.Target.Delta
	}
	p := trial.Params
	cl.event = privacy.DPSGD{SampleRate: p.SampleRate(), Noise: p.Noise, Steps: p.Steps}
	cl.by = privacy.Certified.Version()
	cl.epsilon, err = privacy.Certified.Epsilon(cl.event, cl.delta)
	return cl, privacyUsage(err)
}

// privacyUsage says of an error that it is in what was asked.
func privacyUsage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err}
}

// findTrial finds a trial by its number or the beginning of its ID.
func findTrial(s *search.Sweep, name string) (search.Trial, error) {
	index, err := strconv.Atoi(name)
	numbered := err == nil && index >= 0 && index < s.Len()
	for t, err := range s.Trials(privacy.CalibrateNoise) {
		if numbered && t.Index < index {
			continue
		}
		if numbered || len(name) >= 4 && strings.HasPrefix(string(t.Params.ID()), name) {
			return t, err
		}
	}
	return search.Trial{}, &exitError{exitNotFound, hinted{
		fmt.Errorf("%s has no trial %q; it has %d", s.Name, name, s.Len()), "`sweep plan FILE` lists them; give a number from 0, or four digits of an ID or more"}}
}

// readScores reads a score file; "-" is standard input.
func readScores(path string) (canaries []audit.Canary, err error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	canaries, err = audit.ReadScores(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return canaries, nil
}
