package chart

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
)

// fonts are what a chart is lettered in; none is fetched.
const fonts = `system-ui,-apple-system,"Segoe UI","Liberation Sans",Arial,Helvetica,sans-serif`

// Inline is the drawing as an element of an HTML page that has [CSS]. Its marks
// can be pointed at, reached by keyboard and read out.
func (d Drawing) Inline() string {
	var b bytes.Buffer
	d.inline(&b, "")
	return b.String()
}

// inline writes it with more attributes.
func (d Drawing) inline(b *bytes.Buffer, more string) {
	kind := "img"
	if d.interactive() {
		kind = "group" // an image has no parts to go to
	}
	size := fmt.Sprintf(`width="%s"`, num(d.Width))
	if d.Stretched {
		size = `width="100%" preserveAspectRatio="none"`
	}
	fmt.Fprintf(b, `<svg class="chart" %s viewBox="0 0 %s %s" role="%s" aria-label="%s"%s>`, size, num(d.Width), num(d.Height), kind, html.EscapeString(d.about()), more)
	d.marks(b, true)
	b.WriteString("</svg>")
}

// WriteSVG writes the drawing as a file of its own, on white.
func (d Drawing) WriteSVG(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%s\" height=\"%[2]s\" viewBox=\"0 0 %[1]s %[2]s\" role=\"img\">\n", num(d.Width), num(d.Height))
	fmt.Fprintf(&b, "<title>%s</title>\n<desc>%s</desc>\n", html.EscapeString(d.Title), html.EscapeString(d.Summary))
	fmt.Fprintf(&b, "<style>\nsvg{font-family:%s;font-variant-numeric:tabular-nums}\n%s</style>\n", html.EscapeString(fonts), rules(func(name string) string { return colour(name, false) }))
	fmt.Fprintf(&b, `<rect width="%s" height="%s" fill="#ffffff"/>`+"\n", num(d.Width), num(d.Height))
	d.marks(&b, false)
	b.WriteString("\n</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (d Drawing) about() string {
	if d.Summary == "" {
		return d.Title
	}
	return d.Title + ". " + d.Summary
}

func (d Drawing) interactive() bool {
	for _, m := range d.Marks {
		if m.Tip != "" {
			return true
		}
	}
	return false
}

func (d Drawing) marks(b *bytes.Buffer, live bool) {
	for _, m := range d.Marks {
		tip := html.EscapeString(m.Tip)
		said := html.EscapeString(spoken(m.Tip))
		switch {
		case m.Tip == "":
			b.WriteString(m.svg("", !live))
		case !live:
			b.WriteString("<g><title>" + tip + "</title>" + m.svg("", true) + "</g>")
		case m.Link != "":
			fmt.Fprintf(b, `<a href="%s" data-tip="%s" aria-label="%s">%s</a>`, html.EscapeString(m.Link), tip, said, m.svg("", false))
		default:
			b.WriteString(m.svg(fmt.Sprintf(` tabindex="0" role="img" data-tip="%s" aria-label="%s"`, tip, said), false))
		}
	}
}

// svg is the mark's element with further attributes. Words of a chart within a
// page are left to the page's reader only where they are not in a tip.
func (m Mark) svg(more string, standalone bool) string {
	attributes := ` class="c-` + m.Class + `"` + more
	if m.Key != "" && !standalone {
		attributes += ` data-key="` + html.EscapeString(m.Key) + `"`
	}
	if m.Fill != "" {
		// A style sheet's rule would win over a presentation attribute, and a
		// page's policy forbids inline styles: such a mark has no class.
		attributes = strings.Replace(attributes, ` class="c-`+m.Class+`"`, ` fill="`+m.Fill+`"`, 1)
	}
	switch m.Shape {
	case Line, Area:
		return `<path d="` + path(m.Points, m.Shape == Area) + `"` + attributes + `/>`
	case Diamond:
		return `<path d="` + path(diamond(m.Points[0], m.R), true) + `"` + attributes + `/>`
	case Circle:
		return fmt.Sprintf(`<circle cx="%s" cy="%s" r="%s"%s/>`, num(m.Points[0].X), num(m.Points[0].Y), num(m.R), attributes)
	case Rect:
		p, q := m.Points[0], m.Points[1]
		return fmt.Sprintf(`<rect x="%s" y="%s" width="%s" height="%s"%s/>`,
			num(min(p.X, q.X)), num(min(p.Y, q.Y)), num(math.Abs(q.X-p.X)), num(math.Abs(q.Y-p.Y)), attributes)
	default:
		at := fmt.Sprintf(`x="%s" y="%s"`, num(m.Points[0].X), num(m.Points[0].Y))
		if m.Turned {
			at += fmt.Sprintf(` transform="rotate(-90 %s %s)"`, num(m.Points[0].X), num(m.Points[0].Y))
		}
		return fmt.Sprintf(`<text %s font-size="%s" text-anchor="%s"%s>%s</text>`, at, num(m.size()), m.Anchor, attributes, html.EscapeString(m.Words))
	}
}

func (m Mark) size() float64 {
	if m.Size == 0 {
		return 12
	}
	return m.Size
}

func diamond(at Point, r float64) []Point {
	return []Point{{at.X, at.Y - r}, {at.X + r, at.Y}, {at.X, at.Y + r}, {at.X - r, at.Y}}
}

func path(points []Point, closed bool) string {
	var b strings.Builder
	for i, p := range points {
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(num(p.X) + " " + num(p.Y))
	}
	if closed {
		b.WriteByte('Z')
	}
	return b.String()
}

// num is a coordinate to a tenth of a pixel.
func num(x float64) string {
	return strconv.FormatFloat(math.Round(10*x)/10, 'f', -1, 64)
}
