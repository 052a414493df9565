package results

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Size and resolution of plots.
const (
	plotWidth = 8 * vg.Inch
	plotAxes  = 4.6 * vg.Inch // height without the caption
	pngDPI    = 150
	captionPt = vg.Length(9)

	captionWidth = 118 // characters of that size
)

// Colours are readable in print and to the colour-blind (after Okabe and Ito).
var (
	inkColor      = color.NRGBA{0x22, 0x22, 0x22, 0xff}
	quietColor    = color.NRGBA{0x66, 0x66, 0x66, 0xff}
	gridColor     = color.NRGBA{0xd8, 0xd8, 0xd8, 0xff}
	frontierColor = color.NRGBA{0x00, 0x5a, 0x9c, 0xff}
	dotColor      = color.NRGBA{0x00, 0x5a, 0x9c, 0x46}
	baselineColor = color.NRGBA{0xd5, 0x5e, 0x00, 0xff}
)

// WritePlot draws f as "svg" or "png": accuracy over epsilon on a logarithmic
// axis, every point faintly, the frontier with error bars of one standard
// deviation, and a dashed line for training without noise. A point stands at
// the epsilon it spent. What f leaves in doubt is written below.
func WritePlot(w io.Writer, f Frontier, format string) error {
	caption := captionOf(f)
	height := plotAxes + captionPt*1.35*vg.Length(len(caption)+1)
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch format {
	case "svg":
		canvas = vgsvg.New(plotWidth, height)
	case "png":
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(plotWidth, height), vgimg.UseDPI(pngDPI))}
	default:
		return fmt.Errorf("plots are written as svg or png, not %q", format)
	}
	p, err := draft(f)
	if err != nil {
		return fmt.Errorf("plot frontier of sweep %s: %w", f.Sweep, err)
	}
	page := draw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	p.Draw(draw.Crop(page, 8, -14, height-plotAxes, -8))
	for i, line := range caption {
		at := vg.Point{X: page.Min.X + 16, Y: page.Min.Y + height - plotAxes - captionPt*(1.35*vg.Length(i)+0.6)}
		page.FillText(style(captionPt, quietColor, draw.XLeft, draw.YTop), at, line)
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return err
	}
	// An SVG names its font without saying what to take where it is missing.
	text := bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	_, err = w.Write(text)
	return err
}

// draft is the plot without its caption.
func draft(f Frontier) (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text = f.Name + ": accuracy at each ε"
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = typeface(14), inkColor
	p.Title.Padding = 8
	p.X.Label.Text = "ε at δ = " + short(f.Delta)
	p.Y.Label.Text = "accuracy, %"
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font, axis.Label.TextStyle.Color = typeface(12), inkColor
		axis.Label.Padding = 5
		axis.Tick.Label.Font = typeface(11)
		axis.Tick.Label.Color = inkColor
		axis.Tick.Length = 4
		axis.Color, axis.Tick.Color = quietColor, quietColor
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridColor, gridColor
	p.Add(grid)
	d := dataOf(f)
	d.scale(p)
	if err := d.add(p); err != nil {
		return nil, err
	}
	return p, nil
}

// drawing is what of a frontier can be drawn on a logarithmic axis.
type drawing struct {
	dots, frontier, dominated []Dot
	bars                      []bar
	baseline                  float64 // accuracy without noise; NaN if nobody trained so
	targets                   []float64
}

type bar struct {
	Dot
	std float64
}

func dataOf(f Frontier) drawing {
	d := drawing{baseline: math.NaN()}
	seen := map[[2]int]bool{}
	for _, dot := range f.All {
		cell := [2]int{int(200 * math.Log(dot.Epsilon)), int(1000 * dot.Accuracy)} // dots on one another are drawn once
		if drawable(dot.Epsilon) && !seen[cell] {
			seen[cell] = true
			d.dots = append(d.dots, dot)
		}
	}
	for _, p := range f.Points {
		dot := Dot{float64(p.spent()), p.Accuracy}
		switch {
		case math.IsInf(dot.Epsilon, 1):
			d.baseline = p.Accuracy
			continue
		case !drawable(dot.Epsilon):
			continue
		case p.Dominated:
			d.dominated = append(d.dominated, dot)
		default:
			d.frontier = append(d.frontier, dot)
		}
		if p.Std != nil {
			d.bars = append(d.bars, bar{dot, *p.Std})
		}
		if p.TargetEpsilon != 0 {
			d.targets = append(d.targets, float64(p.TargetEpsilon))
		}
	}
	return d
}

func drawable(epsilon float64) bool { return epsilon > 0 && !math.IsInf(epsilon, 1) }

// scale sets the axes' ranges and ticks.
func (d drawing) scale(p *plot.Plot) {
	low, high := math.Inf(1), math.Inf(-1)
	bottom, top := math.Inf(1), math.Inf(-1)
	reach := func(accuracy float64) { bottom, top = min(bottom, accuracy), max(top, accuracy) }
	for _, dot := range append(append(d.dots[:len(d.dots):len(d.dots)], d.frontier...), d.dominated...) {
		low, high = min(low, dot.Epsilon), max(high, dot.Epsilon)
		reach(dot.Accuracy)
	}
	for _, b := range d.bars {
		reach(b.Accuracy - b.std)
		reach(b.Accuracy + b.std)
	}
	if !math.IsNaN(d.baseline) {
		reach(d.baseline)
	}
	if low > high {
		low, high = 1, 10
	}
	if bottom > top {
		bottom, top = 0, 1
	}
	margin := max(1.15, math.Pow(high/low, 0.06))
	p.X.Min, p.X.Max = low/margin, high*margin
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, epsilonTicks{d.targets}
	pad := max(0.01, 0.08*(top-bottom))
	p.Y.Min, p.Y.Max = 100*max(0, bottom-pad), 100*min(1, top+pad)
	p.Y.Tick.Marker = shareTicks{}
}

