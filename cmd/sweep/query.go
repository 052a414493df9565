package main

import (
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"sweep/results"
)

var queryCommand = &cli.Command{
	Name: "query", Usage: "answer an SQL query about the record", ArgsUsage: "SQL | -",
	Description: `The record is one SQLite file, and this reads it while sweeps run, without sqlite3 being installed:

    sweep query 'SELECT * FROM frontier'
    sweep query -o csv 'SELECT trial, epsilon, accuracy FROM trial_results' >trials.csv
    sweep query - <question.sql

Views for people are trial_results, point_results, frontier, sweep_progress and curves; results/README.md
describes every column and has a dozen queries to begin with. Whatever is no query is refused.`,
	Flags: append([]cli.Flag{outputFlag}, placeFlags...),
	Action: func(c *cli.Context) error {
		text, err := queryText(c)
		if err != nil {
			return err
		}
		return withReader(c, func(_ place, r *results.Reader) error {
			t, err := r.Query(c.Context, text)
			if err != nil {
				return &exitError{exitUsage, hinted{err, "`sweep query \"SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')\"` lists what there is to ask"}}
			}
			return printTable(c, t)
		})
	},
}

// queryText is the query: the argument, or standard input.
func queryText(c *cli.Context) (string, error) {
	text := c.Args().First()
	if text == "-" {
		all, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
		if err != nil {
			return "", err
		}
		text = string(all)
	}
	if c.NArg() != 1 || strings.TrimSpace(text) == "" {
		return "", usagef("one query belongs here, in quotes, or - to read it from standard input")
	}
	return text, nil
}

// printTable prints rows as they come, where the format lets it.
func printTable(c *cli.Context, t results.Table) error {
	switch c.String("output") {
	case "csv":
		return tableCSV(c.App.Writer, t)
	case "json":
		return tableJSON(c.App.Writer, t)
	}
	l := listing{headings: t.Columns}
	for row, err := range t.Rows {
		if err != nil {
			return err
		}
		for i, v := range row {
			row[i] = printable(v)
		}
		l.rows = append(l.rows, row)
	}
	return l.print(c)
}

// printable is a value as a program or a person can read it.
func printable(v any) any {
	if blob, ok := v.([]byte); ok {
		return hex.EncodeToString(blob)
	}
	return v
}

func tableCSV(w io.Writer, t results.Table) error {
	out := csv.NewWriter(w)
	if err := out.Write(t.Columns); err != nil {
		return err
	}
	fields := make([]string, len(t.Columns))
	for row, err := range t.Rows {
		if err != nil {
			out.Flush()
			return errors.Join(err, out.Error())
		}
		for i, v := range row {
			fields[i] = exact(printable(v))
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// tableJSON prints {"schema": 1, "columns": [...], "rows": [[...], ...]}, a row a
// line: columns may share a name, which the keys of an object may not.
func tableJSON(w io.Writer, t results.Table) error {
	columns, err := json.Marshal(t.Columns)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, `{"schema": 1, "columns": %s, "rows": [`, columns); err != nil {
		return err
	}
	separator := "\n"
	for row, err := range t.Rows {
		if err != nil {
			return err
		}
		for i, v := range row {
			row[i] = printable(v)
			if f, ok := v.(float64); ok {
				row[i] = jsonFloat(f)
			}
		}
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s%s", separator, line); err != nil {
			return err
		}
		separator = ",\n"
	}
	_, err = fmt.Fprintln(w, "\n]}")
	return err
}
