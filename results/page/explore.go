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
	axesShown    = 8 // of parallel coordinates and slices, as long as nobody chooses
)

// An exploreData is the page of charts over hyper-parameters.
type exploreData struct {
	sweepFrame
	Axes        []results.Axis
	X, Y        string // keys of the heat map's axes
	Targets     []targetChoice
	Target      float64
	ByBest      bool
	Choices     []axisChoice // which axes the charts of all at once and one at a time show
	Heat        chart.Drawing
	Parallel    chart.Drawing
	Slices      []chart.Drawing
	Importance  chart.Drawing
	Permutation chart.Drawing
	Explained   string // what importance says, or why it cannot
	Points      int    // that are drawn
	Chosen      bool   // there are more points
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
	data, q := exploreData{sweepFrame: f}, r.URL.Query()
	if len(q) > 0 { // a choice may be wrong, which must be said before the page begins
		if err := s.addChoices(r.Context(), &data, q); err != nil {
			return err
		}
	}
	var e exploration
	return s.stream(w, "explore.html", &data.frame, &data,
		func() (err error) { e, err = s.addImportant(r.Context(), &data, q); return err },
		func() error { return s.addExplore(r.Context(), &data, e, toTrial) })
}

// addChoices adds what varies in the sweep, and what the query chooses of it.
func (s *Site) addChoices(ctx context.Context, data *exploreData, q url.Values) (err error) {
	// The grid changes with the file alone, however many trials end.
	key := fmt.Sprintf("axes %s %d %d", data.Sweep.ID, data.Sweep.Revision, data.Sweep.Counts.Trials+data.Sweep.Counts.Gone)
	data.Axes, err = keep(ctx, s, key, func(ctx context.Context) ([]results.Axis, error) { return s.Reader.Axes(ctx, data.Sweep.ID) })
	if err != nil {
		return err
	}
	return data.choose(q)
}

// mark changes when what the sweep's points say does, and is of no other sweep.
func (s *Site) mark(ctx context.Context, info results.SweepInfo) (string, error) {
	mark, err := recall(ctx, s, "mark "+string(info.ID), func(ctx context.Context) (string, error) { return s.Reader.PointsMark(ctx, info.ID) })
	return fmt.Sprint(info.ID, " ", info.Revision, " ", mark), err
}

// An exploration is what an explore page is worked out from.
type exploration struct {
	axes    []results.Axis // those that vary, without a chosen target
	samples []results.Sample
	mark    string
}

// addImportant adds what the sweep's axes are and how much each matters.
func (s *Site) addImportant(ctx context.Context, data *exploreData, q url.Values) (e exploration, err error) {
	if data.Axes == nil {
		if err := s.addChoices(ctx, data, q); err != nil {
			return e, err
		}
	}
	if e.mark, err = s.mark(ctx, data.Sweep); err != nil {
		return e, err
	}
	// With a target chosen the target is no axis any more.
	e.axes = slices.DeleteFunc(slices.Clone(data.Axes), func(a results.Axis) bool { return data.Target != 0 && a.Key == "target_epsilon" })
	e.samples, err = keep(ctx, s, fmt.Sprintf("samples %s %g", e.mark, data.Target), func(ctx context.Context) ([]results.Sample, error) {
		return s.Reader.Samples(ctx, data.Sweep.ID, e.axes, data.Target, forestPoints)
	})
	if err != nil {
		return e, err
	}
	important, err := keep(ctx, s, fmt.Sprintf("importance %s %g", e.mark, data.Target), func(context.Context) ([]axisImportance, error) {
		return importance(e.axes, e.samples), nil
	})
	if err != nil {
		return e, err
	}
	data.addImportance(important, len(e.samples))
	data.chooseAxes(e.axes, important, q["axis"])
	return e, nil
}

// addExplore adds charts over the axes.
func (s *Site) addExplore(ctx context.Context, data *exploreData, e exploration, link func(string) string) error {
	shown := data.shown(e.axes)
	heat, means, err := s.cells(ctx, data, e.mark, shown, e.samples)
	if err != nil {
		return err
	}
	data.addHeat(heat, link)
	data.draw(e.axes, shown, e.samples, means, link)
	return nil
}

// isChoice says whether there are more points than these: of so many the record
// gives nearly as many as it was asked for.
func isChoice(samples []results.Sample) bool { return len(samples) >= forestPoints-forestPoints/10 }

