package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/privacy"
	"sweep/results"
)

var bestCommand = &cli.Command{
	Name: "best", Usage: "list a sweep's best points, and which of them seeds alone could explain", ArgsUsage: "[SWEEP]",
	Description: `Points are ranked by mean accuracy over their repeats, of the averaged (EMA) weights after the
last step. "behind" is how far a point is below the first, with the p-value of Welch's t-test over
repeats: above 0.05 the difference may be the seeds'. It does not count that the first was picked for
being the first; "sure %" of ` + "`sweep frontier`" + ` does. With one or two repeats interval and p-value
are by how much seeds differ at all points of the sweep. Accuracy is on the split that chose the
points; "test %" is the same weights on the test split, where the trainer measured it, and ranks nothing.`,
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
			spread, err := spreadOf(c.Context, r, info.ID)
			if err != nil {
				return err
			}
			if err := listBest(points, cost, spread).print(c); err != nil || c.String("output") == "json" || len(points) == 0 {
				return err
			}
			w := c.App.Writer
			if c.String("output") == "csv" {
				w = c.App.ErrWriter
			}
			if err := remark(w, "\n- "+disclosed(cost.Disclosure)); err != nil || info.Counts.Trials <= 1 && cost.Disclosure != sweep.PrivateSelect {
				return err
			}
			return remark(w, "- "+cost.String())
		})
	},
}

// ranked is a point of `best -o json`.
type ranked struct {
	results.RankedPoint
	Behind float64  `json:"behind"`             // of the first point's mean
	P      *float64 `json:"p_welch,omitempty"`  // nil for the first point, and where nothing is known of the seeds' spread
	Pooled bool     `json:"p_pooled,omitempty"` // P is by the spread at all points: one of the two has one repeat
}

func listBest(points []results.RankedPoint, cost results.SearchCost, spread seedSpread) listing {
	tested := slices.ContainsFunc(points, func(p results.RankedPoint) bool { return p.Test != nil })
	l := listing{headings: []string{"point", "accuracy %", "95 % interval", "n", "behind", "p", "ε target", "ε spent", "hyper-parameters"}}
	if tested {
		l.headings = slices.Insert(l.headings, 2, "test %")
	}
	all := []ranked{}
	for _, p := range points {
		one := ranked{RankedPoint: p, Behind: points[0].Accuracy - p.Accuracy}
		pValue := any(nil)
		if c, pooled, ok := spread.compare(points[0].Accuracies, p.Accuracies); ok && one.Behind > 0 {
			one.P, one.Pooled = &c.P, pooled
			pValue = pFormat(c.P)
		}
		all = append(all, one)
		row := []any{string(p.Trial)[:8], fmt.Sprintf("%.2f", 100*p.Accuracy), formatInterval(p.Low, p.High), len(p.Accuracies), fmt.Sprintf("%.2f", 100*one.Behind), pValue,
			formatTarget(p.TargetEpsilon), formatSpent(p.Epsilon), hyper(p.Params)}
		if tested {
			row = slices.Insert(row, 2, formatTest(p.Test))
		}
		l.rows = append(l.rows, row)
	}
	l.json = map[string]any{"schema": 1, "points": all, "search": cost}
	return l
}

// formatInterval is an interval in per cent; nil if there is none.
func formatInterval(low, high *float64) any {
	if low == nil {
		return nil
	}
	return fmt.Sprintf("%.2f to %.2f", 100**low, 100**high)
}

// formatTest is a test figure in per cent; nil if there is none.
func formatTest(f *results.TestFigure) any {
	if f == nil {
		return nil
	}
	return fmt.Sprintf("%.2f", 100*f.Accuracy)
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
