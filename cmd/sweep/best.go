package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"sweep/privacy"
	"sweep/results"
	"sweep/results/stats"
)

var bestCommand = &cli.Command{
	Name: "best", Usage: "list a sweep's best points, and which of them seeds alone could explain", ArgsUsage: "[SWEEP]",
	Description: `Points are ranked by mean accuracy over their repeats, of the averaged (EMA) weights after the
last step. "behind" is how far a point is below the first, with the p-value of Welch's t-test over
repeats: above 0.05 the difference may be the seeds'. Accuracy is on the split that chose the points.`,
	Flags: append([]cli.Flag{
		&cli.IntFlag{Name: "limit", Value: 10, Usage: "the best `N` points"},
		&cli.Float64Flag{Name: "epsilon", Usage: "only points calibrated for `ε`"},
		outputFlag,
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(_ place, r *results.Reader) error {
			info, err := findSweep(c, r)
			if err != nil {
				return err
			}
			if c.Int("limit") < 1 {
				return usagef("--limit %d: list at least one point", c.Int("limit"))
			}
			points, err := r.Best(c.Context, info.ID, c.Float64("epsilon"), c.Int("limit"))
			if err != nil {
				return err
			}
			cost, err := r.SearchCost(c.Context, info.ID)
			if err != nil {
				return err
			}
			if err := listBest(points, cost).print(c); err != nil || c.String("output") == "json" || len(points) == 0 {
				return err
			}
			w := c.App.Writer
			if c.String("output") == "csv" {
				w = c.App.ErrWriter
			}
			_, err = fmt.Fprintf(w, "\n- %s\n- %s\n", disclosed(cost.Disclosure), cost)
			return err
		})
	},
}

// ranked is a point of `best -o json`.
type ranked struct {
	results.RankedPoint
	Behind float64  `json:"behind"`            // of the first point's mean
	P      *float64 `json:"p_welch,omitempty"` // nil without repeats
	Low    *float64 `json:"accuracy_low,omitempty"`
	High   *float64 `json:"accuracy_high,omitempty"`
}

func listBest(points []results.RankedPoint, cost results.SearchCost) listing {
	l := listing{headings: []string{"point", "accuracy %", "95 % interval", "n", "behind", "p", "ε target", "ε spent", "hyper-parameters"}}
	all := []ranked{}
	for _, p := range points {
		one := ranked{RankedPoint: p, Behind: points[0].Accuracy - p.Accuracy}
		interval, pValue := any(nil), any(nil)
		if n := len(p.Accuracies); n > 1 && p.Std != nil {
			i := stats.MeanInterval(p.Accuracy, *p.Std, n, 0.95)
			one.Low, one.High = &i.Low, &i.High
			interval = fmt.Sprintf("%.2f to %.2f", 100*i.Low, 100*i.High)
		}
		if c, ok := stats.Welch(points[0].Accuracies, p.Accuracies); ok && one.Behind > 0 {
			one.P = &c.P
			pValue = pFormat(c.P)
		}
		all = append(all, one)
		l.rows = append(l.rows, []any{string(p.Trial)[:8], fmt.Sprintf("%.2f", 100*p.Accuracy), interval, len(p.Accuracies), fmt.Sprintf("%.2f", 100*one.Behind), pValue,
			formatTarget(p.TargetEpsilon), formatSpent(p.Epsilon), hyper(p.Params)})
	}
	l.json = map[string]any{"schema": 1, "points": all, "search": cost}
	return l
}

func pFormat(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

func formatTarget(ε results.Epsilon) any {
	if ε == 0 {
		return nil
	}
	return exact(float64(ε))
}

func formatSpent(ε results.Epsilon) any {
	if ε == 0 {
		return nil
	}
	return privacy.FormatEpsilon(float64(ε), 4)
}
