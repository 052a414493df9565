package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
	"sweep/search"
)

var verifyCommand = &cli.Command{
	Name: "verify", Usage: "derive every epsilon and digest in the record again, and name each disagreement",
	Description: `Names of trials follow from their parameters and names of sweeps from their files' text, epsilons from
what was done to the data. This computes all of them anew, has SQLite check the file, and changes nothing.
It exits with 1 if anything in the record is not what follows from its facts.`,
	Flags: append([]cli.Flag{outputFlag}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(p place, r *results.Reader) error {
			found := []results.Finding{}
			seen, err := r.Verify(c.Context, identify, func(f results.Finding) { found = append(found, f) })
			if err != nil {
				return err
			}
			return printFindings(c, p, seen, found)
		})
	},
}

// identify is which sweep a file's text is of.
func identify(text string) (sweep.SweepID, error) {
	s, err := search.Parse("its file", []byte(text))
	if err != nil {
		return "", err
	}
	return s.ID(), nil
}

func printFindings(c *cli.Context, p place, seen results.Verified, found []results.Finding) error {
	l := listing{headings: []string{"where", "what"}, json: struct {
		Schema int `json:"schema"`
		results.Verified
		Findings []results.Finding `json:"findings"`
	}{1, seen, found}}
	for _, f := range found {
		l.rows = append(l.rows, []any{f.Where, f.What})
	}
	if len(found) > 0 || c.String("output") == "json" {
		if err := l.print(c); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.App.ErrWriter, "%s: %s, %s, %s computed again\n", p.db, count(seen.Sweeps, "sweep"), count(seen.Trials, "trial"), count(seen.Prices, "epsilon"))
	if len(found) > 0 {
		return errors.New(count(len(found), "disagreement") + " in the record")
	}
	return nil
}

// count is "1 sweep" or "3 sweeps".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
