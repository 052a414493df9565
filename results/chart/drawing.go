// Package chart draws the charts of a sweep: as marks on a plane, which become
// SVG for a web page, a self-contained SVG file, or a PNG image. It knows
// numbers and words and nothing of sweeps.
package chart

import "strings"

// A Drawing is a chart as marks. One unit is a CSS pixel; x runs to the right and
// y down from the upper left corner.
type Drawing struct {
	Width, Height float64
	Title         string // what the chart is, for who cannot see it
	Summary       string // and what it shows
	Stretched     bool   // takes whatever width there is
	Table         Table  // what it shows, as numbers; empty where words say it all
	Marks         []Mark // the later ones over the earlier
}

// A Shape is what a mark looks like.
type Shape int

const (
	Line    Shape = iota // through Points
	Area                 // within Points
	Circle               // at Points[0], of radius R
	Diamond              // the same, standing on a corner
	Rect                 // from Points[0] to Points[1]
	Text                 // Words at Points[0], which is on their base line
)

// A Mark is one thing to draw.
type Mark struct {
	Shape  Shape
	Class  string // one of the looks
	Points []Point
	R      float64
	Fill   string // a colour "#rrggbb" instead of the look's, where it stands for a number

	Words  string
	Size   float64 // of letters; 0 is 12
	Anchor Anchor
	Turned bool // reads upwards

	// A mark with a Tip is something to point at. Tip is lines, the first of
	// which names it; Link is where a click leads, "" nowhere.
	Tip  string
	Link string
	Key  string // what the script finds the mark by: series that are hidden and shown together
}

// A Point is a place on a drawing.
type Point struct{ X, Y float64 }

// An Anchor is which part of words stands at their point.
type Anchor string

const (
	Start  Anchor = "start"
	Middle Anchor = "middle"
	End    Anchor = "end"
)

func (d *Drawing) add(marks ...Mark) { d.Marks = append(d.Marks, marks...) }

func (d *Drawing) line(class string, points ...Point) {
	d.add(Mark{Shape: Line, Class: class, Points: points})
}

func (d *Drawing) text(class string, at Point, anchor Anchor, size float64, words string) {
	d.add(Mark{Shape: Text, Class: class, Points: []Point{at}, Anchor: anchor, Size: size, Words: words})
}

// spoken is a tip in one sentence.
func spoken(tip string) string { return strings.ReplaceAll(tip, "\n", ", ") }

// textWidth is about how wide words are, in letters of that size.
func textWidth(words string, size float64) float64 {
	width := 0.0
	for _, r := range words {
		switch {
		case strings.ContainsRune("iljtf.,:;'|!()[] ", r):
			width += 0.3
		case strings.ContainsRune("mwMW%", r) || r > 0x2000:
			width += 0.85
		default:
			width += 0.56
		}
	}
	return width * size
}

// shorten cuts words to about that width, with an ellipsis where something is missing.
func shorten(words string, size, width float64) string {
	if textWidth(words, size) <= width {
		return words
	}
	runes := []rune(words)
	for len(runes) > 1 && textWidth(string(runes)+"…", size) > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimSpace(string(runes)) + "…"
}
