package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/urfave/cli/v2"

	"sweep/search"
	"sweep/sweeps"
)

var planCommand = &cli.Command{
	Name:      "plan",
	Usage:     "print the trials of a sweep file with their calibrated noise, and start nothing",
	ArgsUsage: "FILE",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "print as `FORMAT`: table, json (one trial a line) or csv"},
		&cli.IntFlag{Name: "limit", Value: 50, Usage: "print at most `N` trials in a table; 0 prints all"},
	},
	Action: func(c *cli.Context) error {
		s, err := readSweepFile(c)
		if err != nil {
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
	limit := c.Int("limit")
	views := 0.0
	for t, err := range s.Trials(calibrate) {
		if err != nil {
			return err
		}
		p := t.Params
		seen := float64(p.Batch) * float64(p.Steps) * float64(max(1, p.AugMult))
		views += seen
		if limit > 0 && t.Index >= limit {
			continue
		}
		target := any("–")
		if t.Target.Epsilon > 0 {
			target = exact(t.Target.Epsilon)
		}
		l.rows = append(l.rows, []any{string(p.ID()), target, p.Noise, p.SampleRate(), p.Steps, seen, t.Label})
	}
	if err := l.print(c); err != nil {
		return err
	}
	w := c.App.Writer
	if n := s.Len(); n > len(l.rows) {
		fmt.Fprintf(w, "… and %d more (--limit 0 prints all)\n", n-len(l.rows))
	}
	fmt.Fprintf(w, "%s: trials: %d, %.4g views in all; δ = %s by %s, noise %s; nothing was started\n",
		s.ID(), s.Len(), views, strconv.FormatFloat(s.Privacy.Delta, 'g', -1, 64), s.Privacy.Accountant, s.Privacy.Noise)
	tellDoubts(w, s)
	_, err := fmt.Fprintln(w, "q is the sampling rate, σ the noise multiplier, rounded up so that ε holds; views are images seen, augmentations counted")
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
	l := listing{headings: []string{"file", "trials", "data", "model"}}
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
		l.rows = append(l.rows, []any{"sweeps/" + e.Name(), s.Len(), s.Data.Name, s.Model})
		names = append(names, map[string]any{"file": "sweeps/" + e.Name(), "trials": s.Len(), "data": s.Data.Name, "model": s.Model})
	}
	l.json = map[string]any{"schema": 1, "recipes": names}
	return l.print(c)
}
