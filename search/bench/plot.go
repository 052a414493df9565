package main

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// plotFile is where the curves go; "" draws none.
var plotFile string

// plotRegret draws, for each strategy, the mean of what is missing to the best
// and its 95 % interval, over the first trials.
func plotRegret(names []string, curves map[string]curve, best float64) error {
	if plotFile == "" {
		return nil
	}
	p := plot.New()
	p.X.Label.Text = "trials"
	p.Y.Label.Text = "percentage points to the best of the surface"
	p.Legend.Top = true
	p.Y.Min, p.Y.Max = 0, 6
	p.X.Min, p.X.Max = 5, trials
	for k, name := range names {
		var line, band plotter.XYs
		for n := 5; n <= trials; n++ {
			m, h := curves[name].meanAt(n, best)
			line = append(line, plotter.XY{X: float64(n), Y: m})
			band = append(band, plotter.XY{X: float64(n), Y: m + h})
		}
		for n := trials; n >= 5; n-- {
			m, h := curves[name].meanAt(n, best)
			band = append(band, plotter.XY{X: float64(n), Y: max(0, m-h)})
		}
		c := plotutil.Color(k)
		area, err := plotter.NewPolygon(band)
		if err != nil {
			return err
		}
		r, g, b, _ := c.RGBA()
		area.Color, area.LineStyle.Width = color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 40}, 0
		l, err := plotter.NewLine(line)
		if err != nil {
			return err
		}
		l.Color, l.Width = c, vg.Points(1.5)
		p.Add(area, l)
		p.Legend.Add(name, l)
	}
	return p.Save(18*vg.Centimeter, 11*vg.Centimeter, plotFile)
}
