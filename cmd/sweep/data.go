package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"sweep/trainerplugin/dataset"
)

var dataCommand = &cli.Command{
	Name:  "data",
	Usage: "list, verify and fetch data sets",
	Subcommands: []*cli.Command{
		{Name: "list", Usage: "say which data sets there are and where", Flags: append([]cli.Flag{outputFlag}, placeFlags...), Action: listData},
		{Name: "verify", Usage: "check data sets against their published digests", ArgsUsage: "NAME…", Flags: placeFlags, Action: verifyData},
		{Name: "fetch", Usage: "download data sets from their published addresses", ArgsUsage: "NAME…", Flags: placeFlags,
			Description: "An interrupted download goes on where it stopped. Nothing is kept whose digest is wrong.", Action: fetchData},
	},
}

func listData(c *cli.Context) error {
	p, err := placeOf(c)
	if err != nil {
		return err
	}
	infos := dataset.List(p.data)
	l := listing{headings: []string{"name", "present", "form", "where", "what it is"}, json: map[string]any{"schema": 1, "datasets": infos}}
	for _, i := range infos {
		l.rows = append(l.rows, []any{i.Name, yesNo(i.Present), i.Form, i.Path, i.About})
	}
	return l.print(c)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// eachDataset calls do for every data set that the command line names.
func eachDataset(c *cli.Context, do func(p place, name string) error) error {
	p, err := placeOf(c)
	if err != nil {
		return err
	}
	if c.NArg() == 0 {
		return usagef("%s wants the names of data sets; `sweep data list` lists them", c.Command.Name)
	}
	for _, name := range c.Args().Slice() {
		if err := do(p, name); err != nil {
			return err
		}
	}
	return nil
}

// dataRemedy is what helps where a data set is damaged or missing.
func dataRemedy(name, folder string) string {
	if strings.HasPrefix(name, "folder:") {
		return "mend or replace what is in " + folder
	}
	return fmt.Sprintf("`sweep data fetch %s` downloads it to %s", name, folder)
}

func verifyData(c *cli.Context) error {
	return eachDataset(c, func(p place, name string) error {
		report, err := dataset.Verify(c.Context, p.data, name)
		if err != nil {
			return &exitError{exitNotFound, hinted{err, dataRemedy(name, p.data)}}
		}
		w := c.App.Writer
		fmt.Fprintf(w, "%s: %s\n", name, report.Source)
		for _, line := range report.Checked {
			fmt.Fprintf(w, "  %s\n", line)
		}
		_, err = fmt.Fprintf(w, "  %d training and %d test images of %dx%dx%d, %d classes, content %s\n",
			report.Train, report.Test, report.Height, report.Width, report.Channels, report.Classes, report.Digest)
		return err
	})
}

func fetchData(c *cli.Context) error {
	return eachDataset(c, func(p place, name string) error {
		talk := c.App.ErrWriter
		err := dataset.Fetch(c.Context, p.data, name, dataset.FetchOptions{
			Progress: func(f dataset.FetchProgress) {
				fmt.Fprintf(talk, "\r%s: file %d of %d, %s: %.1f of %.1f MB", name, f.Number, f.Files, f.File, float64(f.Done)/1e6, float64(f.Total)/1e6)
				if f.Finished {
					fmt.Fprintln(talk)
				}
			},
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.App.Writer, "%s: in %s\n", name, p.data)
		return err
	})
}
