package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/workflows"
)

var setCommand = &cli.Command{
	Name: "set", Usage: "change how a running sweep is run",
	Subcommands: []*cli.Command{{
		Name: "parallel", Usage: "run up to N trials at a time from now on", ArgsUsage: "N [SWEEP]", Flags: connectFlags,
		Description: `More start at once, if there is room; with fewer, running trials finish first. The sweep's file is
left as it is: a sweep that is resumed later runs as many as it says.`,
		Action: setParallel,
	}},
}

func setParallel(c *cli.Context) error {
	if c.NArg() < 1 || c.NArg() > 2 {
		return usagef("set parallel wants a number and at most one sweep, and was given %d arguments", c.NArg())
	}
	n, err := strconv.Atoi(c.Args().First())
	if err != nil || n < 1 || n > workflows.MaxParallel {
		return usagef("set parallel %s: it must be a whole number from 1 to %d", c.Args().First(), workflows.MaxParallel)
	}
	return withRunningNamed(c, c.Args().Get(1), func(ctx context.Context, h *host, id sweep.SweepID) error {
		a, err := workflows.Update(ctx, h.client, id, workflows.UpdateParallel, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.App.ErrWriter, "%s: up to %d trials at a time, before it was %d; %d are running\n", id, a.Parallel, a.Before, a.Running)
		if a.AtOnce > 0 && a.AtOnce < a.Parallel {
			fmt.Fprintf(c.App.ErrWriter, "note: the process that runs it trains at most %d at once (--at-once); the others wait for it or for other workers\n", a.AtOnce)
		}
		return nil
	})
}
