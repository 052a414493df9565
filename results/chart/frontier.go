package chart

import (
	"fmt"
	"iter"
	"math"
	"strings"
)

// A Frontier is what a chart of accuracy over epsilon shows. Accuracies are in
// per cent. Epsilons that are not positive and finite cannot be drawn on a
// logarithmic axis and are left out; an infinite one is a line across.
type Frontier struct {
	Title, XTitle string
	Best          []FrontierPoint // by rising epsilon
	Dots          []Dot           // the others
	References    []Dot           // what somebody else reported
	Targets       []float64       // where the axis is labelled, if they stand apart
	Notes         []string        // sentences below, in a file of its own
}

// A FrontierPoint is the best point of its epsilon.
type FrontierPoint struct {
	Dot
	Low, High float64 // 95 % interval; both NaN where there is none
	Dominated bool    // another is as accurate for less
}

// A Dot is a point with its tip.
type Dot struct {
	Epsilon, Accuracy float64
	Tip, Link         string
}

func (d Dot) drawable() bool { return d.Epsilon > 0 && !math.IsInf(d.Epsilon, 1) }

// Size of the frontier's chart, without notes.
const (
	frontierWidth  = 1000
	frontierHeight = 460
	noteSize       = 11.5
)

// Draw draws the frontier: every point faintly, the best of each epsilon joined by
// a line within the band of their intervals, references as diamonds, and the
// accuracy without noise as a dashed line.
func (f Frontier) Draw() Drawing {
	d := Drawing{Width: frontierWidth, Height: frontierHeight, Title: f.Title, Summary: f.summary(), Table: f.table()}
	p := f.frame()
	p.axes(&d, f.XTitle, "accuracy, %", p.x.ticks(9), p.y.ticks(9))
	var path []FrontierPoint
	for _, b := range f.Best {
		if math.IsInf(b.Epsilon, 1) {
			p.baseline(&d, b)
		} else if b.drawable() && !b.Dominated {
			path = append(path, b)
		}
	}
	p.band(&d, path)
	for _, dot := range f.Dots {
		if dot.drawable() {
			d.add(Mark{Shape: Circle, Class: "dot", Points: []Point{p.at(dot.Epsilon, dot.Accuracy)}, R: 3, Tip: dot.Tip, Link: dot.Link})
		}
	}
	for _, r := range f.References {
		if r.drawable() {
			d.add(Mark{Shape: Diamond, Class: "ref", Points: []Point{p.at(r.Epsilon, r.Accuracy)}, R: 5.5, Tip: r.Tip, Link: r.Link})
		}
	}
	p.best(&d, f.Best, path)
	if len(path) <= 12 {
		p.values(&d, path, f.References)
	}
	f.legend(&d, p)
	return d
}

func (f Frontier) frame() frame {
	var epsilons, accuracies []float64
	take := func(dot Dot, also ...float64) {
		if dot.drawable() {
			epsilons = append(epsilons, dot.Epsilon)
		}
		accuracies = append(append(accuracies, dot.Accuracy), also...)
	}
	for _, b := range f.Best {
		take(b.Dot, b.Low, b.High)
	}
	for _, dot := range f.Dots {
		take(dot)
	}
	for _, r := range f.References {
		take(r)
	}
	x := spreadLog(epsilons)
	x.Marks = f.Targets
	return plane(frontierWidth, frontierHeight, x, spread(accuracies, true))
}

func (p frame) baseline(d *Drawing, b FrontierPoint) {
	y := p.y.At(b.Accuracy)
	d.line("baseline", Point{p.x.A, y}, Point{p.x.B, y})
	d.text("noted", Point{p.x.A + 8, y + 16}, Start, 12, fmt.Sprintf("without noise, not private: %.2f %%", b.Accuracy))
	d.add(Mark{Shape: Circle, Class: "noted", Points: []Point{{p.x.B, y}}, R: 4, Tip: b.Tip, Link: b.Link})
}

// band covers the intervals of neighbouring points that have one.
func (p frame) band(d *Drawing, path []FrontierPoint) {
	var upper, lower []Point
	flush := func() {
		if len(upper) > 1 {
			for i := len(lower) - 1; i >= 0; i-- {
				upper = append(upper, lower[i])
			}
			d.add(Mark{Shape: Area, Class: "band", Points: upper})
		}
		upper, lower = nil, nil
	}
	for _, b := range path {
		if math.IsNaN(b.Low) {
			flush()
			continue
		}
		upper, lower = append(upper, p.at(b.Epsilon, b.High)), append(lower, p.at(b.Epsilon, b.Low))
	}
	flush()
}

func (p frame) best(d *Drawing, all, path []FrontierPoint) {
	var line []Point
	for _, b := range path {
		line = append(line, p.at(b.Epsilon, b.Accuracy))
		if !math.IsNaN(b.Low) {
			low, high := p.at(b.Epsilon, b.Low), p.at(b.Epsilon, b.High)
			d.line("whisker", low, high)
			for _, end := range []Point{low, high} {
				d.line("whisker", Point{end.X - 4, end.Y}, Point{end.X + 4, end.Y})
			}
		}
	}
	if len(line) > 1 {
		d.line("frontier", line...)
	}
	for _, b := range all {
		if !b.drawable() {
			continue
		}
		at := p.at(b.Epsilon, b.Accuracy)
		mark := Mark{Shape: Circle, Class: "point", Points: []Point{at}, R: 5.5, Tip: b.Tip, Link: b.Link}
		if b.Dominated {
			mark.Class = "ring"
		}
		d.add(mark)
	}
}

