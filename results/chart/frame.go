package chart

import "math"

// A frame is a plane with two axes.
type frame struct {
	x, y Scale
}

// margins around the plane, for labels.
const (
	marginLeft   = 62
	marginRight  = 20
	marginTop    = 18
	marginBottom = 46
)

// plane lays x and y out on a drawing of that size.
func plane(width, height float64, x, y Scale) frame {
	x.A, x.B = marginLeft, width-marginRight
	y.A, y.B = height-marginBottom, marginTop
	return frame{x, y}
}

func (f frame) at(x, y float64) Point { return Point{f.x.At(x), f.y.At(y)} }

// axes draws grid lines, axes, their ticks and what they mean.
func (f frame) axes(d *Drawing, xTitle, yTitle string, xTicks, yTicks []tick) {
	for _, t := range yTicks {
		y := math.Round(f.y.At(t.value)) + 0.5
		d.line("grid", Point{f.x.A, y}, Point{f.x.B, y})
		if t.label != "" {
			d.text("label", Point{f.x.A - 9, y + 4}, End, 12, shorten(t.label, 12, marginLeft-16))
		}
	}
	room := math.Abs(f.x.B-f.x.A) / float64(max(1, len(xTicks)))
	for _, t := range xTicks {
		x := math.Round(f.x.At(t.value)) + 0.5
		if len(f.x.Names) == 0 {
			d.line("grid", Point{x, f.y.A}, Point{x, f.y.B})
		}
		d.text("label", Point{x, f.y.A + 18}, Middle, 12, shorten(t.label, 12, max(28, room-6)))
	}
	base := math.Round(f.y.A) + 0.5
	d.line("axis", Point{f.x.A, base}, Point{f.x.B, base})
	d.text("label", Point{(f.x.A + f.x.B) / 2, f.y.A + 38}, Middle, 12.5, xTitle)
	d.add(Mark{Shape: Text, Class: "label", Points: []Point{{15, (f.y.A + f.y.B) / 2}}, Anchor: Middle, Size: 12.5, Words: yTitle, Turned: true})
}

// spread is a linear scale over the values, with a margin; percent keeps it
// within 0 to 100.
func spread(values []float64, percent bool) Scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 0, 1
		if percent {
			high = 100
		}
	}
	pad := 0.08 * (high - low)
	if pad == 0 {
		pad = max(math.Abs(high)*0.05, 0.5)
	}
	s := Scale{Low: low - pad, High: high + pad}
	if low >= 0 {
		s.Low = max(0, s.Low)
	}
	if percent {
		s.High = min(100, s.High)
	}
	return s
}

// spreadLog is a logarithmic scale over the positive ones of the values.
func spreadLog(values []float64) Scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 && !math.IsInf(v, 1) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 1, 10
	}
	margin := max(1.15, math.Pow(high/low, 0.06))
	return Scale{Low: low / margin, High: high * margin, Log: true}
}

// wrap breaks s at spaces into lines no wider than that, if its words allow.
func wrap(s string, size, width float64) (lines []string) {
	line := ""
	for word := range splitWords(s) {
		if line != "" && textWidth(line+" "+word, size) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
