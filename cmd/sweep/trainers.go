package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"sweep/trainerplugin"
	"sweep/workflows"
)

var trainersCommand = &cli.Command{
	Name: "trainers", Usage: "start a trainer and print what it can do", ArgsUsage: "[-- COMMAND ARG…]",
	Description: `Without a command it is the built-in trainer. An external trainer is a program that speaks
sweep's gRPC contract; trainerplugin/README.md tells how to write one.`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "sha256", Usage: "refuse the command unless its program has this `DIGEST`"},
		outputFlag,
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		d, err := describe(c.Context, workflows.Trainer{Command: c.Args().Slice(), SHA256: c.String("sha256")})
		if err != nil {
			return err
		}
		l := listing{
			headings: []string{"", "trainer"},
			rows: [][]any{
				{"name", d.Name}, {"version", d.Version}, {"devices", strings.Join(d.Devices, ", ")},
				{"models", anyOr(d.Models)}, {"data sets", anyOr(d.Datasets)},
			},
			json: map[string]any{"schema": 1, "trainer": d},
		}
		for _, p := range d.Parameters {
			l.rows = append(l.rows, []any{"option." + p.Name, parameterText(p)})
		}
		return l.print(c)
	},
}

// describe launches t as a trial would, and asks what it can do.
func describe(ctx context.Context, t workflows.Trainer) (d trainerplugin.Description, err error) {
	process, err := launch(ctx, t, trainerplugin.Job{Threads: 1}, io.Discard)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, process.Close()) }()
	return process.Describe(ctx)
}

func anyOr(names []string) string {
	if len(names) == 0 {
		return "any"
	}
	return strings.Join(names, ", ")
}

func parameterText(p trainerplugin.Parameter) string {
	values := strconv.FormatFloat(p.Min, 'f', -1, 64) + " to " + strconv.FormatFloat(p.Max, 'f', -1, 64)
	if len(p.Choices) > 0 {
		values = strings.Join(p.Choices, ", ")
	}
	return fmt.Sprintf("%s (%s; default %s)", p.Doc, values, p.Default)
}
