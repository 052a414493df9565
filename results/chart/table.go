package chart

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
)

// A Table is what a drawing shows, as numbers: for who cannot see it, and for who
// wants to copy them.
type Table struct {
	Columns []string
	Rows    [][]string // of as many cells as there are columns
	Total   int        // rows that there would be without a limit; the first ones, or an even share, are here
}

// tableRows is how many rows a table has at most: what a person reads, not all there is.
const tableRows = 200

// add takes a row while there is room.
func (t *Table) add(cells ...string) {
	t.Total++
	if len(t.Rows) < tableRows {
		t.Rows = append(t.Rows, cells)
	}
}

// Figure is the drawing as Inline has it, described by its table, which a reader
// may unfold. id names the table within the page.
func (d Drawing) Figure(id string) string {
	if len(d.Table.Rows) == 0 {
		return d.Inline()
	}
	var b bytes.Buffer
	d.inline(&b, fmt.Sprintf(` aria-describedby="%[1]s-what" aria-details="%[1]s"`, html.EscapeString(id)))
	t := d.Table
	words := fmt.Sprintf("%d rows", t.Total)
	if t.Total > len(t.Rows) {
		words = fmt.Sprintf("%d of %d rows", len(t.Rows), t.Total)
	}
	fmt.Fprintf(&b, `<details class="data" id="%s"><summary id="%[1]s-what">Data of “%[2]s”, %[3]s</summary><div class="scroll" tabindex="0" role="region" aria-label="data of %[2]s"><table aria-labelledby="%[1]s-what"><thead><tr>`,
		html.EscapeString(id), html.EscapeString(d.Title), words)
	numeric := t.numeric()
	cell := func(tag string, column int, text string) {
		class := ""
		if numeric[column] {
			class = ` class="n"`
		}
		b.WriteString("<" + tag + class + ">" + html.EscapeString(text) + "</" + tag[:2] + ">")
	}
	for i, c := range t.Columns {
		cell(`th scope="col"`, i, c)
	}
	b.WriteString("</tr></thead><tbody>")
	for _, row := range t.Rows {
		b.WriteString("<tr>")
		for i, c := range row {
			cell("td", i, c)
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</tbody></table></div></details>")
	return b.String()
}

// numeric says which columns hold nothing but numbers.
func (t Table) numeric() []bool {
	all := make([]bool, len(t.Columns))
	for i := range all {
		all[i] = true
		for _, row := range t.Rows {
			all[i] = all[i] && (row[i] == "" || row[i][0] >= '0' && row[i][0] <= '9' || row[i][0] == '-' || row[i] == "∞")
		}
	}
	return all
}

// cellNumber is x in a table: as text that can be copied, "" where there is none.
func cellNumber(x float64) string {
	switch {
	case math.IsNaN(x):
		return ""
	case math.IsInf(x, 1):
		return "∞"
	}
	return fmt.Sprintf("%.6g", x)
}

// firstLine is what a tip calls its mark.
func firstLine(tip string) string {
	for i, r := range tip {
		if r == '\n' {
			return tip[:i]
		}
	}
	return tip
}

// table lists the best points, then what others have published, then other points.
func (f Frontier) table() Table {
	t := Table{Columns: []string{"what", "ε", "accuracy, %", "95 % from", "to", "details"}}
	for _, b := range f.Best {
		what := "best of its ε"
		if b.Dominated {
			what = "best of its ε, but less ε does as well"
		}
		t.add(what, cellNumber(b.Epsilon), cellNumber(b.Accuracy), cellNumber(b.Low), cellNumber(b.High), spoken(b.Tip))
	}
	for _, r := range f.References {
		t.add("published", cellNumber(r.Epsilon), cellNumber(r.Accuracy), "", "", spoken(r.Tip))
	}
	for _, d := range f.Dots {
		t.add("another point", cellNumber(d.Epsilon), cellNumber(d.Accuracy), "", "", spoken(d.Tip))
	}
	return t
}

// table lists the curves' points, of each an even share where there are many.
func (c Curves) table() Table {
	t := Table{Columns: []string{"curve", c.xTitle(), c.YTitle}}
	noted := slices.ContainsFunc(c.Curves, func(c Curve) bool { return c.Notes != nil })
	if noted {
		t.Columns = append(t.Columns, "at (UTC)")
	}
	scale := 1.0
	if c.Percent {
		scale = 100
	}
	for _, curve := range c.Curves {
		n := len(curve.Points)
		shown := min(n, max(2, tableRows/len(c.Curves)))
		for k := range shown {
			i := k * (n - 1) / max(1, shown-1) // the first and the last one among them
			row := []string{curve.Name, cellNumber(curve.Points[i].X), cellNumber(scale * curve.Points[i].Y)}
			if noted {
				row = append(row, curve.Notes[i])
			}
			t.add(row...)
		}
		t.Total += n - shown
	}
	return t
}

// table lists the rows, the last and best first.
func (p Parallel) table() Table {
	var t Table
	for _, a := range p.Axes {
		t.Columns = append(t.Columns, a.Title)
	}
	for i := len(p.Rows) - 1; i >= 0; i-- {
		var cells []string
		for j, v := range p.Rows[i].Values {
			cells = append(cells, p.Axes[j].Scale.name(v))
		}
		t.add(cells...)
	}
	return t
}

func (s Scale) name(v float64) string {
	if i := int(v); len(s.Names) > 0 && i >= 0 && i < len(s.Names) {
		return s.Names[i]
	}
	return cellNumber(v)
}

func (s Slice) table() Table {
	t := Table{Columns: []string{"what", s.XTitle, "accuracy, %"}}
	for _, m := range s.Means {
		t.add("mean", s.X.name(m.X), cellNumber(m.Y))
	}
	for i := len(s.Dots) - 1; i >= 0; i-- { // the best come last
		t.add(firstLine(s.Dots[i].Tip), s.X.name(s.Dots[i].X), cellNumber(s.Dots[i].Y))
	}
	return t
}

func (h Heat) table() Table {
	t := Table{Columns: []string{h.XTitle, h.YTitle, "accuracy, %"}}
	for _, c := range h.Cells {
		t.add(h.X[c.X], h.Y[c.Y], cellNumber(c.Value))
	}
	return t
}

func (t Timeline) table() Table {
	all := Table{Columns: []string{"worker", "from (UTC)", "to (UTC)", "state", "attempt"}}
	for _, l := range t.Lanes {
		for _, s := range l.Spans {
			all.add(l.Name, s.From.UTC().Format("2006-01-02 15:04:05"), s.To.UTC().Format("2006-01-02 15:04:05"), s.Class, spoken(s.Tip))
		}
	}
	return all
}

func barTable(bars []Bar) Table {
	t := Table{Columns: []string{"name", "%"}}
	for _, b := range bars {
		t.add(b.Name, cellNumber(100*b.Value))
	}
	return t
}