// cells are those of the heat map and, where samples are a choice in which the best
// are too many for a mean, the means over each of the axes that have single values.
func (s *Site) cells(ctx context.Context, data *exploreData, mark string, axes []results.Axis, samples []results.Sample) (heat []results.Cell, means map[string][]results.Cell, err error) {
	var pairs [][2]results.Axis
	x, y := data.axis(data.X), data.axis(data.Y)
	mapped := data.X != data.Y && x >= 0 && y >= 0
	if mapped {
		pairs = append(pairs, [2]results.Axis{data.Axes[x], data.Axes[y]})
	}
	if isChoice(samples) {
		for _, a := range axes {
			if a.Words() || a.Values != nil {
				pairs = append(pairs, [2]results.Axis{a, a})
			}
		}
	}
	if len(pairs) == 0 {
		return nil, nil, nil
	}
	key := fmt.Sprintf("cells %s %g", mark, data.Target)
	for _, p := range pairs {
		key += " " + p[0].Key + "/" + p[1].Key
	}
	found, err := keep(ctx, s, key, func(ctx context.Context) ([][]results.Cell, error) {
		return s.Reader.Cells(ctx, data.Sweep.ID, data.Target, pairs...)
	})
	if err != nil {
		return nil, nil, err
	}
	if mapped {
		heat, found, pairs = found[0], found[1:], pairs[1:]
	}
	means = map[string][]results.Cell{}
	for i, p := range pairs {
		means[p[0].Key] = found[i]
	}
	return heat, means, nil
}

// draw draws all at once and one at a time, over the axes shown of all.
func (d *exploreData) draw(all, shown []results.Axis, samples []results.Sample, means map[string][]results.Cell, link func(string) string) {
	drawn := samples
	if len(samples) > explored { // by rising accuracy: keep the best, and every so many of the others
		drawn = nil
		step := float64(len(samples)) / explored
		for i := range explored {
			drawn = append(drawn, samples[int(float64(i+1)*step)-1])
		}
	}
	d.Points, d.Chosen = len(drawn), len(drawn) < len(samples) || isChoice(samples)
	var at []int // numbers of the axes shown among all
	for _, a := range shown {
		at = append(at, slices.IndexFunc(all, func(b results.Axis) bool { return a.Key == b.Key }))
	}
	projected := make([]results.Sample, len(drawn))
	for i, s := range drawn {
		projected[i] = s
		projected[i].At = make([]float64, len(at))
		for k, j := range at {
			projected[i].At[k] = s.At[j]
		}
	}
	for i, slice := range slicesOf(shown, projected, link) {
		if cells, ok := means[shown[i].Key]; ok {
			slice.Means = meansOf(shown[i], cells)
		}
		d.Slices = append(d.Slices, slice.Draw())
	}
	if len(shown) > 0 && len(drawn) > 0 {
		d.Parallel, d.HasParallel = parallelOf(shown, projected, link).Draw(), true
	}
}

// axis is the number of the axis of that key; -1 is none.
func (d *exploreData) axis(key string) int {
	return slices.IndexFunc(d.Axes, func(a results.Axis) bool { return a.Key == key })
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
	for _, key := range q["axis"] {
		if d.axis(key) < 0 {
			return fmt.Errorf("%w: %s does not vary in this sweep", errBadQuery, key)
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
		if *chosen != "" && d.axis(*chosen) < 0 {
			return fmt.Errorf("%w: %s does not vary in this sweep", errBadQuery, *chosen)
		}
		if *chosen == "" && len(free) > 0 {
			*chosen, free = free[0], free[1:]
		}
	}
	return nil
}

func (d *exploreData) addHeat(cells []results.Cell, link func(string) string) {
	if len(cells) == 0 {
		return
	}
	x, y := d.Axes[d.axis(d.X)], d.Axes[d.axis(d.Y)]
	h := chart.Heat{Title: fmt.Sprintf("accuracy by %s and %s", axisName(x.Key), axisName(y.Key)), XTitle: axisName(x.Key), YTitle: axisName(y.Key), X: columnNames(x), Y: columnNames(y)}
	for _, c := range cells {
		cell := chart.Cell{X: c.X, Y: c.Y, Value: 100 * c.Mean, Link: link(string(c.Trial)), Tip: fmt.Sprintf(
			"%s %s, %s %s\nmean %.2f %% of %s points\nbest %.2f %%: %s", axisName(x.Key), h.X[c.X], axisName(y.Key), h.Y[c.Y], 100*c.Mean, count(c.Points), 100*c.Best, c.Label)}
		if d.ByBest {
			cell.Value = 100 * c.Best
		}
		h.Cells = append(h.Cells, cell)
	}
	d.Heat, d.HasHeat = h.Draw(), true
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

// meansOf are the means of all points at each value of the axis.
func meansOf(a results.Axis, cells []results.Cell) (means []chart.Point) {
	for _, c := range cells {
		if x := a.Columns()[c.X]; !math.IsInf(x, 1) {
			means = append(means, chart.Point{X: x, Y: 100 * c.Mean})
		}
	}
	return means
}

func slicesOf(axes []results.Axis, samples []results.Sample, link func(string) string) (all []chart.Slice) {
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
