package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/privacy"
	"sweep/results"
	"sweep/results/page"
)

var frontierCommand = &cli.Command{
	Name: "frontier", Usage: "print the best point at each epsilon, and plot them", ArgsUsage: "[SWEEP]",
	Description: `Best means the highest mean accuracy over a point's repeats, of the averaged (EMA) weights
after the last step; never the best epoch. By how much seeds differ at the sweep's repeated points,
"sure %" is the probability that the point is really the best of its epsilon, and "frontier %" that no
point of at most its epsilon is better. Points are chosen by accuracy on the validation split, where
the file sets one apart; "test %" is the same weights on the test split, and chooses nothing. How to
read the table stands below it.

With --history: how the frontier rose as trials ended. Its mean accuracy over the logarithm of epsilon
is the hypervolume that it covers, per unit of width.`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "svg", Usage: "also write the plot to `FILE`"},
		&cli.StringFlag{Name: "png", Usage: "also write the plot to `FILE`"},
		&cli.BoolFlag{Name: "history", Usage: "list instead how far it was after each of some trials"},
		&cli.BoolFlag{Name: "plot", Usage: "draw it in letters above the table", DefaultText: "where the output is a terminal"},
		outputFlag,
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		return withReader(c, func(_ place, r *results.Reader) error {
			info, err := findSweep(c, r)
			if err != nil {
				return err
			}
			if c.Bool("history") {
				return printHistory(c, r, info.ID)
			}
			f, err := r.Frontier(c.Context, info.ID)
			if err != nil {
				return err
			}
			for _, format := range []string{"svg", "png"} {
				if path := c.String(format); path != "" {
					if err := writePlot(path, f, format); err != nil {
						return err
					}
				}
			}
			return printFrontier(c, f)
		})
	},
}

// showFrontier ends a sweep: table and plots beside the results file.
func showFrontier(c *cli.Context, p place, id sweep.SweepID) error {
	ctx := context.WithoutCancel(c.Context)
	r, err := p.reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := r.Frontier(ctx, id)
	if err != nil || len(f.Points) == 0 {
		return err
	}
	plots := filepath.Join(p.state, string(id))
	if err := errors.Join(writePlot(plots+".svg", f, "svg"), writePlot(plots+".png", f, "png")); err != nil {
		return err
	}
	fmt.Fprintf(c.App.ErrWriter, "plot      %s.svg and .png\n\n", plots)
	return printFrontier(c, f)
}

// writePlot writes f as a picture. The file is whole or not there.
func writePlot(path string, f results.Frontier, format string) error {
	return writeWhole(path, func(w io.Writer) error { return page.WriteFrontier(w, f, format) })
}

func printFrontier(c *cli.Context, f results.Frontier) error {
	l := listing{
		headings: []string{"ε target", "ε spent", "accuracy %", "± std", "95 % interval", "n", "best of", "sure %", "frontier %", "σ", "best hyper-parameters"},
		json: struct {
			Schema int `json:"schema"`
			results.Frontier
		}{1, f},
	}
	for _, p := range f.Points {
		l.rows = append(l.rows, frontierRow(p))
	}
	if slices.ContainsFunc(f.Points, func(p results.Point) bool { return p.Test != nil }) {
		l.headings = slices.Insert(l.headings, 3, "test %")
		for i, p := range f.Points {
			l.rows[i] = slices.Insert(l.rows[i], 3, dash(formatTest(p.Test)))
		}
	}
	if c.String("output") == "csv" { // where nothing stands below the table
		l.headings = append(l.headings, "ε of the search", "disclosure")
		for i := range l.rows {
			l.rows[i] = append(l.rows[i], privacy.FormatEpsilon(float64(cmp.Or(f.Selection, f.Composed)), 4), disclosed(f.Disclosure))
		}
	}
	w := c.App.Writer
	if width := terminalWidth(w); c.String("output") == "table" && (c.Bool("plot") || width > 0 && !c.IsSet("plot")) {
		if _, err := fmt.Fprint(w, textPlot(f, min(100, cmp.Or(width, 80)), 16)); err != nil {
			return err
		}
	}
	if err := l.print(c); err != nil {
		return err
	}
	switch c.String("output") {
	case "json":
		return nil // it carries the doubts
	case "csv":
		w = c.App.ErrWriter // CSV must stay a table
	}
	sentences := []string{fmt.Sprintf("\nδ = %s, ε by %s, add/remove one example; accuracy of the averaged (EMA) weights after the last step", exact(f.Delta), f.Accountant)}
	for _, doubt := range f.Doubts {
		sentences = append(sentences, "- "+doubt)
	}
	for _, s := range sentences {
		if err := remark(w, s); err != nil {
			return err
		}
	}
	return nil
}

// disclosed says what epsilons in a row count.
func disclosed(disclosure string) string {
	switch disclosure {
	case "composed":
		return "composed: every trial is counted"
	case sweep.PrivateSelect:
		return disclosure + ": ε of the search covers whatever number of trials was drawn, of which only the winner is shown"
	}
	return disclosure + ": the search is not counted"
}

func frontierRow(p results.Point) []any {
	target, spent := any("–"), "?"
	if p.TargetEpsilon != 0 {
		target = strings.Replace(exact(float64(p.TargetEpsilon)), "inf", "∞", 1)
	}
	if p.Epsilon != 0 {
		spent = privacy.FormatEpsilon(float64(p.Epsilon), 4)
	}
	std := any("–")
	if p.Std != nil {
		std = fmt.Sprintf("%.2f", 100**p.Std)
	}
	bestOf := any(p.BestOf)
	if p.BestOf == 0 {
		bestOf = "drawn, ε " + privacy.FormatEpsilon(float64(p.Selection), 4)
	}
	return []any{target, spent, fmt.Sprintf("%.2f", 100*p.Accuracy), std, dash(formatInterval(p.Low, p.High)), p.N, bestOf,
		chance(p.BestProbability), chance(p.FrontierProbability), p.Params.Noise, hyper(p.Params)}
}

// chance is a probability in per cent; – if it is not known.
func chance(p *float64) string {
	if p == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f", 100**p)
}

// dash is v, or – for nothing.
func dash(v any) any {
	if v == nil {
		return "–"
	}
	return v
}

// hyper names a point's hyper-parameters but the noise; those that only some
// trials have, where it has them.
func hyper(p sweep.Params) string {
	s := fmt.Sprintf("B=%d C=%s η=%s T=%d K=%d", p.Batch, exact(p.Clip), exact(p.LearnRate), p.Steps, p.AugMult)
	for _, extra := range []struct {
		name  string
		value string
	}{
		{"", string(p.Augment)}, {"", string(p.Optimizer)}, {"momentum=", nonZero(p.Momentum)}, {"weight_decay=", nonZero(p.WeightDecay)},
		{"", string(p.Schedule)}, {"warmup=", nonZero(float64(p.Warmup))}, {"clipping=", string(p.Clipping)},
		{"layers=", p.Layers},
	} {
		if extra.value != "" {
			s += " " + extra.name + extra.value
		}
	}
	return s
}

// nonZero is x for people, "" if it is 0.
func nonZero(x float64) string {
	if x == 0 {
		return ""
	}
	return exact(x)
}
