package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// outputFlag is on every command that lists something.
var outputFlag = &cli.StringFlag{
	Name: "output", Aliases: []string{"o"}, Value: "table",
	Usage: "print as `FORMAT`: table, json, csv or md; json has a stable schema",
}

// A listing is something to print as a table. Headings carry the units.
type listing struct {
	headings []string
	rows     [][]any // strings, ints, floats; nil is an empty cell
	json     any     // what -o json prints
}

// print writes l to standard output in the format that -o asks for.
func (l listing) print(c *cli.Context) error {
	w := c.App.Writer
	switch format := c.String("output"); format {
	case "json":
		return printJSON(w, l.json)
	case "csv":
		return l.csv(w)
	case "md":
		_, err := fmt.Fprintln(w, l.pretty(plain).RenderMarkdown())
		return err
	case "table", "": // "" on commands without the flag, which end with a table
		width := terminalWidth(w)
		for _, part := range l.within(width) {
			t := part.pretty(plain)
			t.Style().Size.WidthMax = width // a line that wraps is no table any more
			if _, err := fmt.Fprintln(w, t.Render()); err != nil {
				return err
			}
		}
		return nil
	default:
		return usagef("-o %s: the formats are table, json, csv and md", format)
	}
}

// within divides l's columns among tables that each fit the width, of which 0 is
// any, and begin with the first column: nothing is lost on a narrow terminal.
func (l listing) within(width int) []listing {
	part := func(columns []int) listing {
		var p listing
		for _, i := range columns {
			p.headings = append(p.headings, l.headings[i])
		}
		for _, row := range l.rows {
			var cells []any
			for _, i := range columns {
				cells = append(cells, row[i])
			}
			p.rows = append(p.rows, cells)
		}
		return p
	}
	var parts []listing
	var columns []int
	used := 0
	for i := range l.headings {
		needs := l.columnWidth(i)
		if len(columns) > 1 && width > 0 && used+needs > width {
			parts = append(parts, part(columns))
			columns, used = []int{0}, l.columnWidth(0)
		}
		columns, used = append(columns, i), used+needs
	}
	return append(parts, part(columns))
}

// columnWidth is how many columns of the terminal one of l's takes.
func (l listing) columnWidth(i int) int {
	widest := text.LongestLineLen(l.headings[i])
	for _, row := range l.rows {
		widest = max(widest, text.LongestLineLen(plain(row[i])))
	}
	return widest + 2 // a space on either side
}

// terminalWidth is how many columns w has; 0 where it is no terminal.
func terminalWidth(w io.Writer) int {
	if !isTerminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return width
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (l listing) csv(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(l.headings); err != nil {
		return err
	}
	for _, row := range l.rows {
		fields := make([]string, len(row))
		for i, v := range row {
			fields[i] = exact(v)
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (l listing) pretty(show func(any) string) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	var configs []table.ColumnConfig
	header := make(table.Row, len(l.headings))
	for i, h := range l.headings {
		header[i] = h
		if l.numeric(i) {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(header)
	for _, row := range l.rows {
		cells := make(table.Row, len(row))
		for i, v := range row {
			cells[i] = show(v)
		}
		t.AppendRow(cells)
	}
	return t
}

func (l listing) numeric(column int) bool {
	for _, row := range l.rows {
		switch row[column].(type) {
		case int, int64, float64, nil:
		default:
			return false
		}
	}
	return true
}

// plain shows a value to a person. What a trainer or a worker has said goes
// through it, so that no control character of theirs reaches the terminal.
func plain(v any) string {
	if f, ok := v.(float64); ok && !math.IsInf(f, 0) {
		return strconv.FormatFloat(f, 'g', 6, 64)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, exact(v))
}

// remark prints a sentence below a table, on a terminal within its width.
func remark(w io.Writer, sentence string) error {
	if width := terminalWidth(w); width > 0 {
		indent := ""
		if strings.HasPrefix(sentence, "- ") {
			indent = "  "
		}
		sentence = strings.ReplaceAll(lipgloss.Wrap(sentence, max(20, width-len(indent)), ""), "\n", "\n"+indent)
	}
	_, err := fmt.Fprintln(w, sentence)
	return err
}

// exact shows a value to a program.
func exact(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		if math.IsInf(v, 1) {
			return "inf"
		}
		if math.IsInf(v, -1) {
			return "-inf"
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// jsonFloat is a number that may be infinite or missing, which JSON has no word for.
type jsonFloat float64

func (f jsonFloat) MarshalJSON() ([]byte, error) {
	switch v := float64(f); {
	case math.IsInf(v, 1):
		return []byte(`"inf"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-inf"`), nil
	case math.IsNaN(v):
		return []byte("null"), nil
	default:
		return json.Marshal(v)
	}
}
