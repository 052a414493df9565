package page

import (
	"fmt"
	"io"
	"math"

	"sweep"
	"sweep/privacy"
	"sweep/results"
	"sweep/results/chart"
)

// FrontierChart is the chart of f. link gives the address of a trial's page; nil
// is none.
func FrontierChart(f results.Frontier, link func(trial string) string) chart.Frontier {
	if link == nil {
		link = func(string) string { return "" }
	}
	c := chart.Frontier{
		Title:  f.Name + ": accuracy at each ε",
		XTitle: fmt.Sprintf("ε at δ = %s, upper bound by %s", chart.Number(f.Delta), f.Accountant),
		Notes:  notes(f),
	}
	best := map[sweep.TrialID]bool{}
	for _, p := range f.Points {
		best[p.Trial] = true
		c.Best = append(c.Best, frontierPoint(p, link))
		if p.TargetEpsilon != 0 {
			c.Targets = append(c.Targets, float64(p.TargetEpsilon))
		}
		for _, r := range references(p.Params, p.Delta) {
			c.References = appendNew(c.References, r)
		}
	}
	for _, d := range f.All {
		if best[d.Trial] || !(d.Epsilon > 0) {
			continue
		}
		tip := fmt.Sprintf("%s\nε %s, accuracy %.2f %%", d.Label, epsilon(d.Epsilon), 100*d.Accuracy)
		if d.Points > 1 {
			tip += fmt.Sprintf("\nand %s more points about here", count(d.Points-1))
		}
		c.Dots = append(c.Dots, chart.Dot{Epsilon: d.Epsilon, Accuracy: 100 * d.Accuracy, Tip: tip, Link: link(string(d.Trial))})
	}
	return c
}

func frontierPoint(p results.Point, link func(string) string) chart.FrontierPoint {
	ε := p.Epsilon
	if ε == 0 {
		ε = p.TargetEpsilon
	}
	b := chart.FrontierPoint{Low: math.NaN(), High: math.NaN(), Dominated: p.Dominated}
	tip := fmt.Sprintf("ε %s: %.2f %%", epsilon(float64(ε)), 100*p.Accuracy)
	if p.Low != nil {
		b.Low, b.High = 100**p.Low, 100**p.High
		tip += fmt.Sprintf("\n95 %% interval %.2f to %.2f", b.Low, b.High)
	}
	if p.N == 1 {
		tip += "\none seed"
	} else {
		tip += fmt.Sprintf("\n%d seeds", p.N)
	}
	if p.Test != nil {
		tip += fmt.Sprintf("\n%.2f %% on the test split, which chose nothing", 100*p.Test.Accuracy)
	}
	if p.FrontierProbability != nil {
		tip += fmt.Sprintf("\nbest of its ε with %s %%, on the frontier with %s %%", chance(p.BestProbability), chance(p.FrontierProbability))
	}
	for _, h := range hyper(p.Params) {
		tip += "\n" + h.Name + " " + h.Value
	}
	if p.BestOf > 0 {
		tip += fmt.Sprintf("\nbest of %s trials", count(p.BestOf))
	} else {
		tip += fmt.Sprintf("\nbest of a random number of trials: the selection costs ε %s", privacy.FormatEpsilon(float64(p.Selection), 4))
	}
	b.Dot = chart.Dot{Epsilon: float64(ε), Accuracy: 100 * p.Accuracy, Tip: tip, Link: link(string(p.Trial))}
	return b
}

func appendNew(all []chart.Dot, d chart.Dot) []chart.Dot {
	for _, known := range all {
		if known == d {
			return all
		}
	}
	return append(all, d)
}

// hyper is what a point's hyper-parameters are but its data and model.
func hyper(p sweep.Params) []setting {
	all := []setting{
		{"B", chart.Number(float64(p.Batch))}, {"C", chart.Number(p.Clip)}, {"η", chart.Number(p.LearnRate)}, {"T", chart.Number(float64(p.Steps))},
		{"K", chart.Number(float64(p.AugMult))}, {"σ", chart.Number(p.Noise)},
	}
	if p.Optimizer != "" {
		all = append(all, setting{"optimizer", string(p.Optimizer)})
	}
	if p.Momentum != 0 {
		all = append(all, setting{"momentum", chart.Number(p.Momentum)})
	}
	if p.Schedule != "" {
		all = append(all, setting{"schedule", string(p.Schedule)})
	}
	if p.Clipping != "" {
		all = append(all, setting{"clipping", string(p.Clipping)})
	}
	return all
}

// notes are what a picture of the frontier must say.
func notes(f results.Frontier) []string {
	all := []string{fmt.Sprintf("ε: upper bound by %s at δ = %s, add or remove one example. Accuracy: averaged weights after the last step, mean over seeds; "+
		"band and bars: 95 %% interval of the mean by Student's t or, with one or two seeds, by a bootstrap over all points.", f.Accountant, chart.Number(f.Delta))}
	for _, d := range f.Doubts {
		all = append(all, d+".")
	}
	return all
}

// WriteFrontier writes the frontier as a picture to pass on, "svg" or "png", with
// all that must be said with it.
func WriteFrontier(w io.Writer, f results.Frontier, format string) error {
	d := FrontierChart(f, nil).Page()
	var err error
	switch format {
	case "svg":
		err = d.WriteSVG(w)
	case "png":
		err = d.WritePNG(w)
	default:
		return fmt.Errorf("%w: pictures are svg or png, not %q", errBadQuery, format)
	}
	if err != nil {
		return fmt.Errorf("draw the frontier of sweep %s: %w", f.Sweep, err)
	}
	return nil
}
