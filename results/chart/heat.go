package chart

import (
	"fmt"
	"math"
	"strconv"
)

// A Heat is a heat map: a colour for each pair of two axes' values.
type Heat struct {
	Title, XTitle, YTitle string
	X, Y                  []string // what columns stand for from left to right, and rows from below
	Cells                 []Cell
}

// A Cell is one pair's value in per cent; pairs without a cell are not measured.
type Cell struct {
	X, Y      int
	Value     float64
	Tip, Link string
}

// viridis is a scale of colours that is read alike in grey and by the
// colour-blind (van der Walt and Smith 2015), at equal distances.
var viridis = [][3]float64{
	{68, 1, 84}, {71, 44, 122}, {59, 81, 139}, {44, 113, 142}, {33, 144, 141}, {39, 173, 129}, {92, 200, 99}, {170, 220, 50}, {253, 231, 37},
}

// heatColour is the colour for a share of 0 to 1, and the class of words that can be read on it.
func heatColour(share float64) (hex, ink string) {
	at := min(max(share, 0), 1) * float64(len(viridis)-1)
	i := min(int(at), len(viridis)-2)
	t := at - float64(i)
	var c [3]float64
	for k := range c {
		c[k] = viridis[i][k] + t*(viridis[i+1][k]-viridis[i][k])
	}
	hex, ink = fmt.Sprintf("#%02x%02x%02x", int(c[0]), int(c[1]), int(c[2])), "pale"
	if l := luminance(hex) + 0.05; l/0.05 > 1.05/l {
		ink = "dark"
	}
	return hex, ink
}

// luminance is the relative luminance of a colour "#rrggbb" by WCAG 2.1, where the
// contrast of two is (a + 0.05) / (b + 0.05).
func luminance(hex string) float64 {
	v, err := strconv.ParseUint(hex[1:], 16, 32)
	if err != nil {
		return math.NaN()
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(v>>(16-8*i)&0xff) / 255
		if c <= 0.03928 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// Draw draws the map with its scale of colours at the right.
func (h Heat) Draw() Drawing {
	const left, top, right, bottom = 92.0, 14.0, 104.0, 52.0
	columns, rows := float64(max(1, len(h.X))), float64(max(1, len(h.Y)))
	cw, ch := min(150, max(18, 780/columns)), min(54, max(18, 440/rows))
	d := Drawing{Width: left + cw*columns + right, Height: top + ch*rows + bottom, Title: h.Title, Table: h.table()}
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range h.Cells {
		low, high = min(low, c.Value), max(high, c.Value)
	}
	if len(h.Cells) > 0 {
		d.Summary = fmt.Sprintf("%d cells from %.2f to %.2f %%.", len(h.Cells), low, high)
	}
	corner := func(x, y int) (Point, Point) {
		p := Point{left + cw*float64(x), top + ch*(rows-1-float64(y))}
		return p, Point{p.X + cw - 1.5, p.Y + ch - 1.5}
	}
	for x := range h.X {
		for y := range h.Y {
			p, q := corner(x, y)
			d.add(Mark{Shape: Rect, Class: "empty", Points: []Point{p, q}})
		}
	}
	for _, c := range h.Cells {
		p, q := corner(c.X, c.Y)
		fill, ink := heatColour((c.Value - low) / max(high-low, 1e-9))
		d.add(Mark{Shape: Rect, Class: "cell", Points: []Point{p, q}, Fill: fill, Tip: c.Tip, Link: c.Link})
		if cw >= 40 {
			d.text(ink, Point{(p.X + q.X) / 2, (p.Y+q.Y)/2 + 4}, Middle, 12, fmt.Sprintf("%.1f", c.Value))
		}
	}
	h.label(&d, left, top, cw, ch)
	if len(h.Cells) > 0 {
		scaleOfColours(&d, d.Width-right+26, top, top+ch*rows, low, high)
	}
	return d
}

func (h Heat) label(d *Drawing, left, top, cw, ch float64) {
	height := top + ch*float64(len(h.Y))
	every := max(1, int(math.Ceil(42/cw)))
	for i, name := range h.X {
		if i%every == 0 {
			d.text("label", Point{left + cw*(float64(i)+0.5), height + 18}, Middle, 12, shorten(name, 12, cw*float64(every)-4))
		}
	}
	for i, name := range h.Y {
		d.text("label", Point{left - 9, top + ch*(float64(len(h.Y)-1-i)+0.5) + 3}, End, 12, shorten(name, 12, 58))
	}
	d.text("label", Point{left + cw*float64(len(h.X))/2, height + 40}, Middle, 12.5, h.XTitle)
	d.add(Mark{Shape: Text, Class: "label", Points: []Point{{15, (top + height) / 2}}, Anchor: Middle, Size: 12.5, Words: h.YTitle, Turned: true})
}

func scaleOfColours(d *Drawing, x, top, bottom, low, high float64) {
	const parts = 32
	bottom = min(bottom, top+180)
	for i := range parts {
		fill, _ := heatColour((float64(i) + 0.5) / parts)
		y := bottom - (bottom-top)*float64(i)/parts
		d.add(Mark{Shape: Rect, Class: "cell", Fill: fill, Points: []Point{{x, y}, {x + 12, y - (bottom-top)/parts - 0.4}}})
	}
	d.text("label", Point{x + 18, top + 9}, Start, 12, fmt.Sprintf("%.1f %%", high))
	d.text("label", Point{x + 18, bottom}, Start, 12, fmt.Sprintf("%.1f %%", low))
}
