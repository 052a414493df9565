package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"sweep"
	"sweep/results"
	"sweep/search"
	"sweep/workflows"
)

var extendCommand = &cli.Command{
	Name: "extend", Usage: "give a running or finished sweep a changed file", ArgsUsage: "FILE",
	Description: `FILE has the name of a sweep of the results file. What is new in it is run, what was run before
counts, and what it lists no more is not run, while results that are there stay. How trials are run
(parallel, retries, ...) may change too, for those that start from now on. Data, model, delta and
whatever else makes trials comparable may not: that is another sweep, with a name of its own.`,
	Flags: append([]cli.Flag{
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "leave out trials that FILE lists no more without asking"},
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "run it in the background and return"},
		partlyFlag, classFlag, priorityFlag,
	}, hostFlags...),
	Action: func(c *cli.Context) error {
		s, err := readSweepFile(c)
		if err != nil {
			return err
		}
		return extendSweep(c, s)
	},
}

func extendSweep(c *cli.Context, s *search.Sweep) error {
	ctx, file := c.Context, c.Args().First()
	p, err := placeOf(c)
	if err != nil {
		return err
	}
	info, added, err := changes(ctx, p, s)
	if err != nil {
		return err
	}
	if info.OwnSeeds {
		s = s.WithOwnSeeds(info.ID)
	}
	if info.Text == s.Text && added.New == 0 {
		fmt.Fprintf(c.App.ErrWriter, "%s: the file is as it was; `sweep resume %s` goes on with what is left\n", info.ID, info.ID)
		return nil
	}
	if added.Gone > info.Counts.Gone {
		if err := confirm(c, fmt.Sprintf("%d trials that are not in the file any more will not be run", added.Gone-info.Counts.Gone)); err != nil {
			return err
		}
	}
	if err := affordable(ctx, c, p, info.ID, s); err != nil {
		return err
	}
	role, err := roleOf(c)
	if err != nil {
		return err
	}
	if err := override(c, s); err != nil {
		return err
	}
	joined, err := whileRunning(ctx, p, info.ID, func(h *host) error {
		entered, err := workflows.Submit(ctx, h.client, h.queue(), h.key(), workflows.Submission{Sweep: info.ID, File: file, Text: s.Text})
		if err != nil {
			return err
		}
		in := sweepInput(h, info.ID, s, role)
		a, err := workflows.Update(ctx, h.client, info.ID, workflows.UpdateExtended, in)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.App.ErrWriter, describeEntered(info.ID, entered))
		_, err = fmt.Fprintln(c.App.ErrWriter, describeExtended(info.ID, a, in.Parallel))
		return err
	})
	if joined || err != nil {
		return err
	}
	return runSweep(c, p, info.ID, s, file)
}

// describeExtended tells what a running sweep does after it took a file over that
// asks for so many trials at a time.
func describeExtended(id sweep.SweepID, a workflows.Answer, asked int) string {
	why := ""
	if a.Parallel != asked {
		why = ", as `sweep set parallel` has it"
	}
	if a.Paused {
		return fmt.Sprintf("it is paused: %d trials still run, and no others start until `sweep resume %s`; then up to %d at a time%s", a.Running, id, a.Parallel, why)
	}
	return fmt.Sprintf("it is running: %d trials now, up to %d at a time%s; `sweep wait %s` waits for it", a.Running, a.Parallel, why, id)
}

// changes finds the sweep that s extends, and what it would change.
func changes(ctx context.Context, p place, s *search.Sweep) (results.SweepInfo, results.Added, error) {
	var info results.SweepInfo
	id, err := sweepFor(ctx, p, s)
	if err != nil {
		return info, results.Added{}, err
	}
	r, err := p.reader(ctx)
	if err != nil {
		return info, results.Added{}, err
	}
	defer r.Close()
	if info, err = r.Sweep(ctx, string(id)); errors.Is(err, sweep.ErrNotFound) {
		err = hinted{fmt.Errorf("sweep named %q: %w", s.Name, sweep.ErrNotFound), "`sweep start` begins one, `sweep list` names those in the results file"}
	}
	if err != nil {
		return info, results.Added{}, err
	}
	if info.OwnSeeds {
		s = s.WithOwnSeeds(id)
	}
	kept, err := keptTrials(ctx, r, id, s)
	if err != nil {
		return info, results.Added{}, err
	}
	added, err := r.Compare(ctx, id, trialRecords(id, s, kept))
	return info, added, err
}

// confirm asks before something that cannot be guessed to be wanted. Without a
// terminal to ask at, --yes must say it.
func confirm(c *cli.Context, what string) error {
	if c.Bool("yes") {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usagef("%s; --yes says that this is meant", what)
	}
	fmt.Fprintf(c.App.ErrWriter, "%s. Go on? [y/N] ", what)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err != nil || answer != "y" && answer != "yes" {
		return &exitError{exitInterrupted, errors.New("nothing was changed")}
	}
	return nil
}
