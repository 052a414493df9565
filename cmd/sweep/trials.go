package main

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/privacy"
	"sweep/results"
)

var trialsCommand = &cli.Command{
	Name: "trials", Usage: "list a sweep's trials, or show one in full", ArgsUsage: "[SWEEP]",
	Flags: append([]cli.Flag{
		&cli.StringSliceFlag{Name: "state", Usage: "only trials in `STATE`: pending, running, completed, failed or stopped; may be repeated"},
		&cli.StringFlag{Name: "sort", Value: "index", Usage: "by `KEY`, with \"-\" in front for falling order: " + strings.Join(results.SortKeys(), ", ")},
		&cli.StringFlag{Name: "where", Usage: "only trials for which `CONDITION` holds, as in a sweep file: 'learning_rate >= 1 and batch_size in [256, 512]'; also accuracy, worker, failure, …"},
		&cli.IntFlag{Name: "limit", Usage: "at most `N` trials"},
		&cli.StringFlag{Name: "show", Usage: "print all that is known of the trial whose id begins with `ID`: its attempts, checkpoints and notes; as JSON with -o json, and where standard output is no terminal"},
		&cli.BoolFlag{Name: "attempts", Usage: "a row for each attempt: when and where it ran, from which step to which, and how it ended (completed, lost, crashed, …)"},
		outputFlag,
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(_ place, r *results.Reader) error {
			if id := c.String("show"); id != "" {
				t, err := r.Trial(c.Context, id)
				if err != nil {
					return err
				}
				return showTrial(c, t)
			}
			info, err := findSweep(c, r)
			if err != nil {
				return err
			}
			if c.Bool("attempts") {
				for _, flag := range []string{"state", "sort", "where", "limit"} {
					if c.IsSet(flag) {
						return usagef("--attempts lists those of all trials; --%s is for trials", flag)
					}
				}
				attempts, err := r.Attempts(c.Context, info.ID)
				if err != nil {
					return err
				}
				return listAttempts(attempts).print(c)
			}
			f := results.Filter{Sort: c.String("sort"), Limit: c.Int("limit"), Where: c.String("where")}
			if f.States, err = statesOf(c.StringSlice("state")); err != nil {
				return err
			}
			if key := strings.TrimPrefix(f.Sort, "-"); !slices.Contains(results.SortKeys(), key) {
				return usagef("--sort %s: the keys are %s", f.Sort, strings.Join(results.SortKeys(), ", "))
			}
			trials, err := r.Trials(c.Context, info.ID, f)
			if errors.Is(err, results.ErrCondition) {
				err = &exitError{exitUsage, err}
			}
			if err != nil {
				return err
			}
			return listTrials(trials).print(c)
		})
	},
}

func statesOf(names []string) ([]sweep.State, error) {
	known := []sweep.State{sweep.Pending, sweep.Running, sweep.Completed, sweep.Failed, sweep.Stopped}
	var states []sweep.State
	for _, name := range names {
		if !slices.Contains(known, sweep.State(name)) {
			return nil, usagef("--state %s: the states are %v", name, known)
		}
		states = append(states, sweep.State(name))
	}
	return states, nil
}

func listTrials(trials []results.TrialRow) listing {
	l := listing{
		headings: []string{"trial", "state", "accuracy %", "ε spent", "σ", "seconds", "attempts", "what varies", "remark"},
		json:     map[string]any{"schema": 1, "trials": trials},
	}
	if trials == nil {
		l.json = map[string]any{"schema": 1, "trials": []results.TrialRow{}}
	}
	for _, t := range trials {
		var accuracy, seconds, epsilon any
		if t.Outcome != nil {
			accuracy, seconds = round2(100*t.Outcome.Accuracy), round2(t.Outcome.Seconds)
		}
		if t.Epsilon != 0 {
			epsilon = privacy.FormatEpsilon(float64(t.Epsilon), 4)
		}
		l.rows = append(l.rows, []any{string(t.ID), string(t.State), accuracy, epsilon, t.Params.Noise, seconds, t.Attempts, t.Label, t.Remark(firstLine(t.Reason))})
	}
	return l
}

func firstLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	const most = 120
	if runes := []rune(line); len(runes) > most {
		line, more = string(runes[:most]), true
	}
	if more {
		line += " …"
	}
	return line
}

func round2(x float64) float64 { return math.Round(100*x) / 100 }
