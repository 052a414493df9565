package main

import (
	"errors"
	"fmt"
	"iter"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
	"sweep/search"
)

var verifyCommand = &cli.Command{
	Name: "verify", Usage: "derive every epsilon and digest in the record again, and name each disagreement",
	Description: `Names of trials follow from their parameters, sweeps and the trials that they list from their files' text,
epsilons and the ledger from what was done to the data, and points of the frontier from their trials. This
computes all of them anew, has SQLite check the file, and changes nothing. It exits with 1 if anything in the
record is not what follows from its facts. Of what is written down once, such as a worker's name or the digest
of a trial's weights, nothing in the file can say whether it was changed. The lists of trials are derived again
where their strategy is grid, random or sobol, and this version's accountant is the one that calibrated them.`,
	Flags: append([]cli.Flag{outputFlag}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(p place, r *results.Reader) error {
			found := []results.Finding{}
			seen, err := r.Verify(c.Context, reread, func(f results.Finding) { found = append(found, f) })
			if err != nil {
				return err
			}
			return printFindings(c, p, seen, found)
		})
	},
}

// reread is a sweep's file as it would be entered now.
func reread(id sweep.SweepID, own bool, text string) (results.SweepRecord, iter.Seq2[results.TrialRecord, error], error) {
	s, err := search.Parse("its file", []byte(text))
	if err != nil {
		return results.SweepRecord{}, nil, err
	}
	if own {
		s = s.WithOwnSeeds(id)
	}
	r := sweepRecord(s.ID(), "", s)
	if s.Adaptive() {
		return r, nil, nil
	}
	return r, func(yield func(results.TrialRecord, error) bool) {
		s.Prepare(calibrate)
		trialRecords(id, s, nil)(yield)
	}, nil
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
