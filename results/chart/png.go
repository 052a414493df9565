package chart

import (
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// pngScale is how many pixels of an image a unit of a drawing has.
const pngScale = 2

// WritePNG writes the drawing as an image of twice its size in pixels, on white.
func (d Drawing) WritePNG(w io.Writer) error {
	const unit = vg.Inch / 96
	picture := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(vg.Length(d.Width)*unit, vg.Length(d.Height)*unit), vgimg.UseDPI(96*pngScale))}
	canvas := draw.New(picture)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())
	for _, m := range d.Marks {
		m.paint(canvas, func(p Point) vg.Point {
			return vg.Point{X: vg.Length(p.X) * unit, Y: vg.Length(d.Height-p.Y) * unit}
		}, unit)
	}
	_, err := picture.WriteTo(w)
	return err
}

func (m Mark) paint(c draw.Canvas, at func(Point) vg.Point, unit vg.Length) {
	l := looks[m.Class]
	if m.Shape == Text {
		m.letter(c, at(m.Points[0]), l, unit)
		return
	}
	var outline vg.Path
	switch m.Shape {
	case Circle:
		outline.Move(at(Point{m.Points[0].X + m.R, m.Points[0].Y}))
		outline.Arc(at(m.Points[0]), vg.Length(m.R)*unit, 0, 2*3.141592653589793)
		outline.Close()
	case Rect:
		p, q := m.Points[0], m.Points[1]
		outline = polygon(at, true, p, Point{q.X, p.Y}, q, Point{p.X, q.Y})
	case Diamond:
		outline = polygon(at, true, diamond(m.Points[0], m.R)...)
	default:
		outline = polygon(at, m.Shape == Area, m.Points...)
	}
	if fill := rgba(m.Fill, l.fill, l.opacity); fill != nil {
		c.SetColor(fill)
		c.Fill(outline)
	}
	if l.stroke != "" && m.Fill == "" {
		c.SetColor(rgba("", l.stroke, 0))
		c.SetLineWidth(vg.Length(l.width) * unit)
		var dashes []vg.Length
		if l.dashed {
			dashes = []vg.Length{6 * unit, 4 * unit}
		}
		c.SetLineDash(dashes, 0)
		c.Stroke(outline)
	}
}

func polygon(at func(Point) vg.Point, closed bool, points ...Point) (p vg.Path) {
	for i, q := range points {
		if i == 0 {
			p.Move(at(q))
		} else {
			p.Line(at(q))
		}
	}
	if closed {
		p.Close()
	}
	return p
}

func (m Mark) letter(c draw.Canvas, at vg.Point, l look, unit vg.Length) {
	weight := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(m.size()) * unit}
	if l.bold {
		weight.Weight = 3 // bold, in the terms of golang.org/x/image/font
	}
	style := text.Style{Color: rgba(m.Fill, l.fill, 0), Font: weight, Handler: plot.DefaultTextHandler, YAlign: draw.YBottom}
	switch m.Anchor {
	case Middle:
		style.XAlign = draw.XCenter
	case End:
		style.XAlign = draw.XRight
	}
	if m.Turned {
		style.Rotation = 3.141592653589793 / 2
	}
	// What stands at the point is the base line, below which letters reach.
	descent := weight.Size * 0.212
	if m.Turned {
		at.X += descent
	} else {
		at.Y -= descent
	}
	if l.halo {
		around := style
		around.Color = rgba("", "surface", 0)
		for i := range 8 {
			sin, cos := math.Sincos(float64(i) * math.Pi / 4)
			c.FillText(around, vg.Point{X: at.X + vg.Length(haloWidth*cos)*unit, Y: at.Y + vg.Length(haloWidth*sin)*unit}, m.Words)
		}
	}
	c.FillText(style, at, m.Words)
}

// rgba is the fill given, or else the colour of that name on white paper; nil is none.
func rgba(fill, name string, opacity float64) color.Color {
	if fill == "" {
		if name == "" {
			return nil
		}
		fill = colour(name, false)
	}
	v, err := strconv.ParseUint(fill[1:], 16, 32)
	if err != nil {
		return nil
	}
	alpha := uint8(255)
	if opacity != 0 {
		alpha = uint8(255 * opacity)
	}
	return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), alpha}
}
