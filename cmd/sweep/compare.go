package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
	"sweep/results/chart"
	"sweep/results/stats"
)

var compareCommand = &cli.Command{
	Name: "compare", Usage: "say whether one choice is better than another beyond the noise of seeds", ArgsUsage: "POINT POINT...",
	Description: `POINTs are named by the start of a trial's or a point's id; all repeats of each are taken. Every point
is compared with the first one by Welch's t-test; where one of the two has one or two repeats, by how
much seeds differ at all points of the sweep.

With --by AXIS two neighbouring values of a hyper-parameter are compared wherever the sweep has both
with all else alike: a paired t-test over the rest of the grid, which needs no repeats.

A win is a difference above 0 with a p below 0.05. Of several comparisons p is corrected for their
number (Holm), and the 95 % interval is each one's own; d is the difference in standard deviations
(Cohen's d with Hedges' correction).`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "sweep", Usage: "of `SWEEP`", DefaultText: "the newest"},
		&cli.StringFlag{Name: "by", Usage: "compare the values of `AXIS`: learning_rate, augmult, …"},
		outputFlag,
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(_ place, r *results.Reader) error {
			id, err := namedSweep(c, r)
			if err != nil {
				return err
			}
			if axis := c.String("by"); axis != "" {
				return compareValues(c, r, id, axis)
			}
			return comparePoints(c, r, id)
		})
	},
}

// namedSweep is the sweep of --sweep, or the newest.
func namedSweep(c *cli.Context, r *results.Reader) (sweep.SweepID, error) {
	if name := c.String("sweep"); name != "" {
		info, err := r.Sweep(c.Context, name)
		return info.ID, err
	}
	info, err := r.Newest(c.Context)
	return info.ID, err
}

// comparisonRow is a row of `compare -o json`.
type comparisonRow struct {
	A          string   `json:"a"`
	B          string   `json:"b"`
	MeanA      float64  `json:"mean_a"`
	MeanB      float64  `json:"mean_b"`
	N          int      `json:"n"` // measurements of B, or pairs
	Difference float64  `json:"difference"`
	Low        *float64 `json:"low,omitempty"` // 95 % interval of the difference; nil with too few measurements
	High       *float64 `json:"high,omitempty"`
	P          *float64 `json:"p,omitempty"`
	Corrected  *float64 `json:"p_holm,omitempty"` // P, corrected for the number of comparisons; the verdict is by it
	D          *float64 `json:"d,omitempty"`      // nil with fewer than three pairs, which say nothing of it
	Pooled     bool     `json:"pooled,omitempty"` // by the spread at all points: one of the two has too few repeats
	Verdict    string   `json:"verdict"`
}

// judged takes over what c says, where it says anything.
func (v *comparisonRow) judged(c stats.Comparison, ok bool) {
	v.Difference = v.MeanB - v.MeanA
	if ok {
		v.Low, v.High, v.P = &c.Interval.Low, &c.Interval.High, &c.P
		if !math.IsNaN(c.D) {
			v.D = &c.D
		}
	}
}

// verdicts corrects p-values for their number and says what follows.
func verdicts(rows []comparisonRow) {
	var p []float64
	for _, v := range rows {
		if v.P != nil {
			p = append(p, *v.P)
		}
	}
	corrected := stats.Holm(p)
	for i := range rows {
		v := &rows[i]
		if v.P != nil {
			v.Corrected, corrected = &corrected[0], corrected[1:]
		}
		switch {
		case v.N == 0:
			v.Verdict = "not known: no two points differ in nothing else"
		case v.P == nil && v.N < 2:
			v.Verdict = "too few repeats to say"
		case v.P == nil:
			v.Verdict = "nothing varies by which to say"
		case *v.Corrected >= 0.05:
			v.Verdict = "within the noise"
		case v.Difference > 0:
			v.Verdict = "better"
		default:
			v.Verdict = "worse"
		}
	}
}

