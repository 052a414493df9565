package main

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"sweep/privacy/audit"
)

const rocSize = 5 * vg.Inch

// Colours are readable in print and to the colour-blind (after Okabe and Ito).
var (
	rocFound = color.NRGBA{0x00, 0x5a, 0x9c, 0xff}
	rocBound = color.NRGBA{0xd5, 0x5e, 0x00, 0xff}
	rocGuess = color.NRGBA{0x88, 0x88, 0x88, 0xff}
)

// writeROC draws v's curve, and the most that any attack can reach, in the format
// that path's extension names. The file is whole or not there.
func writeROC(path string, v auditReport, logarithmic bool) error {
	if len(v.curve) == 0 {
		return usagef("--roc: every coin fell the same way, so there is no curve; take more canaries")
	}
	p, err := rocPlot(v, logarithmic)
	if err != nil {
		return fmt.Errorf("plot the attack: %w", err)
	}
	picture, err := p.WriterTo(rocSize, rocSize, rocFormat(path))
	if err != nil {
		return fmt.Errorf("plot the attack: %w", err)
	}
	return writeWhole(path, func(w io.Writer) error {
		_, err := picture.WriteTo(w)
		return err
	})
}

// rocFormat is the format of a plot of that name; "" if there is none.
func rocFormat(path string) string {
	if f := strings.TrimPrefix(filepath.Ext(path), "."); f == "svg" || f == "png" {
		return f
	}
	return ""
}

func rocPlot(v auditReport, logarithmic bool) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%d canaries: ε ≥ %s, claimed ≤ %s", v.finding.Canaries, v.lower(), v.upper())
	p.X.Label.Text, p.Y.Label.Text = "false-positive rate", "true-positive rate"
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	least := 0.0
	if logarithmic {
		least = 0.5 / float64(v.finding.Canaries)
		p.X.Min, p.Y.Min = least, least
		p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
		p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	}
	p.Legend.XOffs = -vg.Points(8)
	p.Add(plotter.NewGrid())
	for _, line := range []struct {
		name   string
		points []audit.Point
		color  color.Color
		dashes []vg.Length
	}{
		{"guessing", diagonal(logarithmic, least), rocGuess, []vg.Length{vg.Points(2), vg.Points(3)}},
		{"most that the claim allows", boundCurve(v, logarithmic, least), rocBound, []vg.Length{vg.Points(6), vg.Points(3)}},
		{"the attack", v.curve, rocFound, nil},
	} {
		if len(line.points) == 0 {
			continue
		}
		l, err := plotter.NewLine(above(line.points, least))
		if err != nil {
			return nil, err
		}
		l.LineStyle = draw.LineStyle{Color: line.color, Width: vg.Points(1.5), Dashes: line.dashes}
		p.Add(l)
		p.Legend.Add(line.name, l)
	}
	return p, nil
}

// above are points that are moved up to what a logarithmic axis shows.
func above(points []audit.Point, least float64) plotter.XYs {
	xys := make(plotter.XYs, len(points))
	for i, p := range points {
		xys[i] = plotter.XY{X: max(p.FalsePositiveRate, least), Y: max(p.TruePositiveRate, least)}
	}
	return xys
}

// rocGrid are false-positive rates to draw a smooth curve through.
func rocGrid(logarithmic bool, least float64) []float64 {
	const n = 100
	rates := make([]float64, n+1)
	for i := range rates {
		x := float64(i) / n
		rates[i] = x
		if logarithmic {
			rates[i] = math.Pow(least, 1-x)
		}
	}
	return rates
}

func diagonal(logarithmic bool, least float64) (points []audit.Point) {
	for _, x := range rocGrid(logarithmic, least) {
		points = append(points, audit.Point{FalsePositiveRate: x, TruePositiveRate: x})
	}
	return points
}

// boundCurve is the most that the claim allows; nothing if there is none.
func boundCurve(v auditReport, logarithmic bool, least float64) (points []audit.Point) {
	if len(v.allowed) == 0 {
		return nil
	}
	for _, x := range rocGrid(logarithmic, least) {
		points = append(points, audit.Point{FalsePositiveRate: x, TruePositiveRate: v.allowed.most(x)})
	}
	return points
}
