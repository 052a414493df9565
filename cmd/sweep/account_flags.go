package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// questionOf is the question that the flags pose: what is missing is asked.
func questionOf(c *cli.Context) (q privacyQuestion, err error) {
	q.Relation, q.Unit, q.Accountant = c.String("relation"), c.String("unit"), c.String("accountant")
	if q.Spent, err = phasesIn(c.StringSlice("spent")); err != nil {
		return q, fmt.Errorf("--spent: %w", err)
	}
	delta := c.Float64("delta")
	if words := c.String("audit"); words != "" {
		q.Audit, q.Delta = new(auditCounts), &delta
		if err := wordsInto(strings.Fields(words), q.Audit); err != nil {
			return q, fmt.Errorf("--audit: %w", err)
		}
		return q, nil
	}
	if law := c.String("select"); law != "" {
		q.Select = &selectionLaw{Law: law, Mean: c.Float64("mean"), Shape: c.Float64("shape")}
	} else if c.IsSet("mean") || c.IsSet("shape") {
		return q, fmt.Errorf("--mean and --shape are for --select")
	}
	if events := c.StringSlice("event"); len(events) > 0 {
		return q.aboutEvents(c, events)
	}
	run := phaseOf(c)
	q.Phases = []phase{run}
	if c.IsSet("epsilon") {
		epsilon := c.Float64("epsilon")
		q.Epsilon = &epsilon
	}
	return q.asking(run, c.IsSet("delta"), delta)
}

// aboutEvents asks for ε of what --event names, or for δ.
func (q privacyQuestion) aboutEvents(c *cli.Context, events []string) (privacyQuestion, error) {
	for _, name := range []string{"n", "batch", "q", "sigma", "steps", "epochs", "truncate"} {
		if c.IsSet(name) {
			return q, fmt.Errorf("--event says what was done; --%s has no place beside it", name)
		}
	}
	var err error
	if q.Phases, err = phasesIn(events); err != nil {
		return q, fmt.Errorf("--event: %w", err)
	}
	epsilon, delta := c.Float64("epsilon"), c.Float64("delta")
	switch {
	case !c.IsSet("epsilon"):
		q.Delta = &delta
	case c.IsSet("delta"):
		return q, fmt.Errorf("--epsilon asks for delta and --delta for epsilon: give one")
	default:
		q.Epsilon = &epsilon
	}
	return q, nil
}

// phaseOf is what the flags say of the training that is asked about.
func phaseOf(c *cli.Context) phase {
	p := phase{Sampling: c.String("sampling")}
	count := func(name string, to **whole) {
		if c.IsSet(name) {
			w := whole(c.Int(name))
			*to = &w
		}
	}
	number := func(name string, to **float64) {
		if c.IsSet(name) {
			x := c.Float64(name)
			*to = &x
		}
	}
	count("n", &p.N)
	count("batch", &p.Batch)
	count("steps", &p.Steps)
	count("truncate", &p.Truncate)
	number("q", &p.Q)
	number("sigma", &p.Sigma)
	number("epochs", &p.Epochs)
	return p
}

// asking completes q by what run leaves open.
func (q privacyQuestion) asking(run phase, deltaGiven bool, delta float64) (privacyQuestion, error) {
	rated := run.Q != nil || run.Batch != nil || run.Sampling == noSampling || run.Sampling == shuffled
	lengthy := run.Steps != nil || run.Epochs != nil
	var open []string
	for _, p := range []struct {
		given bool
		name  string
	}{{run.Sigma != nil, askSigma}, {lengthy, askSteps}, {rated, askBatch}} {
		if !p.given {
			open = append(open, p.name)
		}
	}
	switch {
	case q.Epsilon == nil && len(open) == 0:
		q.Delta = &delta
		return q, nil
	case q.Epsilon != nil && len(open) == 0 && deltaGiven:
		return q, fmt.Errorf("all of it is given; leave out what is asked")
	case q.Epsilon != nil && len(open) == 0:
		return q, nil
	case q.Epsilon == nil && len(open) == 1 && !rated:
		return q, fmt.Errorf("give the sampling rate: --n and --batch, or --q; or --epsilon, and the rate is calculated")
	case q.Epsilon == nil && len(open) > 1 && !rated:
		return q, fmt.Errorf("give the sampling rate: --n and --batch, or --q; and two of --sigma, --steps and --epsilon")
	case len(open) != 1 || q.Epsilon == nil:
		return q, fmt.Errorf("give two of --sigma, --steps and --epsilon: the third is calculated")
	}
	q.Calibrate, q.Delta = open[0], &delta
	if open[0] == askBatch && run.N == nil {
		q.Calibrate = askRate
	}
	return q, nil
}

// phasesIn reads phases from words or files.
func phasesIn(texts []string) ([]phase, error) {
	var all []phase
	for _, text := range texts {
		p, err := phaseIn(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// phaseIn reads "q=0.1 sigma=2 steps=10", "laplace scale=2 count=3", or the name
// of a file with an event.
func phaseIn(text string) (p phase, err error) {
	words := strings.Fields(text)
	switch {
	case !strings.Contains(text, "="):
		p.Event, err = eventIn(text)
		return p, err
	case strings.Contains(words[0], "="):
		return p, wordsInto(words, &p)
	}
	fields, err := fieldsOf(words[1:])
	if err != nil {
		return p, err
	}
	fields["type"] = words[0]
	p.Event, err = json.Marshal(fields)
	return p, err
}

func eventIn(path string) (json.RawMessage, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}

// wordsInto reads words like "sigma=2" into the fields of their names.
func wordsInto(words []string, to any) error {
	fields, err := fieldsOf(words)
	if err != nil {
		return err
	}
	form, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(form))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

func fieldsOf(words []string) (map[string]any, error) {
	fields := make(map[string]any)
	for _, word := range words {
		name, text, ok := strings.Cut(word, "=")
		if !ok || name == "" || text == "" {
			return nil, fmt.Errorf("%q is not of the form name=value", word)
		}
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		fields[name] = text
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			fields[name] = json.Number(text)
		}
	}
	return fields, nil
}
