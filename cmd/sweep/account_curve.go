package main

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"sweep/privacy"
)

// A memberAttack is the most that any test for one unit's membership can reach.
type memberAttack struct {
	FPR float64 `json:"false_positive_rate"`
	TPR float64 `json:"true_positive_rate"` // at most
}

// attacksOn is what attacks reach at the usual rates of false alarms. Each takes
// dozens of prices, so it is left out where those are slow unless it is wanted.
func attacksOn(asked privacy.Question, wanted bool) ([]memberAttack, error) {
	if _, err := privacy.Exact.DeltaOf(asked, 0); err != nil && !wanted {
		return nil, nil
	}
	var all []memberAttack
	for _, fpr := range []float64{0.001, 0.01, 0.1} {
		tpr, err := privacy.TruePositiveRate(asked, fpr)
		if err != nil {
			return nil, err
		}
		all = append(all, memberAttack{fpr, tpr})
	}
	return all, nil
}

// The curve's range in δ, and how many points it has.
const (
	curveFrom   = 1e-12
	curveTo     = 0.1
	curvePoints = 45
)

// writeCurve draws δ over ε of what a priced.
func writeCurve(path string, a privacyAnswer) error {
	if a.asked.Event == nil {
		return usagef("--curve is for events; an audit has none")
	}
	if !strings.EqualFold(filepath.Ext(path), ".svg") {
		return usagef("--curve %s: curves are written as .svg", path)
	}
	deltas := make([]float64, curvePoints)
	for i := range deltas {
		deltas[i] = curveFrom * math.Pow(curveTo/curveFrom, float64(i)/(curvePoints-1))
	}
	curve, err := privacy.Curve(a.asked, deltas)
	if err != nil {
		return err
	}
	drawn, err := drawCurve(curve, a)
	if err != nil {
		return fmt.Errorf("draw curve: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := drawn.WriteTo(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

func drawCurve(curve []privacy.Budget, a privacyAnswer) (io.WriterTo, error) {
	var points plotter.XYs
	for _, b := range curve {
		if !math.IsInf(b.Epsilon, 1) && b.Epsilon > 0 {
			points = append(points, plotter.XY{X: b.Epsilon, Y: b.Delta})
		}
	}
	if len(points) < 2 {
		return nil, fmt.Errorf("epsilon is nowhere between 0 and infinity for delta from %g to %g", curveFrom, curveTo)
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = color.NRGBA{0x00, 0x5a, 0x9c, 0xff}, vg.Points(1.5)
	p := plot.New()
	p.Title.Text = "privacy profile by " + privacy.Certified.Version()
	p.X.Label.Text, p.Y.Label.Text = "ε (nats)", "δ"
	p.X.Min = 0
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Y.Min, p.Y.Max = curveFrom, curveTo
	p.Add(plotter.NewGrid(), line)
	if a.Epsilon != nil {
		p.Title.Text += fmt.Sprintf(": ε = %s", privacy.FormatEpsilon(float64(*a.Epsilon), 4))
	}
	return p.WriterTo(6*vg.Inch, 4*vg.Inch, "svg")
}
