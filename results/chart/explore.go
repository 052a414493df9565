package chart

import (
	"fmt"
	"math"
	"slices"
)

// A Parallel is a chart of parallel coordinates: a line for each row through its
// value on every axis, coloured by the last one.
type Parallel struct {
	Title string
	Axes  []ParallelAxis
	Rows  []ParallelRow // drawn in this order, so the best belong last
}

// A ParallelAxis is one upright axis.
type ParallelAxis struct {
	Title string
	Scale Scale // A and B are set by Draw
}

// A ParallelRow has a value for each axis; NaN is none.
type ParallelRow struct {
	Values    []float64
	Tip, Link string
}

// Draw draws the rows.
func (p Parallel) Draw() Drawing {
	d := Drawing{Width: 1040, Height: 400, Title: p.Title, Summary: fmt.Sprintf("%d lines over %d axes.", len(p.Rows), len(p.Axes)), Table: p.table()}
	const left, right, top, bottom = 46.0, 64.0, 40.0, 18.0
	if len(p.Axes) < 2 {
		return d
	}
	gap := (d.Width - left - right) / float64(len(p.Axes)-1)
	axes := slices.Clone(p.Axes)
	for i := range axes {
		axes[i].Scale.A, axes[i].Scale.B = d.Height-bottom, top
	}
	last := axes[len(axes)-1].Scale
	for _, r := range p.Rows {
		var line []Point
		for i, v := range r.Values {
			if !math.IsNaN(v) {
				line = append(line, Point{left + gap*float64(i), axes[i].Scale.At(v)})
			}
		}
		share := (r.Values[len(r.Values)-1] - last.Low) / max(last.High-last.Low, 1e-12)
		d.add(Mark{Shape: Line, Class: fmt.Sprintf("heat%d", heatStep(share)), Points: line, Tip: r.Tip, Link: r.Link})
	}
	for i, a := range axes {
		x := left + gap*float64(i)
		d.line("axis", Point{x, a.Scale.A}, Point{x, a.Scale.B})
		d.text("words", Point{x, 20}, Middle, 12, shorten(a.Title, 12, gap-8))
		for _, t := range a.Scale.ticks(6) {
			y, words := a.Scale.At(t.value), shorten(t.label, 11, min(gap-12, 58))
			d.add(Mark{Shape: Rect, Class: "ground", Points: []Point{{x + 5, y - 8}, {x + 10 + textWidth(words, 11), y + 7}}})
			d.text("label", Point{x + 7, y + 4}, Start, 11, words)
		}
	}
	return d
}

// heatSteps is how many shades a line may have.
const heatSteps = 9

func heatStep(share float64) int {
	if math.IsNaN(share) {
		return 0
	}
	return int(min(max(share, 0), 0.999) * heatSteps)
}

func init() {
	for i := range heatSteps {
		name := fmt.Sprintf("heat%d", i)
		// The yellow end of the scale cannot be seen on white, nor the violet one on black.
		light, _ := heatColour(float64(i) / heatSteps * 0.82)
		dark, _ := heatColour(0.25 + 0.75*float64(i)/heatSteps)
		palette[name] = [2]string{light, dark}
		looks[name] = look{stroke: name, width: 1.25 + 0.1*float64(i), opacity: 0.35 + 0.07*float64(i)}
	}
}

// A Slice is accuracy over one hyper-parameter, whatever the others are.
type Slice struct {
	Title, XTitle string
	X             Scale // A and B are set by Draw
	Dots          []SliceDot
	Means         []Point // of each value, where there are few values
}

// A SliceDot is one point; Y in per cent.
type SliceDot struct {
	X, Y      float64
	Tip, Link string
}

// Draw draws the dots, spread a little where they stand on one value, and the mean of each value.
func (s Slice) Draw() Drawing {
	d := Drawing{Width: 510, Height: 270, Title: s.Title, Table: s.table()}
	var ys []float64
	for _, dot := range s.Dots {
		ys = append(ys, dot.Y)
	}
	f := plane(d.Width, d.Height, s.X, spread(ys, true))
	f.axes(&d, s.XTitle, "accuracy, %", f.x.ticks(6), f.y.ticks(6))
	for i, dot := range s.Dots {
		at := f.at(dot.X, dot.Y)
		if len(s.Means) > 0 {
			at.X += 7 * (math.Mod(float64(i)*0.618033988749895, 1) - 0.5) * 2
		}
		d.add(Mark{Shape: Circle, Class: "dot", Points: []Point{at}, R: 2.75, Tip: dot.Tip, Link: dot.Link})
	}
	var line []Point
	for _, m := range s.Means {
		line = append(line, f.at(m.X, m.Y))
		d.Summary += fmt.Sprintf("Mean %.2f %% at %s. ", m.Y, s.name(m.X))
	}
	if len(line) > 1 && len(s.X.Names) == 0 {
		d.line("median", line...)
	}
	for i, p := range line {
		d.add(Mark{Shape: Circle, Class: "mean", Points: []Point{p}, R: 4,
			Tip: fmt.Sprintf("mean at %s\n%.2f %%", s.name(s.Means[i].X), s.Means[i].Y)})
	}
	return d
}

func (s Slice) name(x float64) string {
	if len(s.X.Names) > 0 {
		return s.X.name(x)
	}
	return Number(x)
}

// A Bar is a named share of 0 to 1, with its interval; Low and High are NaN without.
type Bar struct {
	Name      string
	Value     float64
	Low, High float64
	Tip       string
}

// percent is a share in per cent, with a true minus sign.
func percent(share float64) string {
	return trueMinus(fmt.Sprintf("%.1f %%", 100*share))
}

// Bars draws bars under one another.
func Bars(title string, bars []Bar) Drawing {
	const left, right, row = 150.0, 70.0, 30.0
	d := Drawing{Width: 480, Height: row*float64(len(bars)) + 12, Title: title, Table: barTable(bars)}
	x := Scale{Low: 0, High: 0.01, A: left, B: d.Width - right}
	for _, b := range bars {
		x.High = max(x.High, b.Value)
		if !math.IsNaN(b.High) {
			x.High = max(x.High, b.High)
		}
	}
	for i, b := range bars {
		y := 6 + row*float64(i)
		d.text("words", Point{left - 10, y + 19}, End, 12.5, shorten(b.Name, 12.5, left-14))
		d.add(Mark{Shape: Rect, Class: "bar", Points: []Point{{left, y + 5}, {x.At(max(0, b.Value)), y + row - 7}}, Tip: b.Tip})
		end := x.At(max(0, b.Value))
		if !math.IsNaN(b.Low) {
			mid := y + row/2 - 1
			d.line("median", Point{x.At(max(0, b.Low)), mid}, Point{x.At(max(0, b.High)), mid})
			end = max(end, x.At(max(0, b.High)))
		}
		d.text("label", Point{end + 8, y + 19}, Start, 12, percent(b.Value))
		d.Summary += b.Name + " " + percent(b.Value) + ". "
	}
	return d
}