// values writes the accuracy of each point beside it, on the side where that is
// least in the way of the line, references and other values, and on ground of its
// own where dots stand close.
func (p frame) values(d *Drawing, path []FrontierPoint, references []Dot) {
	var taken []Point
	for _, r := range references {
		if r.drawable() {
			taken = append(taken, p.at(r.Epsilon, r.Accuracy))
		}
	}
	for i, b := range path {
		at := p.at(b.Epsilon, b.Accuracy)
		taken = append(taken, at)
		if i > 0 {
			from := p.at(path[i-1].Epsilon, path[i-1].Accuracy)
			for share := 0.0; share < 1; share += 1. / 64 {
				taken = append(taken, Point{from.X + share*(at.X-from.X), from.Y + share*(at.Y-from.Y)})
			}
		}
	}
	for _, b := range path {
		words := fmt.Sprintf("%.1f", b.Accuracy)
		box := p.room(p.at(b.Epsilon, b.Accuracy), textWidth(words, 12), taken)
		d.add(Mark{Shape: Rect, Class: "ground", Points: box[:]})
		d.text("value", Point{(box[0].X + box[1].X) / 2, box[1].Y - 3}, Middle, 12, words)
		for x := box[0].X; x <= box[1].X; x += 6 {
			taken = append(taken, Point{x, box[1].Y - 7})
		}
	}
}

// room is the box beside at, of that width and a line's height, that covers the
// fewest of the places that are taken; above to the left if nothing is.
func (p frame) room(at Point, width float64, taken []Point) (best [2]Point) {
	const away, height, clear = 8, 14, 6
	least := math.MaxInt
	for _, corner := range []Point{{at.X - away - width, at.Y - away - height}, {at.X - width/2, at.Y - 2*away - height}, {at.X + away, at.Y + away}, {at.X + away, at.Y - away - height}, {at.X - away - width, at.Y + away}} {
		covered := 0
		for _, q := range taken {
			if q != at && q.X > corner.X-clear && q.X < corner.X+width+clear && q.Y > corner.Y-clear && q.Y < corner.Y+height+clear {
				covered++
			}
		}
		if corner.X < p.x.A || corner.X+width > p.x.B || corner.Y < p.y.B || corner.Y+height > p.y.A {
			covered += 1000
		}
		if covered < least {
			least, best = covered, [2]Point{{corner.X - 2, corner.Y}, {corner.X + width + 2, corner.Y + height}}
		}
	}
	return best
}

// legend explains the marks in a corner where the curve seldom is: below right.
func (f Frontier) legend(d *Drawing, p frame) {
	type entry struct {
		mark  Mark
		words string
	}
	entries := []entry{{Mark{Shape: Circle, Class: "point", R: 5}, "best of its ε"}}
	for _, b := range f.Best {
		if !math.IsNaN(b.Low) {
			entries[0].words = "best of its ε, 95 % interval over seeds"
			break
		}
	}
	if len(f.Dots) > 0 {
		entries = append(entries, entry{Mark{Shape: Circle, Class: "dot", R: 3.5}, "other points of the grid"})
	}
	for _, b := range f.Best {
		if b.Dominated {
			entries = append(entries, entry{Mark{Shape: Circle, Class: "ring", R: 4.5}, "best of its ε, but less ε does as well"})
			break
		}
	}
	if len(f.References) > 0 {
		entries = append(entries, entry{Mark{Shape: Diamond, Class: "ref", R: 5}, "published, on the test set"})
	}
	y, width := p.y.A-14-18*float64(len(entries)-1), 0.0
	for _, e := range entries {
		width = max(width, textWidth(e.words, 12.5))
	}
	left := p.x.B - width - 12
	d.add(Mark{Shape: Rect, Class: "ground", Points: []Point{{left - 24, y - 18}, {p.x.B, p.y.A - 2}}})
	for _, e := range entries {
		e.mark.Points = []Point{{left - 13, y - 4}}
		d.add(e.mark)
		d.text("label", Point{left, y}, Start, 12, e.words)
		y += 18
	}
}

func (f Frontier) summary() string {
	var parts []string
	for _, b := range f.Best {
		part := fmt.Sprintf("%.2f %% at epsilon %s", b.Accuracy, Number(b.Epsilon))
		if !math.IsNaN(b.Low) {
			part += fmt.Sprintf(" (95 %% interval %.2f to %.2f)", b.Low, b.High)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "No trial is completed yet."
	}
	return "Best accuracy: " + strings.Join(parts, "; ") + "."
}

// Page is the frontier as a picture to pass on: with its title above, and below
// all that must be said with it.
func (f Frontier) Page() Drawing {
	const top, line = 34, 17
	d := f.Draw()
	for i := range d.Marks {
		d.Marks[i] = d.Marks[i].moved(top)
	}
	d.text("title", Point{marginLeft, 26}, Start, 17, f.Title)
	d.Height += top + 16
	for _, note := range f.Notes {
		for i, words := range wrap(note, noteSize, frontierWidth-marginLeft-marginRight-14) {
			if i == 0 {
				d.text("label", Point{marginLeft, d.Height}, Start, noteSize, "•")
			}
			d.text("label", Point{marginLeft + 12, d.Height}, Start, noteSize, words)
			d.Height += line
		}
	}
	d.Height += 6
	return d
}

// moved is m so much further down.
func (m Mark) moved(down float64) Mark {
	points := make([]Point, len(m.Points))
	for i, p := range m.Points {
		points[i] = Point{p.X, p.Y + down}
	}
	m.Points = points
	return m
}

func splitWords(s string) iter.Seq[string] { return strings.FieldsSeq(s) }
