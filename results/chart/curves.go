package chart

import (
	"cmp"
	"fmt"
	"math"
)

// A Curve is a series of measurements.
type Curve struct {
	Name   string
	Key    string   // curves of one key share a colour, by Colour
	Colour int      // number of the series' colour
	Points []Point  // X rising; Y may be NaN where nothing was measured
	Notes  []string // when each point was measured, for the table; of all curves or none
}

// Curves draws curves over steps. On a logarithmic axis values that are not
// positive are left out; percent scales them by 100.
type Curves struct {
	Title, YTitle string
	XTitle        string // "step" if it is empty
	Curves        []Curve
	Log, Percent  bool
	Width, Height float64
}

// Draw draws the curves, each with a mark at its end that names it.
func (c Curves) Draw() Drawing {
	d := Drawing{Width: c.Width, Height: c.Height, Title: c.Title, Summary: c.summary(), Table: c.table()}
	scale := 1.0
	if c.Percent {
		scale = 100
	}
	var xs, ys []float64
	for _, curve := range c.Curves {
		for _, p := range curve.Points {
			xs, ys = append(xs, p.X), append(ys, scale*p.Y)
		}
	}
	x := spread(xs, false)
	x.Low = 0
	x.High /= 1.05
	y := spread(ys, c.Percent)
	if c.Log {
		y = spreadLog(ys)
	}
	f := plane(c.Width, c.Height, x, y)
	f.y.B = 34
	f.axes(&d, c.xTitle(), c.YTitle, f.x.ticks(6), f.y.ticks(6))
	d.text("title", Point{f.x.A, 14}, Start, 12.5, c.Title)
	if len(c.Curves) > 1 && c.Curves[0].Key == "" {
		c.legend(&d, f.x.B)
	}
	for _, curve := range c.Curves {
		f.curve(&d, curve, scale, c.Log)
	}
	return d
}

func (c Curves) xTitle() string { return cmp.Or(c.XTitle, "step") }

func (f frame) curve(d *Drawing, c Curve, scale float64, log bool) {
	class := series("", c.Colour)
	var run []Point
	var last Point
	flush := func() {
		if len(run) > 1 {
			d.add(Mark{Shape: Line, Class: class, Points: run, Key: c.Key})
		} else if len(run) == 1 {
			d.add(Mark{Shape: Circle, Class: "dot-" + class, Points: run, R: 2.5, Key: c.Key})
		}
		run = nil
	}
	for _, p := range c.Points {
		v := scale * p.Y
		if math.IsNaN(v) || math.IsInf(v, 0) || log && v <= 0 {
			flush()
			continue
		}
		run, last = append(run, f.at(p.X, v)), p
	}
	end := len(run) > 0
	var at Point
	if end {
		at = run[len(run)-1]
	}
	flush()
	if end {
		d.add(Mark{Shape: Circle, Class: "dot-" + class, Points: []Point{at}, R: 4, Key: c.Key,
			Tip: fmt.Sprintf("%s\nstep %s: %s", c.Name, Number(last.X), Number(scale*last.Y))})
	}
}

func (c Curves) summary() string {
	s := ""
	for _, curve := range c.Curves {
		if n := len(curve.Points); n > 0 {
			first, last := curve.Points[0], curve.Points[n-1]
			s += fmt.Sprintf("%s: %s at step %s, %s at step %s. ", curve.Name, Number(first.Y), Number(first.X), Number(last.Y), Number(last.X))
		}
	}
	return s
}

// legend names curves at the right of the title, where nobody else does.
func (c Curves) legend(d *Drawing, right float64) {
	for i := len(c.Curves) - 1; i >= 0; i-- {
		width := textWidth(c.Curves[i].Name, 11)
		d.text("label", Point{right, 14}, End, 11, c.Curves[i].Name)
		right -= width + 6
		d.line(series("", c.Curves[i].Colour), Point{right - 14, 10}, Point{right, 10})
		right -= 24
	}
}