// add puts the layers on p, the faintest first.
func (d drawing) add(p *plot.Plot) error {
	faint, err := plotter.NewScatter(xys(d.dots))
	if err != nil && !errors.Is(err, plotter.ErrNoData) {
		return err
	}
	if err == nil {
		faint.GlyphStyle = draw.GlyphStyle{Color: dotColor, Radius: 2.5, Shape: draw.CircleGlyph{}}
		p.Add(faint)
	}
	if !math.IsNaN(d.baseline) {
		line, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: 100 * d.baseline}, {X: p.X.Max, Y: 100 * d.baseline}})
		if err != nil {
			return err
		}
		line.LineStyle = draw.LineStyle{Color: baselineColor, Width: 1.5, Dashes: []vg.Length{6, 4}}
		note, err := plotter.NewLabels(plotter.XYLabels{XYs: line.XYs[:1], Labels: []string{fmt.Sprintf("not private: %.1f %%", 100*d.baseline)}})
		if err != nil {
			return err
		}
		note.TextStyle[0] = style(11, baselineColor, draw.XLeft, draw.YTop)
		note.Offset = vg.Point{X: 4, Y: -3}
		p.Add(line, note)
	}
	if err := d.addFrontier(p); err != nil {
		return err
	}
	if len(d.dominated) > 0 {
		rings, err := plotter.NewScatter(xys(d.dominated))
		if err != nil {
			return err
		}
		rings.GlyphStyle = draw.GlyphStyle{Color: frontierColor, Radius: 3.5, Shape: draw.RingGlyph{}}
		p.Add(rings)
	}
	return nil
}

func (d drawing) addFrontier(p *plot.Plot) error {
	if len(d.bars) > 0 {
		b := struct {
			plotter.XYs
			plotter.YErrors
		}{make(plotter.XYs, len(d.bars)), make(plotter.YErrors, len(d.bars))}
		for i, one := range d.bars {
			b.XYs[i] = xy(one.Dot)
			b.YErrors[i].Low, b.YErrors[i].High = 100*one.std, 100*one.std
		}
		errorBars, err := plotter.NewYErrorBars(b)
		if err != nil {
			return err
		}
		errorBars.LineStyle = draw.LineStyle{Color: frontierColor, Width: 1.2}
		errorBars.CapWidth = 7
		p.Add(errorBars)
	}
	if len(d.frontier) == 0 {
		return nil
	}
	line, points, err := plotter.NewLinePoints(xys(d.frontier))
	if err != nil {
		return err
	}
	line.LineStyle = draw.LineStyle{Color: frontierColor, Width: 2.2}
	points.GlyphStyle = draw.GlyphStyle{Color: frontierColor, Radius: 4, Shape: draw.CircleGlyph{}}
	p.Add(line, points)
	if len(d.frontier) > 12 {
		return nil // their labels would run into one another
	}
	return d.label(p)
}

// label writes the accuracy of each point on the frontier beside it.
func (d drawing) label(p *plot.Plot) error {
	texts := make([]string, len(d.frontier))
	styles := make([]text.Style, len(d.frontier))
	for i, dot := range d.frontier {
		texts[i] = fmt.Sprintf("%.1f", 100*dot.Accuracy)
		styles[i] = style(10.5, frontierColor, draw.XRight, draw.YBottom)
	}
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: xys(d.frontier), Labels: texts})
	if err != nil {
		return err
	}
	labels.TextStyle = styles
	labels.Offset = vg.Point{X: -6, Y: 3}
	p.Add(labels)
	return nil
}

func xy(d Dot) plotter.XY { return plotter.XY{X: d.Epsilon, Y: 100 * d.Accuracy} }

func xys(dots []Dot) plotter.XYs {
	all := make(plotter.XYs, len(dots))
	for i, d := range dots {
		all[i] = xy(d)
	}
	return all
}

func typeface(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func style(size vg.Length, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{Color: c, Font: typeface(size), XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}

// captionOf is the lines below the plot.
func captionOf(f Frontier) []string {
	about := fmt.Sprintf("ε: upper bound by %s at δ = %s, add or remove one example. Accuracy: averaged weights after the last step, mean over repeats; "+
		"bars are one standard deviation. Line: the most accurate point of each ε; faint dots: all points", f.Accountant, short(f.Delta))
	if slices.ContainsFunc(f.Points, func(p Point) bool { return p.Dominated }) {
		about += "; rings: the best of their ε, but less ε does as well"
	}
	var lines []string
	for _, sentence := range append([]string{about}, f.Doubts...) {
		lines = append(lines, wrap("• "+sentence+".", captionWidth)...)
	}
	return lines
}

// wrap breaks s at spaces into lines of at most so many characters, if its words allow.
func wrap(s string, width int) []string {
	var lines []string
	line, length := "", 0
	for _, word := range strings.Fields(s) {
		n := len([]rune(word))
		if length > 0 && length+1+n > width {
			lines, line, length = append(lines, line), "", 0
		}
		if length > 0 {
			line, length = line+" ", length+1
		}
		line, length = line+word, length+n
	}
	return append(lines, line)
}
