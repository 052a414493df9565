package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
	"sweep/workflows/devserver"
)

var statusCommand = &cli.Command{
	Name: "status", Usage: "say how a sweep stands: trials by state, what runs, how long it will take", ArgsUsage: "[SWEEP]",
	Description: "Without SWEEP it is the newest one. A sweep may be named by its name, its id or the start of its id.",
	Flags:       append([]cli.Flag{outputFlag}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(p place, r *results.Reader) error {
			info, err := findSweep(c, r)
			if err != nil {
				return err
			}
			progress, err := r.Progress(c.Context, info.ID)
			if err != nil {
				return err
			}
			return printStatus(c, p, info, progress)
		})
	},
}

// withReader opens the results file for reading and calls do.
func withReader(c *cli.Context, do func(place, *results.Reader) error) error {
	p, err := placeOf(c)
	if err != nil {
		return err
	}
	r, err := p.reader(c.Context)
	if err != nil {
		return err
	}
	return errors.Join(do(p, r), r.Close())
}

func printStatus(c *cli.Context, p place, info results.SweepInfo, progress results.Progress) error {
	server, err := devserver.Running(p.state)
	served := err == nil || configured()
	l := listing{
		headings: []string{"trial", "state", "step", "steps", "accuracy %", "for", "attempt", "what varies"},
		json: map[string]any{
			"schema": 1, "sweep": info, "progress": progress, "served": served, "temporal_ui": server.UIURL, "results": p.db, "trials": runningJSON(progress),
		},
	}
	for _, t := range progress.Running {
		var accuracy any
		if t.Accuracy != nil {
			accuracy = round2(100 * *t.Accuracy)
		}
		step, steps := any(t.Step), any(t.Steps)
		if t.Selection {
			step, steps = nil, nil
		}
		l.rows = append(l.rows, []any{string(t.ID), stateOf(t), step, steps, accuracy, time.Since(t.Started).Round(time.Second).String(), t.Attempt, label(t, info.ID)})
	}
	if c.String("output") != "table" {
		return l.print(c)
	}
	w := c.App.Writer
	fmt.Fprintf(w, "%s  %s%s\n", info.ID, info.State, because(info, served))
	n := info.Counts
	fmt.Fprintf(w, "%d trials: %d completed, %d running, %s%d pending, %d stopped, %d failed\n", n.Trials, n.Completed, n.Running, waiting(n), n.Pending, n.Stopped, n.Failed)
	if eta := progress.Left(); eta > 0 {
		fmt.Fprintf(w, "about %s left at %.3g s a trial\n", eta.Round(time.Second), progress.SecondsPerTrial)
	}
	fmt.Fprintf(w, "results   %s\n", p.db)
	if server.UIURL != "" {
		fmt.Fprintf(w, "temporal  %s\n", server.UIURL)
	}
	if len(l.rows) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return l.print(c)
}

// waiting names the trials that were claimed and have not begun, if there are any.
func waiting(n results.Counts) string {
	if n.Waiting == 0 {
		return ""
	}
	return fmt.Sprintf("%d waiting, ", n.Waiting)
}

// stateOf is running, or waiting where the attempt has not begun.
func stateOf(t results.RunningTrial) string {
	if t.Waiting {
		return "waiting"
	}
	return "running"
}

// label says what varies, and whose attempt it is if not the sweep's own.
func label(t results.RunningTrial, of sweep.SweepID) string {
	if t.Sweep != of {
		return fmt.Sprintf("%s (run by sweep %s, whose result will count)", t.Label, t.Sweep)
	}
	return t.Label
}

// runningJSON is the trials that run, each with its state.
func runningJSON(p results.Progress) []map[string]any {
	all := []map[string]any{}
	for _, t := range p.Running {
		all = append(all, map[string]any{"id": t.ID, "state": stateOf(t), "label": t.Label, "step": t.Step, "steps": t.Steps, "attempt": t.Attempt})
	}
	return all
}

// because says why a sweep is in its state, if that is not plain.
func because(info results.SweepInfo, served bool) string {
	why := ""
	if info.Reason != "" {
		why = ": " + info.Reason
	}
	switch info.State {
	case results.Created, results.Running, results.Paused, results.Stopping:
		if !served {
			why += fmt.Sprintf(", but no process runs it: `sweep resume %s` goes on", info.ID)
		}
	}
	return why
}

var listCommand = &cli.Command{
	Name: "list", Aliases: []string{"ls"}, Usage: "list the sweeps of the results file, the newest first",
	Flags: append([]cli.Flag{outputFlag}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(_ place, r *results.Reader) error {
			all, err := r.Sweeps(c.Context)
			if err != nil {
				return err
			}
			l := listing{
				headings: []string{"sweep", "state", "trials", "completed", "failed", "started (UTC)", "file"},
				json:     map[string]any{"schema": 1, "sweeps": all},
			}
			for _, s := range all {
				l.rows = append(l.rows, []any{
					string(s.ID), string(s.State), s.Counts.Trials, s.Counts.Completed, s.Counts.Failed, s.Created.Format("2006-01-02 15:04"), s.File,
				})
			}
			return l.print(c)
		})
	},
}
