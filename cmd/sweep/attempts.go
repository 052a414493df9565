package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"sweep/results"
)

// listAttempts has a row for each attempt: which worker had it, how far it came,
// how it ended, and whether the next one went on with its noise.
func listAttempts(attempts []results.AttemptRow) listing {
	l := listing{
		headings: []string{"trial", "attempt", "began", "seconds", "from step", "to step", "noise", "end", "worker", "reason"},
		json:     map[string]any{"schema": 1, "attempts": attempts},
	}
	if attempts == nil {
		l.json = map[string]any{"schema": 1, "attempts": []results.AttemptRow{}}
	}
	for _, a := range attempts {
		var seconds any
		if !a.Ended.IsZero() {
			seconds = round2(a.Ended.Sub(a.Started).Seconds())
		}
		l.rows = append(l.rows, []any{
			string(a.Trial), a.Number, a.Started.Local().Format(time.DateTime), seconds, a.FromStep, a.LastStep, a.NoiseID,
			endOf(a.Attempt), a.Worker, firstLine(a.Reason),
		})
	}
	return l
}

// endOf is how an attempt ended, in a word.
func endOf(a results.Attempt) string {
	switch {
	case a.Failure != "":
		return string(a.Failure)
	case a.Ended.IsZero():
		return "running"
	}
	return "completed"
}

// showTrial prints a trial in full: as JSON for programs, and to people what
// happened to it, in tables.
func showTrial(c *cli.Context, t results.Trial) error {
	format := c.String("output")
	if format == "json" || !c.IsSet("output") && !isTerminal(c.App.Writer) {
		return printJSON(c.App.Writer, map[string]any{"schema": 1, "trial": t})
	}
	rows := make([]results.AttemptRow, len(t.Attempts))
	for i, a := range t.Attempts {
		rows[i] = results.AttemptRow{Trial: t.ID, Attempt: a}
	}
	attempts := listAttempts(rows)
	if format == "csv" { // which holds one table
		return attempts.print(c)
	}
	fmt.Fprintf(c.App.Writer, "trial %s: %s, %d steps charged\n", t.ID, t.State, t.Steps)
	for _, m := range t.Sweeps {
		fmt.Fprintf(c.App.Writer, "in sweep %s: %s\n", m.Sweep, m.Label)
	}
	if o := t.Outcome; o != nil {
		fmt.Fprintf(c.App.Writer, "accuracy %.2f %% on the %s split after %d steps, weights %s\n", 100*o.Accuracy, o.Split, o.Steps, o.WeightsDigest)
	}
	if t.Test != nil {
		fmt.Fprintf(c.App.Writer, "test %.2f %%, of the same weights on the test split, by which nothing is chosen\n", 100**t.Test)
	}
	for _, l := range []listing{attempts, listCheckpoints(t.Checkpoints), listNotes(t.Notes)} {
		if len(l.rows) == 0 {
			continue
		}
		fmt.Fprintln(c.App.Writer)
		if err := l.print(c); err != nil {
			return err
		}
	}
	return nil
}

func listCheckpoints(checkpoints []results.Checkpoint) listing {
	l := listing{headings: []string{"checkpoint of attempt", "step", "KiB", "accuracy %", "store", "kept", "flaw"}}
	for _, c := range checkpoints {
		var accuracy any
		if c.Accuracy != 0 {
			accuracy = round2(100 * c.Accuracy)
		}
		l.rows = append(l.rows, []any{c.Attempt, c.Step, round2(float64(c.Bytes) / 1024), accuracy, c.Store, yesNo(!c.Removed), c.Flaw})
	}
	return l
}

func listNotes(notes []results.Note) listing {
	l := listing{headings: []string{"attempt", "step", "note"}}
	for _, n := range notes {
		l.rows = append(l.rows, []any{n.Attempt, n.Step, n.Text})
	}
	return l
}
