package page

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"sweep/results"
	"sweep/results/chart"
)

// What exploring looks at: so many points, spread over the grid and with the best
// among them, are enough to see a shape, and few enough to draw and to point at.
const (
	explored     = 400
	forestPoints = 800
)

// An exploreData is the page of charts over hyper-parameters.
type exploreData struct {
	sweepFrame
	Axes        []results.Axis
	X, Y        string // keys of the heat map's axes
	Targets     []targetChoice
	Target      float64
	ByBest      bool
	Heat        chart.Drawing
	Parallel    chart.Drawing
	Slices      []chart.Drawing
	Importance  chart.Drawing
	Permutation chart.Drawing
	Explained   string // what importance says, or why it cannot
	Points      int    // that are drawn
	HasHeat     bool
	HasParallel bool
}

type targetChoice struct {
	Value float64
	Name  string
}

func (s *Site) explore(w http.ResponseWriter, r *http.Request) error {
	f, err := s.sweepFrame(r, "explore")
	if err != nil {
		return err
	}
	data := exploreData{sweepFrame: f}
	if err := s.addExplore(r.Context(), &data, r.URL.Query(), func(trial string) string { return "/trial/" + trial }); err != nil {
		return err
	}
	return s.render(w, http.StatusOK, "explore.html", data)
}

func (s *Site) axes(ctx context.Context, info results.SweepInfo) ([]results.Axis, error) {
	// The grid changes with the file alone, however many trials end.
	key := fmt.Sprintf("%s %d %d", info.ID, info.Revision, info.Counts.Trials+info.Counts.Gone)
	if known, ok := s.grids.Load(key); ok {
		return known.([]results.Axis), nil
	}
	axes, err := s.Reader.Axes(ctx, info.ID)
	if err == nil {
		s.grids.Store(key, axes)
	}
	return axes, err
}

func (s *Site) addExplore(ctx context.Context, data *exploreData, q url.Values, link func(string) string) (err error) {
	if data.Axes, err = s.axes(ctx, data.Sweep); err != nil {
		return err
	}
	if err := data.choose(q); err != nil {
		return err
	}
	if err := s.addHeat(ctx, data, link); err != nil {
		return err
	}
	// With a target chosen the target is no axis any more.
	axes := slices.DeleteFunc(slices.Clone(data.Axes), func(a results.Axis) bool { return data.Target != 0 && a.Key == "target_epsilon" })
	key := fmt.Sprintf("samples %s %g", data.Sweep.ID, data.Target)
	samples, err := recall(ctx, s, key, func(ctx context.Context) ([]results.Sample, error) {
		return s.Reader.Samples(ctx, data.Sweep.ID, axes, data.Target, forestPoints)
	})
	if err != nil {
		return err
	}
	data.addImportance(ctx, s, axes, samples)
	drawn := samples
	if len(samples) > explored { // by rising accuracy: keep the best, and every so many of the others
		drawn = nil
		step := float64(len(samples)) / explored
		for i := range explored {
			drawn = append(drawn, samples[int(float64(i+1)*step)-1])
		}
	}
	data.Points = len(drawn)
	data.Slices = slicesOf(axes, drawn, link)
	if len(samples) >= forestPoints-forestPoints/10 { // a choice, in which the best are too many for a mean
		if data.Slices, err = s.slicesOfAll(ctx, data, axes, drawn, link); err != nil {
			return err
		}
	}
	if len(axes) > 0 && len(drawn) > 0 {
		data.Parallel, data.HasParallel = parallelOf(axes, drawn, link).Draw(), true
	}
	return nil
}

// choose reads the choices in the query.
func (d *exploreData) choose(q url.Values) error {
	if t := q.Get("target"); t != "" {
		v, err := strconv.ParseFloat(t, 64)
		if err != nil {
			return fmt.Errorf("%w: target=%s is no number", errBadQuery, t)
		}
		d.Target = v
	}
	d.ByBest = q.Get("by") == "best"
	for _, a := range d.Axes {
		if a.Key == "target_epsilon" {
			for _, v := range a.Values {
				d.Targets = append(d.Targets, targetChoice{v, chart.Number(v)})
			}
		}
	}
	d.X, d.Y = q.Get("x"), q.Get("y")
	var free []string // axes that nobody chose
	for _, a := range d.Axes {
		if a.Key != d.X && a.Key != d.Y && (a.Key != "target_epsilon" || len(d.Axes) < 3) {
			free = append(free, a.Key)
		}
	}
	for _, chosen := range []*string{&d.X, &d.Y} {
		if *chosen != "" && !slices.ContainsFunc(d.Axes, func(a results.Axis) bool { return a.Key == *chosen }) {
			return fmt.Errorf("%w: %s does not vary in this sweep", errBadQuery, *chosen)
		}
		if *chosen == "" && len(free) > 0 {
			*chosen, free = free[0], free[1:]
		}
	}
	return nil
}

