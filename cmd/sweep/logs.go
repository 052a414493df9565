package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
)

var logsCommand = &cli.Command{
	Name: "logs", Usage: "print what a trial's trainer printed", ArgsUsage: "TRIAL",
	Description: `TRIAL is a trial's id or the beginning of one, as ` + "`sweep trials`" + ` lists them. The log is read from
the sweep's folder; where a worker kept it elsewhere the record has the last lines of attempts that failed.`,
	Flags: append([]cli.Flag{
		&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on until the trial ends, through all its attempts"},
		&cli.IntFlag{Name: "attempt", Usage: "of attempt `N`", DefaultText: "the last"},
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		if c.NArg() != 1 {
			return usagef("logs wants one trial, and was given %d arguments", c.NArg())
		}
		if c.Bool("follow") && c.IsSet("attempt") {
			return usagef("--follow goes through the attempts as they come; leave --attempt out")
		}
		return withReader(c, func(p place, r *results.Reader) error {
			t, err := r.Trial(c.Context, c.Args().First())
			if err != nil {
				return err
			}
			if c.Bool("follow") {
				ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
				defer stop()
				return followLog(ctx, c, p, r, t)
			}
			n := c.Int("attempt")
			if n == 0 {
				n = len(t.Attempts)
			}
			return printLog(c, p, t, n)
		})
	},
}

// printLog prints the log of attempt n, from 1.
func printLog(c *cli.Context, p place, t results.Trial, n int) error {
	if len(t.Attempts) == 0 {
		return &exitError{exitNotFound, fmt.Errorf("trial %s has not begun", t.ID)}
	}
	if n < 1 || n > len(t.Attempts) {
		return &exitError{exitNotFound, fmt.Errorf("trial %s has attempts 1 to %d, and no %d", t.ID, len(t.Attempts), n)}
	}
	a := t.Attempts[n-1]
	l := &logFile{path: p.spool().Log(sweep.AttemptRef{Sweep: a.Sweep, Trial: t.ID, Number: a.Number})}
	err := l.copyTo(c.App.Writer)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if a.LogTail == "" {
		return &exitError{exitNotFound, fmt.Errorf("attempt %d of trial %s has left no log here (it ran on %s)", a.Number, t.ID, orUnknown(a.Worker))}
	}
	fmt.Fprintf(c.App.ErrWriter, "the log is not in %s; these are the last lines, from the record\n", p.spool())
	_, err = io.WriteString(c.App.Writer, a.LogTail)
	return err
}

func orUnknown(worker string) string {
	if worker == "" {
		return "an unknown worker"
	}
	return worker
}

// followLog prints the last attempt's log as it grows, and those of the
// attempts after it, until the trial has a final state or ctx ends.
func followLog(ctx context.Context, c *cli.Context, p place, r *results.Reader, t results.Trial) error {
	n := max(1, len(t.Attempts))
	var l *logFile
	for {
		for ; n <= len(t.Attempts); n++ {
			a := t.Attempts[n-1]
			if l == nil {
				fmt.Fprintf(c.App.ErrWriter, "attempt %d of trial %s, on %s\n", a.Number, t.ID, orUnknown(a.Worker))
				l = &logFile{path: p.spool().Log(sweep.AttemptRef{Sweep: a.Sweep, Trial: t.ID, Number: a.Number})}
			}
			if err := l.copyTo(c.App.Writer); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if a.Ended.IsZero() {
				break
			}
			l = nil
		}
		if t.State == sweep.Completed || t.State == sweep.Failed {
			fmt.Fprintf(c.App.ErrWriter, "trial %s: %s\n", t.ID, t.State)
			return nil
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return nil
		}
		var err error
		if t, err = r.Trial(ctx, string(t.ID)); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// A logFile is read as far as it has grown.
type logFile struct {
	path   string
	offset int64
}

func (l *logFile) copyTo(w io.Writer) error {
	file, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(l.offset, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(w, file)
	l.offset += n
	return err
}