func comparePoints(c *cli.Context, r *results.Reader, id sweep.SweepID) error {
	if c.NArg() < 2 {
		return usagef("compare wants two points or more, or --by AXIS; `sweep best` lists points")
	}
	var points []results.RankedPoint
	for _, name := range c.Args().Slice() {
		p, err := r.PointOf(c.Context, id, name)
		if err != nil {
			return err
		}
		points = append(points, p)
	}
	spread, err := spreadOf(c.Context, r, id)
	if err != nil {
		return err
	}
	var rows []comparisonRow
	for _, p := range points[1:] {
		v := comparisonRow{A: points[0].Label, B: p.Label, MeanA: points[0].Accuracy, MeanB: p.Accuracy, N: len(p.Accuracies)}
		comparison, pooled, ok := spread.compare(points[0].Accuracies, p.Accuracies)
		v.Pooled = pooled
		v.judged(comparison, ok)
		rows = append(rows, v)
	}
	return listComparisons(rows).print(c)
}

func compareValues(c *cli.Context, r *results.Reader, id sweep.SweepID, axis string) error {
	axes, err := r.Axes(c.Context, id)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(axes, func(a results.Axis) bool { return a.Key == axis })
	if at < 0 {
		return usagef("--by %s: what varies in this sweep is %s", axis, axisKeys(axes))
	}
	values := axes[at].Columns()
	if axes[at].Values == nil && !axes[at].Words() {
		return usagef("--by %s: it has more than %d values; compare two points instead", axis, results.MaxValues)
	}
	var rows []comparisonRow
	for i := 1; i < len(values); i++ {
		v, err := comparePair(c.Context, r, id, axes, at, values[i-1], values[i])
		if err != nil {
			return err
		}
		rows = append(rows, v)
	}
	return listComparisons(rows).print(c)
}

func comparePair(ctx context.Context, r *results.Reader, id sweep.SweepID, axes []results.Axis, at int, a, b float64) (comparisonRow, error) {
	axis := axes[at]
	pairs, err := r.Pairs(ctx, id, axes, axis.Key, a, b)
	if err != nil {
		return comparisonRow{}, err
	}
	name := func(v float64) string {
		if axis.Words() {
			return axis.Key + "=" + axis.Names[int(v)]
		}
		return axis.Key + "=" + chart.Number(v)
	}
	v := comparisonRow{A: name(a), B: name(b), N: len(pairs)}
	var left, right []float64
	for _, p := range pairs {
		left, right = append(left, p.A), append(right, p.B)
	}
	if len(pairs) > 0 {
		v.MeanA, _ = stats.MeanStd(left)
		v.MeanB, _ = stats.MeanStd(right)
	}
	comparison, ok := stats.Paired(left, right)
	v.judged(comparison, ok)
	return v, nil
}

func axisKeys(axes []results.Axis) string {
	var keys []string
	for _, a := range axes {
		keys = append(keys, a.Key)
	}
	return fmt.Sprint(keys)
}

func listComparisons(rows []comparisonRow) listing {
	verdicts(rows)
	l := listing{
		headings: []string{"A", "B", "A %", "B %", "n", "B − A", "95 % interval", "p", "d", "B is"},
		json:     map[string]any{"schema": 1, "comparisons": rows},
	}
	for _, v := range rows {
		interval, p, d := any(nil), any(nil), any(nil)
		if v.P != nil {
			interval, p = fmt.Sprintf("%+.2f to %+.2f", 100**v.Low, 100**v.High), pFormat(*v.Corrected)
		}
		if v.D != nil {
			d = fmt.Sprintf("%+.2f", *v.D)
		}
		a, b, difference := any(nil), any(nil), any(nil)
		if v.N > 0 {
			a, b, difference = fmt.Sprintf("%.2f", 100*v.MeanA), fmt.Sprintf("%.2f", 100*v.MeanB), fmt.Sprintf("%+.2f", 100*v.Difference)
		}
		l.rows = append(l.rows, []any{v.A, v.B, a, b, v.N, difference, interval, p, d, v.Verdict})
	}
	return l
}