func (s *Site) addHeat(ctx context.Context, data *exploreData, link func(string) string) error {
	at := func(key string) int {
		return slices.IndexFunc(data.Axes, func(a results.Axis) bool { return a.Key == key })
	}
	if data.X == data.Y || at(data.X) < 0 || at(data.Y) < 0 {
		return nil
	}
	x, y := data.Axes[at(data.X)], data.Axes[at(data.Y)]
	key := fmt.Sprintf("cells %s %s %s %g", data.Sweep.ID, x.Key, y.Key, data.Target)
	cells, err := recall(ctx, s, key, func(ctx context.Context) ([]results.Cell, error) {
		return s.Reader.Cells(ctx, data.Sweep.ID, x, y, data.Target)
	})
	if err != nil {
		return err
	}
	h := chart.Heat{Title: fmt.Sprintf("accuracy by %s and %s", axisName(x.Key), axisName(y.Key)), XTitle: axisName(x.Key), YTitle: axisName(y.Key), X: columnNames(x), Y: columnNames(y)}
	for _, c := range cells {
		cell := chart.Cell{X: c.X, Y: c.Y, Value: 100 * c.Mean, Link: link(string(c.Trial)), Tip: fmt.Sprintf(
			"%s %s, %s %s\nmean %.2f %% of %s points\nbest %.2f %%: %s", axisName(x.Key), h.X[c.X], axisName(y.Key), h.Y[c.Y], 100*c.Mean, count(c.Points), 100*c.Best, c.Label)}
		if data.ByBest {
			cell.Value = 100 * c.Best
		}
		h.Cells = append(h.Cells, cell)
	}
	data.Heat, data.HasHeat = h.Draw(), len(cells) > 0
	return nil
}

func columnNames(a results.Axis) []string {
	if a.Words() {
		return wordNames(a)
	}
	var names []string
	for _, v := range a.Columns() {
		name := chart.Number(v)
		if a.Values == nil {
			name += "…"
		}
		names = append(names, name)
	}
	return names
}

// wordNames are the axis's words, with one for what is not set.
func wordNames(a results.Axis) []string {
	names := slices.Clone(a.Names)
	for i, n := range names {
		if n == "" {
			names[i] = "default"
		}
	}
	return names
}

func scaleOf(a results.Axis) chart.Scale {
	if a.Words() {
		return chart.Scale{Names: wordNames(a)}
	}
	if a.Log() {
		margin := math.Pow(a.High/a.Low, 0.05)
		return chart.Scale{Low: a.Low / margin, High: a.High * margin, Log: true, Marks: a.Values}
	}
	pad := max((a.High-a.Low)*0.05, 1e-12)
	return chart.Scale{Low: a.Low - pad, High: a.High + pad, Marks: a.Values}
}

func sampleTip(s results.Sample) string {
	return fmt.Sprintf("%s\nε %s, accuracy %.2f %%", s.Label, epsilon(float64(s.Epsilon)), 100*s.Accuracy)
}

// slicesOfAll draws a choice of points, and the means of all.
func (s *Site) slicesOfAll(ctx context.Context, data *exploreData, axes []results.Axis, samples []results.Sample, link func(string) string) (all []chart.Drawing, err error) {
	for i, slice := range slicesWith(axes, samples, link) {
		a := axes[i]
		if slice.Means = nil; a.Words() || a.Values != nil {
			cells, err := recall(ctx, s, fmt.Sprintf("means %s %s %g", data.Sweep.ID, a.Key, data.Target), func(ctx context.Context) ([]results.Cell, error) {
				return s.Reader.Cells(ctx, data.Sweep.ID, a, a, data.Target)
			})
			if err != nil {
				return nil, err
			}
			slices.SortFunc(cells, func(a, b results.Cell) int { return a.X - b.X })
			for _, c := range cells {
				if x := a.Columns()[c.X]; !math.IsInf(x, 1) {
					slice.Means = append(slice.Means, chart.Point{X: x, Y: 100 * c.Mean})
				}
			}
		}
		all = append(all, slice.Draw())
	}
	return all, nil
}

func slicesOf(axes []results.Axis, samples []results.Sample, link func(string) string) (all []chart.Drawing) {
	for _, slice := range slicesWith(axes, samples, link) {
		all = append(all, slice.Draw())
	}
	return all
}

func slicesWith(axes []results.Axis, samples []results.Sample, link func(string) string) (all []chart.Slice) {
	for i, a := range axes {
		slice := chart.Slice{Title: "accuracy over " + axisName(a.Key), XTitle: axisName(a.Key), X: scaleOf(a)}
		sums := map[float64][2]float64{}
		for _, s := range samples {
			if v := s.At[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
				slice.Dots = append(slice.Dots, chart.SliceDot{X: v, Y: 100 * s.Accuracy, Tip: sampleTip(s), Link: link(string(s.Trial))})
				sums[v] = [2]float64{sums[v][0] + 100*s.Accuracy, sums[v][1] + 1}
			}
		}
		if a.Words() || a.Values != nil {
			for _, v := range a.Columns() {
				if sum := sums[v]; sum[1] > 0 {
					slice.Means = append(slice.Means, chart.Point{X: v, Y: sum[0] / sum[1]})
				}
			}
		}
		all = append(all, slice)
	}
	return all
}

func parallelOf(axes []results.Axis, samples []results.Sample, link func(string) string) chart.Parallel {
	p := chart.Parallel{Title: "parallel coordinates"}
	for _, a := range axes {
		p.Axes = append(p.Axes, chart.ParallelAxis{Title: axisName(a.Key), Scale: scaleOf(a)})
	}
	low, high := samples[0].Accuracy, samples[len(samples)-1].Accuracy
	pad := max(0.02*(high-low), 1e-6)
	p.Axes = append(p.Axes, chart.ParallelAxis{Title: "accuracy, %", Scale: chart.Scale{Low: 100 * (low - pad), High: 100 * (high + pad)}})
	for _, s := range samples {
		row := chart.ParallelRow{Tip: sampleTip(s), Link: link(string(s.Trial))}
		for _, v := range s.At {
			if math.IsInf(v, 0) {
				v = math.NaN()
			}
			row.Values = append(row.Values, v)
		}
		row.Values = append(row.Values, 100*s.Accuracy)
		p.Rows = append(p.Rows, row)
	}
	return p
}
