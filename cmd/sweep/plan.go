package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/search"
	"sweep/sweeps"
)

var planCommand = &cli.Command{
	Name:      "plan",
	Usage:     "print the trials of a sweep file with their calibrated noise, and start nothing",
	ArgsUsage: "FILE",
	Description: `Prints every trial with its noise, and what the whole takes: time by what trials of the
record took, or by a rehearsal; ε by each accountant; what the search itself costs under
each disclosure; and what the ledger holds. Of a strategy that decides as trials end, the
first trials are printed, and stand for the others.`,
	Flags: append([]cli.Flag{
		&cli.BoolFlag{Name: "rehearse", Usage: "run a few steps of the largest trial to measure time and memory"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "print as `FORMAT`: table, json (one trial a line) or csv"},
		&cli.IntFlag{Name: "limit", Value: 50, Usage: "print at most `N` trials in a table; 0 prints all"},
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		s, err := readSweepFile(c)
		if err != nil {
			return err
		}
		p, err := placeOf(c)
		if err != nil {
			return err
		}
		if err := preflight(s, p.data, false); err != nil {
			return err
		}
		switch format := c.String("output"); format {
		case "table":
			return planTable(c, s)
		case "json", "csv":
			return planStream(c, s, format)
		default:
			return usagef("-o %s: the formats are table, json and csv", format)
		}
	},
}

// planned is a trial as a plan shows it.
type planned struct {
	ID         string    `json:"id"`
	Index      int       `json:"index"`
	Label      string    `json:"label"`
	Target     jsonFloat `json:"target_epsilon"` // 0 if the file gives noise multipliers
	Delta      float64   `json:"delta"`
	Noise      float64   `json:"noise_multiplier"`
	SampleRate float64   `json:"sample_rate"`
	Steps      int       `json:"steps"`
	Batch      int       `json:"batch_size"`
	LearnRate  float64   `json:"learning_rate"`
	Clip       float64   `json:"clip_norm"`
	AugMult    int       `json:"augmult"`
}

func plannedOf(t search.Trial) planned {
	p := t.Params
	return planned{
		ID: string(p.ID()), Index: t.Index, Label: t.Label, Target: jsonFloat(t.Target.Epsilon), Delta: t.Target.Delta,
		Noise: p.Noise, SampleRate: p.SampleRate(), Steps: p.Steps, Batch: p.Batch, LearnRate: p.LearnRate, Clip: p.Clip, AugMult: p.AugMult,
	}
}

// planTable prints the first trials and what there are in all.
func planTable(c *cli.Context, s *search.Sweep) error {
	l := listing{headings: []string{"trial", "ε target", "σ", "q", "steps", "views", "what varies"}}
	s.Prepare(calibrate)
	p, first, err := billOf(s)
	if err != nil {
		return err
	}
	limit := c.Int("limit")
	show := func(t search.Trial) {
		if limit > 0 && len(l.rows) >= limit {
			return
		}
		target := any("–")
		if t.Target.Epsilon > 0 {
			target = exact(t.Target.Epsilon)
		}
		seen := float64(t.Params.Batch) * float64(t.Params.Steps) * float64(max(1, t.Params.AugMult))
		l.rows = append(l.rows, []any{string(t.Params.ID()), target, t.Params.Noise, t.Params.SampleRate(), t.Params.Steps, seen, t.Label})
	}
	if s.Disclosure == sweep.PrivateSelect {
		l.headings[0] = "point"
	}
	for t := range s.Trials(calibrate) { // billOf has seen every error
		if show(t); limit > 0 && len(l.rows) >= limit {
			break
		}
	}
	for _, t := range first {
		show(t)
	}
	if err := l.print(c); err != nil {
		return err
	}
	w := c.App.Writer
	switch n := p.listed(s) - len(l.rows); {
	case n > 0 && s.Adaptive():
		fmt.Fprintf(w, "… and up to %d more, as %s decides when others have ended\n", n, s.Strategy)
	case n > 0:
		fmt.Fprintf(w, "… and %d more (--limit 0 prints all)\n", n)
	}
	fmt.Fprintf(w, "%s: trials: %s, %.4g views in all; δ = %s by %s, noise %s; nothing was started\n",
		s.ID(), p.trialsText(s), p.views, strconv.FormatFloat(s.Privacy.Delta, 'g', -1, 64), s.Privacy.Accountant, s.Privacy.Noise)
	tellDoubts(w, s)
	if err := p.print(c, s); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, "q is the sampling rate, σ the noise multiplier, rounded up so that ε holds; views are images seen, augmentations counted")
	return err
}

