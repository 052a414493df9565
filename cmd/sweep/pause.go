package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/workflows"
)

var pauseCommand = &cli.Command{
	Name: "pause", Usage: "start no new trials; running ones go on", ArgsUsage: "[SWEEP]", Flags: connectFlags,
	Action: func(c *cli.Context) error {
		return withRunning(c, func(ctx context.Context, h *host, id sweep.SweepID) error {
			a, err := workflows.Update(ctx, h.client, id, workflows.UpdatePause)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.App.ErrWriter, "%s: paused: %d running trials go on, `sweep resume %s` starts new ones again\n", id, a.Running, id)
			return err
		})
	},
}
