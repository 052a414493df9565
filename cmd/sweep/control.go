package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
	"sweep/search"
	"sweep/workflows"
	"sweep/workflows/devserver"
)

var (
	stopCommand = signalCommand("stop", "let running trials finish, then end", workflows.SignalStop, "stopping once the running trials have finished; `sweep cancel` does not wait for them")
)

// signalCommand is a verb that tells a running sweep something.
func signalCommand(name, usage, signal, told string) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, ArgsUsage: "[SWEEP]", Flags: connectFlags,
		Action: func(c *cli.Context) error {
			return withRunning(c, func(ctx context.Context, h *host, id sweep.SweepID) error {
				if err := workflows.Signal(ctx, h.client, id, signal); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", id, told)
				return err
			})
		},
	}
}

var cancelCommand = &cli.Command{
	Name: "cancel", Usage: "have running trials write a checkpoint, and end now", ArgsUsage: "[SWEEP]", Flags: connectFlags,
	Action: func(c *cli.Context) error {
		return withRunning(c, func(ctx context.Context, h *host, id sweep.SweepID) error {
			if err := workflows.Cancel(ctx, h.client, id); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.App.ErrWriter, "%s: cancelled; trials write checkpoints, `sweep resume %s` goes on from them\n", id, id)
			return err
		})
	},
}

// withRunning connects to the server that runs the sweep named on the command
// line and calls do.
func withRunning(c *cli.Context, do func(context.Context, *host, sweep.SweepID) error) error {
	if c.NArg() > 1 {
		return tooMany(c)
	}
	return withRunningNamed(c, c.Args().First(), do)
}

// withRunningNamed is withRunning of the sweep of that name, or of the newest.
func withRunningNamed(c *cli.Context, name string, do func(context.Context, *host, sweep.SweepID) error) error {
	p, info, err := placeAndSweepNamed(c, name)
	if err != nil {
		return err
	}
	h, err := joinHost(c.Context, p)
	if errors.Is(err, devserver.ErrNotRunning) {
		return fmt.Errorf("sweep %s: %w", info.ID, workflows.ErrNotRunning)
	}
	if err != nil {
		return err
	}
	return errors.Join(do(c.Context, h, info.ID), h.close())
}

// joinHost connects to Temporal and takes on no work.
func joinHost(ctx context.Context, p place) (*host, error) {
	r := role{logger: slog.New(slog.DiscardHandler)}
	open := joinEmbedded
	if configured() {
		open = openCluster
	}
	h, err := open(ctx, p, r)
	if err != nil {
		return nil, err
	}
	return h.agreed(ctx)
}

// placeAndSweep is where the command's files are, and the sweep that the command
// line names, or the newest.
func placeAndSweep(c *cli.Context) (place, results.SweepInfo, error) {
	if c.NArg() > 1 {
		return place{}, results.SweepInfo{}, tooMany(c)
	}
	return placeAndSweepNamed(c, c.Args().First())
}

func placeAndSweepNamed(c *cli.Context, name string) (place, results.SweepInfo, error) {
	p, err := placeOf(c)
	if err != nil {
		return p, results.SweepInfo{}, err
	}
	r, err := p.reader(c.Context)
	if err != nil {
		return p, results.SweepInfo{}, err
	}
	defer r.Close()
	info, err := sweepNamed(c.Context, r, name)
	return p, info, err
}

// findSweep is the sweep that the command line names, or the newest of the record.
func findSweep(c *cli.Context, r *results.Reader) (results.SweepInfo, error) {
	if c.NArg() > 1 {
		return results.SweepInfo{}, tooMany(c)
	}
	return sweepNamed(c.Context, r, c.Args().First())
}

func tooMany(c *cli.Context) error {
	return usagef("%s wants one sweep, and was given %d arguments", c.Command.Name, c.NArg())
}

// sweepNamed is the sweep of that name, or the newest if there is no name.
func sweepNamed(ctx context.Context, r *results.Reader, name string) (results.SweepInfo, error) {
	if name != "" {
		info, err := r.Sweep(ctx, name)
		if errors.Is(err, sweep.ErrNotFound) {
			err = hinted{err, "`sweep list` names those in the results file"}
		}
		return info, err
	}
	return r.Newest(ctx)
}

var resumeCommand = &cli.Command{
	Name: "resume", Usage: "go on with a sweep that was paused, stopped, cancelled or killed", ArgsUsage: "[SWEEP]",
	Description: "Finished trials are not run again; interrupted ones go on from their checkpoints.",
	Flags: append([]cli.Flag{
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "run it in the background and return"},
		classFlag, priorityFlag,
		partlyFlag,
	}, hostFlags...),
	Action: func(c *cli.Context) error {
		p, info, err := placeAndSweep(c)
		if err != nil {
			return err
		}
		s, err := fileOf(info)
		if err != nil {
			return err
		}
		return runSweep(c, p, info.ID, s, info.File)
	},
}

// fileOf is the newest file of the sweep.
func fileOf(info results.SweepInfo) (*search.Sweep, error) {
	s, err := search.Parse(info.File, []byte(info.Text))
	if err != nil {
		return nil, fmt.Errorf("the file that sweep %s was started with: %w", info.ID, err)
	}
	if info.OwnSeeds {
		s = s.WithOwnSeeds(info.ID)
	}
	return s, nil
}

var waitCommand = &cli.Command{
	Name: "wait", Usage: "watch a sweep until it ends, and exit as `start` would", ArgsUsage: "[SWEEP]",
	Flags: append([]cli.Flag{&cli.DurationFlag{Name: "timeout", Usage: "give up after `TIME` (exit code 3)"}}, placeFlags...),
	Action: func(c *cli.Context) error {
		p, info, err := placeAndSweep(c)
		if err != nil {
			return err
		}
		ctx := c.Context
		if limit := c.Duration("timeout"); limit > 0 {
			var stop context.CancelFunc
			ctx, stop = context.WithTimeout(ctx, limit)
			defer stop()
		}
		if err := await(ctx, c.App.ErrWriter, p, info.ID); err != nil {
			return err
		}
		return verdict(c.Context, p, info.ID)
	},
}

// await watches the record until the sweep's workflow has ended, and tells out how it gets on.
func await(ctx context.Context, out io.Writer, p place, id sweep.SweepID) error {
	r, err := p.reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	d := newDisplay(out, r, id)
	defer d.close()
	for {
		info, err := r.Sweep(ctx, string(id))
		if err != nil {
			return err
		}
		switch info.State {
		case results.Completed, results.Failed, results.Stopped:
			return nil
		}
		if err := errors.Join(d.update(ctx), pausedItself(ctx, r, id)); err != nil {
			return err
		}
		if _, err := devserver.Running(p.state); errors.Is(err, devserver.ErrNotRunning) && !configured() {
			return &exitError{exitInterrupted, hinted{fmt.Errorf("no process runs sweep %s", id), fmt.Sprintf("`sweep resume %s` goes on with it", id)}}
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return &exitError{exitInterrupted, fmt.Errorf("sweep %s is still running: %w", id, ctx.Err())}
		}
	}
}
