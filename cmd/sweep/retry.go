package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
	"sweep/workflows"
	"sweep/workflows/devserver"
)

var retryCommand = &cli.Command{
	Name: "retry", Usage: "run a sweep's failed trials again, before all others", ArgsUsage: "[SWEEP]",
	Description: `Their failures so far are forgiven, and each has all of its retries again. If the sweep is
running they join it, and one that was paused because its first trials failed goes on; otherwise
it is resumed with them. Finished trials never run again.`,
	Flags: append([]cli.Flag{
		&cli.BoolFlag{Name: "failed", Usage: "those that have failed; there are no others to retry"},
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "run it in the background and return"},
		partlyFlag, classFlag, priorityFlag,
	}, hostFlags...),
	Action: retryFailed,
}

func retryFailed(c *cli.Context) error {
	if !c.Bool("failed") {
		return usagef("retry wants --failed: trials that have failed are all that can be retried; `sweep resume` goes on with those that were stopped")
	}
	p, info, err := placeAndSweep(c)
	if err != nil {
		return err
	}
	if info.Counts.Failed == 0 {
		fmt.Fprintf(c.App.ErrWriter, "%s: no trial has failed\n", info.ID)
		return nil
	}
	joined, err := whileRunning(c.Context, p, info.ID, func(h *host) error {
		a, err := workflows.Update(c.Context, h.client, info.ID, workflows.UpdateRetry)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.App.ErrWriter, "%s: %d failed trials are pending again, and come first\n", info.ID, a.Retried)
		if a.Paused && info.Cause == sweep.CauseFailures {
			_, err = workflows.Update(c.Context, h.client, info.ID, workflows.UpdateResume)
		}
		return err
	})
	if joined || err != nil {
		return err
	}
	s, err := fileOf(info)
	if err != nil {
		return err
	}
	return runSweep(c, p, info.ID, s, info.File)
}

// whileRunning calls do with a connection to the server that runs the sweep, and
// reports whether one does.
func whileRunning(ctx context.Context, p place, id sweep.SweepID, do func(*host) error) (running bool, err error) {
	h, err := joinHost(ctx, p)
	if errors.Is(err, devserver.ErrNotRunning) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if running, err = workflows.Running(ctx, h.client, id); err != nil || !running {
		return false, err
	}
	return true, do(h)
}

// pausedItself returns why the sweep has paused of its own accord, nil if it has
// not, or if trials are still running.
func pausedItself(ctx context.Context, r *results.Reader, id sweep.SweepID) error {
	info, err := r.Sweep(ctx, string(id))
	if err != nil || info.State != results.Paused || info.Cause != sweep.CauseFailures || info.Counts.Waiting+info.Counts.Running > 0 {
		return err
	}
	hint := fmt.Sprintf("`sweep trials %[1]s --state failed` lists them; `sweep retry --failed %[1]s` runs them again, `sweep resume %[1]s` goes on with the others", id)
	if info.Counts.Failed == 0 { // no worker could train any
		hint = fmt.Sprintf("`sweep trials %[1]s --attempts` has what each worker lacked; `sweep resume %[1]s` goes on", id)
	}
	return &exitError{exitInterrupted, hinted{fmt.Errorf("sweep %s is paused: %s", id, info.Reason), hint}}
}
