package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
)

// moments is at how many moments `frontier --history` looks.
const moments = 40

// printHistory lists how the frontier rose.
func printHistory(c *cli.Context, r *results.Reader, id sweep.SweepID) error {
	all, err := r.History(c.Context, id, moments)
	if err != nil {
		return err
	}
	if all == nil {
		all = []results.Moment{} // so that it is a list in JSON
	}
	l := listing{
		headings: []string{"recorded (UTC)", "trials", "mean accuracy %"},
		json:     map[string]any{"schema": 1, "sweep": id, "moments": all},
	}
	var line []float64
	for _, m := range all {
		l.rows = append(l.rows, []any{m.At.Format("2006-01-02 15:04:05"), m.Completed, fmt.Sprintf("%.3f", 100*m.Accuracy)})
		line = append(line, m.Accuracy)
	}
	if c.String("output") == "table" && len(line) > 1 {
		if _, err := fmt.Fprintln(c.App.Writer, sparkline(line, moments)); err != nil {
			return err
		}
	}
	return l.print(c)
}
