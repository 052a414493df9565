package chart

import (
	"fmt"
	"math"
	"time"
)

// A Timeline is what each worker did when.
type Timeline struct {
	Title string
	From  time.Time
	To    time.Time
	Lanes []Lane
}

// A Lane is one worker.
type Lane struct {
	Name  string
	Spans []Span
}

// A Span is one attempt. Class is done, running or failed.
type Span struct {
	From, To  time.Time
	Class     string
	Tip, Link string
}

// Draw draws a lane for each worker, in which attempts that overlap are stacked.
func (t Timeline) Draw() Drawing {
	const left, right, top, row = 150.0, 20.0, 30.0, 14.0
	rows := 0
	stacked := make([][]int, len(t.Lanes))
	depth := make([]int, len(t.Lanes))
	for i, l := range t.Lanes {
		stacked[i], depth[i] = stack(l.Spans)
		rows += depth[i]
	}
	d := Drawing{Width: 1040, Height: top + row*float64(rows) + 10*float64(len(t.Lanes)) + 14, Title: t.Title, Table: t.table()}
	total := max(t.To.Sub(t.From).Seconds(), 1)
	x := Scale{Low: 0, High: total, A: left, B: d.Width - right}
	step := niceSeconds(total / 7)
	first := math.Mod(step-math.Mod(float64(t.From.UnixMilli())/1000, step), step) // ticks are at round times
	for s := first; s <= total; s += step {
		at := math.Round(x.At(s)) + 0.5
		d.line("grid", Point{at, top - 6}, Point{at, d.Height - 10})
		d.text("label", Point{at, 16}, Middle, 11.5, clock(t.From.Add(time.Duration(s*float64(time.Second))), total))
	}
	y := top
	for i, l := range t.Lanes {
		d.text("words", Point{left - 10, y + row*float64(depth[i])/2 + 4}, End, 12, shorten(l.Name, 12, left-16))
		for j, s := range l.Spans {
			a, b := x.At(s.From.Sub(t.From).Seconds()), x.At(s.To.Sub(t.From).Seconds())
			at := y + row*float64(stacked[i][j])
			inset := 2.0
			if s.Class == "failed" {
				inset = 0 // so that it stands out for whoever does not tell red from green
			}
			d.add(Mark{Shape: Rect, Class: s.Class, Points: []Point{{a, at + inset}, {max(b, a+1.5), at + row - 2 - inset}}, Tip: s.Tip, Link: s.Link})
		}
		y += row*float64(depth[i]) + 10
		d.line("grid", Point{10, y - 5}, Point{d.Width - right, y - 5})
	}
	d.Summary = fmt.Sprintf("%d workers from %s to %s UTC.", len(t.Lanes), t.From.Format("2006-01-02 15:04:05"), t.To.Format("2006-01-02 15:04:05"))
	return d
}

// stack gives each of the spans, which begin in this order, the first row that is free.
func stack(spans []Span) (rows []int, depth int) {
	var ends []time.Time
	rows = make([]int, len(spans))
	for i, s := range spans {
		row := 0
		for row < len(ends) && ends[row].After(s.From) {
			row++
		}
		if row == len(ends) {
			ends = append(ends, s.To)
		}
		ends[row], rows[i] = s.To, row
	}
	return rows, max(1, len(ends))
}

// niceSeconds is a round time of at least so many seconds.
func niceSeconds(least float64) float64 {
	for _, s := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400} {
		if s >= least {
			return s
		}
	}
	return 86400 * math.Ceil(least/86400)
}

func clock(t time.Time, total float64) string {
	switch {
	case total > 3*86400:
		return t.UTC().Format("Jan 2")
	case total > 600:
		return t.UTC().Format("15:04")
	}
	return t.UTC().Format("15:04:05")
}

// A Part is how many of a whole are of a class.
type Part struct {
	Class string
	N     int
}

// Progress draws a whole in parts, as one bar.
func Progress(title string, parts []Part) Drawing {
	d := Drawing{Width: 1000, Height: 8, Title: title, Stretched: true}
	total := 0
	for _, p := range parts {
		total += p.N
	}
	d.add(Mark{Shape: Rect, Class: "waiting", Points: []Point{{0, 0}, {d.Width, d.Height}}})
	at := 0.0
	for _, p := range parts {
		width := d.Width * float64(p.N) / float64(max(1, total))
		if p.N > 0 && p.Class != "waiting" {
			d.add(Mark{Shape: Rect, Class: p.Class, Points: []Point{{at, 0}, {at + max(width, 1), d.Height}}})
		}
		at += width
	}
	return d
}