// tellDoubts says what a careful reader of the sweep's results would object.
func tellDoubts(w io.Writer, s *search.Sweep) {
	for _, doubt := range s.Doubts() {
		fmt.Fprintf(w, "note: %s\n", doubt)
	}
}

// planStream prints trials one a line, as they come: a large grid is never held.
func planStream(c *cli.Context, s *search.Sweep, format string) error {
	w := bufio.NewWriter(c.App.Writer)
	enc := json.NewEncoder(w)
	if format == "csv" {
		fmt.Fprintln(w, "id,index,target_epsilon,delta,noise_multiplier,sample_rate,steps,batch_size,learning_rate,clip_norm,augmult")
	}
	s.Prepare(calibrate)
	for t, err := range s.Trials(calibrate) {
		if err != nil {
			return err
		}
		p := plannedOf(t)
		if format == "csv" {
			_, err = fmt.Fprintf(w, "%s,%d,%s,%s,%s,%s,%d,%d,%s,%s,%d\n", p.ID, p.Index, exact(float64(p.Target)), exact(p.Delta),
				exact(p.Noise), exact(p.SampleRate), p.Steps, p.Batch, exact(p.LearnRate), exact(p.Clip), p.AugMult)
		} else {
			err = enc.Encode(p)
		}
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

var schemaCommand = &cli.Command{
	Name:  "schema",
	Usage: "print the JSON Schema of sweep files, for editors",
	Action: func(c *cli.Context) error {
		schema, err := search.Schema()
		if err != nil {
			return err
		}
		_, err = c.App.Writer.Write(schema)
		return err
	},
}

var recipesCommand = &cli.Command{
	Name:      "recipes",
	Usage:     "list the sweep files that come with sweep, or print one",
	ArgsUsage: "[NAME]",
	Flags:     []cli.Flag{outputFlag},
	Action: func(c *cli.Context) error {
		if c.NArg() == 1 {
			text, err := readFile(c.Args().First())
			if err != nil {
				return &exitError{exitNotFound, err}
			}
			_, err = c.App.Writer.Write(text)
			return err
		}
		return listRecipes(c)
	},
}

func listRecipes(c *cli.Context) error {
	entries, err := sweeps.FS.ReadDir(".")
	if err != nil {
		return err
	}
	l := listing{headings: []string{"file", "trials", "strategy", "data", "model", "what it is"}}
	var names []map[string]any
	for _, e := range entries {
		text, err := sweeps.FS.ReadFile(e.Name())
		if err != nil {
			return err
		}
		s, err := search.Parse(e.Name(), text)
		if err != nil {
			return err
		}
		file, what := "sweeps/"+e.Name(), opening(s.Text)
		l.rows = append(l.rows, []any{file, s.Most(), s.Strategy, s.Data.Name, s.Model, what})
		names = append(names, map[string]any{"file": file, "trials": s.Most(), "strategy": s.Strategy, "data": s.Data.Name, "model": s.Model, "what": what})
	}
	l.json = map[string]any{"schema": 1, "recipes": names}
	return l.print(c)
}

// opening is the first sentence, or the part of it before a colon or a
// semicolon, of the comment that a sweep file begins with.
func opening(text string) string {
	var comment []string
	for line := range strings.Lines(text) {
		words, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		comment = append(comment, strings.Fields(words)...)
	}
	for i, word := range comment {
		if strings.HasSuffix(word, ".") && word != "al." || strings.HasSuffix(word, ":") || strings.HasSuffix(word, ";") {
			comment = comment[:i+1]
			break
		}
	}
	return strings.TrimRight(strings.Join(comment, " "), ".:;")
}
