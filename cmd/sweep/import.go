package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"sweep/results"
)

var importCommand = &cli.Command{
	Name: "import", Usage: "take over what another results file holds", ArgsUsage: "FILE",
	Description: `Sweeps and trials are merged by their ids: what both files have stays once, what only FILE has is
entered here with its curves, attempts and what it did to the data. FILE is only read.

Where both completed a trial and disagree about what came of it, this file's outcome stays, both runs are
charged, and the disagreement is listed; then the exit status is 4. All of it happens, or nothing.`,
	Flags: append([]cli.Flag{outputFlag}, placeFlags...),
	Action: func(c *cli.Context) error {
		if c.NArg() != 1 {
			return usagef("one results file belongs here")
		}
		p, err := placeOf(c)
		if err != nil {
			return err
		}
		from := c.Args().First()
		switch same, err := sameFile(from, p.db); {
		case err != nil:
			return err
		case same:
			return usagef("%s is the results file itself; --db names the one to import into", from)
		}
		s, err := results.Open(c.Context, p.db)
		if err != nil {
			return err
		}
		i, err := s.Import(c.Context, from)
		if err = errors.Join(err, s.Close()); err != nil {
			return err
		}
		return printImported(c, i)
	},
}

// sameFile says whether two paths are one file; the second need not be there.
func sameFile(a, b string) (bool, error) {
	left, err := os.Stat(a)
	if err != nil {
		return false, &exitError{exitNotFound, err}
	}
	right, err := os.Stat(b)
	return err == nil && os.SameFile(left, right), nil
}

func printImported(c *cli.Context, i results.Imported) error {
	l := listing{
		headings: []string{"new here", "count"},
		rows:     [][]any{{"sweeps", i.Sweeps}, {"trials", i.Trials}, {"attempts", i.Attempts}, {"outcomes", i.Outcomes}, {"conflicts", len(i.Conflicts)}},
		json: struct {
			Schema int `json:"schema"`
			results.Imported
		}{1, i},
	}
	if err := l.print(c); err != nil {
		return err
	}
	for _, conflict := range i.Conflicts {
		fmt.Fprintf(c.App.ErrWriter, "conflict: %s\n", conflict)
	}
	if len(i.Conflicts) > 0 {
		return &exitError{exitFailed, errors.New(count(len(i.Conflicts), "conflict"))}
	}
	return nil
}
