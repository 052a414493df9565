package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
	"sweep/search"
	"sweep/sweeps"
	"sweep/workflows"
)

var startCommand = &cli.Command{
	Name:      "start",
	Usage:     "run a sweep file, and end with its frontier",
	ArgsUsage: "FILE",
	Description: `Runs every trial of FILE and prints the epsilon/accuracy frontier. Without a configured
Temporal cluster it runs an embedded server, its web UI and a worker in this process.

Starting the same file again joins the sweep that runs, or resumes it. A changed file under
the same name extends it: what is new is run. Ctrl-C once lets trainers write checkpoints
and stops; twice ends them at once.`,
	Flags: append([]cli.Flag{
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "start it in the background and return"},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "start a large sweep without asking"},
		noReuseFlag,
		classFlag, priorityFlag,
		partlyFlag,
	}, hostFlags...),
	Action: func(c *cli.Context) error {
		s, err := readSweepFile(c)
		if err != nil {
			return err
		}
		return startSweep(c, s)
	},
}

var (
	classFlag    = &cli.StringFlag{Name: "queue", Usage: "train on workers of this `CLASS`, whatever the file's run.queue says"}
	priorityFlag = &cli.IntFlag{Name: "priority", Usage: "among sweeps that share workers, `N` from 1 (served first) to 5, whatever the file's run.priority says"}
)

// override has the command line's class of workers and priority take the place
// of the file's.
func override(c *cli.Context, s *search.Sweep) error {
	if c.IsSet("priority") {
		if s.Run.Priority = c.Int("priority"); s.Run.Priority < 1 || s.Run.Priority > 5 {
			return usagef("--priority %d: 1 is served first, 5 last", s.Run.Priority)
		}
	}
	if c.IsSet("queue") {
		s.Run.Queue = c.String("queue")
	}
	return nil
}

// readSweepFile parses the command's one argument.
func readSweepFile(c *cli.Context) (*search.Sweep, error) {
	if c.NArg() != 1 {
		return nil, usagef("%s wants one sweep file, and was given %d arguments", c.Command.Name, c.NArg())
	}
	file := c.Args().First()
	text, err := readFile(file)
	if err != nil {
		return nil, &exitError{exitUsage, hinted{err, "`sweep recipes` lists the files that come with sweep"}}
	}
	return search.Parse(file, text)
}

// readFile reads a sweep file, or the one of that name that comes with sweep.
func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err == nil {
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, search.MaxFile+1)) // of one that is larger, enough to be refused
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if built, builtErr := fs.ReadFile(sweeps.FS, strings.TrimPrefix(file, "sweeps/")); builtErr == nil {
		return built, nil
	}
	return nil, err
}

// startSweep runs s, or goes on with it.
func startSweep(c *cli.Context, s *search.Sweep) error {
	ctx := c.Context
	p, err := placeOf(c)
	if err != nil {
		return err
	}
	here := !configured() && !serverRuns(p)
	if err := preflight(s, p.data, here); err != nil {
		return err
	}
	if here {
		if err := findTrainer(s); err != nil {
			return err
		}
	}
	id, err := sweepFor(ctx, p, s)
	if err != nil {
		return err
	}
	if id, s, err = reusing(c, p, id, s); err != nil {
		return err
	}
	if err := confirmLarge(c, s); err != nil {
		return err
	}
	// Calibration errors are the file's; they are told before anything starts.
	s.Prepare(calibrate)
	for _, err := range s.Trials(calibrate) {
		if err != nil {
			return err
		}
	}
	if _, err := s.Selections(id, calibrate); err != nil {
		return err
	}
	return runSweep(c, p, id, s, c.Args().First())
}

// sweepFor is the id under which s runs: its own, or that of the sweep of its
// name which it extends.
func sweepFor(ctx context.Context, p place, s *search.Sweep) (sweep.SweepID, error) {
	r, err := results.OpenReader(ctx, p.db)
	if errors.Is(err, fs.ErrNotExist) {
		return s.ID(), nil
	}
	if err != nil {
		return "", err
	}
	defer r.Close()
	old, err := r.FindByName(ctx, s.Name)
	if errors.Is(err, sweep.ErrNotFound) {
		return s.ID(), nil
	}
	if err != nil || old.ID == s.ID() {
		return s.ID(), err
	}
	before, err := search.Parse(old.File, []byte(old.Text))
	if err != nil {
		return "", fmt.Errorf("the file that sweep %s was started with: %w", old.ID, err)
	}
	if before.ID() == s.ID() { // started with --no-reuse, beside an earlier one
		return old.ID, nil
	}
	if err := search.Extends(before, s); err != nil {
		return "", &exitError{exitUsage, err}
	}
	return old.ID, nil
}

// onCluster is how many trials a sweep that does not say has in flight on a
// cluster, whose workers nobody counts. Those that find no worker wait.
const onCluster = 32

// lostAfter is how long a worker may be silent; 0 leaves that to workflows.
// Tests have less time.
var lostAfter time.Duration

// waitReady is how many trials stand ready for a slot of this process, so that
// one that becomes free need not wait for the record and the workflows.
const waitReady = 2

// sweepInput is what the sweep's workflow is told.
func sweepInput(h *host, id sweep.SweepID, s *search.Sweep, r role) workflows.SweepInput {
	parallel := s.Run.Parallel
	if parallel == 0 {
		parallel, _ = shares(r)
		if h.cluster {
			parallel = onCluster
		}
	}
	in := workflows.SweepInput{
		Sweep: id, ResultsQueue: h.queue(), TrainQueue: workflows.Sealed(workflows.ClassQueue(s.Run.Queue), h.key()),
		Parallel: parallel, Priority: s.Run.Priority, Private: h.payloadKey != "", Spool: h.spool(),
		Settings: workflows.Settings{
			Retries: s.Run.Retries, GPUs: s.Run.GPUsPerTrial, EvaluateEvery: s.Run.EvaluateEvery, EvaluateTest: s.Run.EvaluateTest,
			CheckpointEvery: s.Run.CheckpointEvery, TrialTimeout: s.Run.TrialTimeout, KeepWeights: s.Run.KeepWeights,
			Checkpoints: h.checkpoints, LostAfter: lostAfter, AtOnce: parallel,
		},
	}
	if atOnce, _ := shares(r); h.owner && atOnce <= parallel && !s.Adaptive() {
		in.Ahead = min(atOnce+waitReady, workflows.MaxParallel-parallel)
	}
	in.RetryFailed = r.retry
	if s.Trainer != nil {
		in.Settings.Trainer = workflows.Trainer{Command: s.Trainer.Command, SHA256: s.Trainer.SHA256}
	}
	return in
}

// enterer enters sweep files into a record: parses them and adds their trials.
func enterer(store *results.Store) func(context.Context, workflows.Submission) (workflows.Entered, error) {
	return func(ctx context.Context, sub workflows.Submission) (workflows.Entered, error) {
		s, err := search.Parse(sub.File, []byte(sub.Text))
		if err != nil {
			return workflows.Entered{}, fmt.Errorf("%w: %w", workflows.ErrBadFile, err)
		}
		own, err := ownSeeds(ctx, store.Reader, sub)
		if err != nil {
			return workflows.Entered{}, err
		}
		if own {
			s = s.WithOwnSeeds(sub.Sweep)
		}
		s.Prepare(calibrate)
		if _, err := s.Selections(sub.Sweep, calibrate); err != nil {
			return workflows.Entered{}, fmt.Errorf("%w: %w", workflows.ErrBadFile, err)
		}
		for range s.Trials(calibrate) { // the record is locked while it draws trials: they must come without waiting
			if ctx.Err() != nil {
				return workflows.Entered{}, context.Cause(ctx)
			}
		}
		kept, err := keptTrials(ctx, store.Reader, sub.Sweep, s)
		if err != nil {
			return workflows.Entered{}, err
		}
		r := sweepRecord(sub.Sweep, sub.File, s)
		r.OwnSeeds = own
		added, err := store.AddSweep(ctx, r, trialRecords(sub.Sweep, s, kept))
		return workflows.Entered{New: added.New, Known: added.Known, Reused: added.Reused, Gone: added.Gone}, err
	}
}

// ownSeeds reports whether the submitted sweep has seeds of its own: what it was
// entered with holds.
func ownSeeds(ctx context.Context, r *results.Reader, sub workflows.Submission) (bool, error) {
	info, err := r.Sweep(ctx, string(sub.Sweep))
	if errors.Is(err, sweep.ErrNotFound) {
		return sub.OwnSeeds, nil
	}
	return info.OwnSeeds, err
}

func sweepRecord(id sweep.SweepID, file string, s *search.Sweep) results.SweepRecord {
	r := results.SweepRecord{
		ID: id, Name: s.Name, File: file, Text: s.Text, Accountant: s.Privacy.Accountant,
		Delta: s.Privacy.Delta, Disclosure: s.Disclosure, Versions: versions(),
	}
	if s.Adaptive() {
		r.Most = s.Most()
	}
	return r
}

// record is a results.Store in the workflows' terms.
type record struct{ *results.Store }

func (r record) MarkSweep(ctx context.Context, id sweep.SweepID, state string) error {
	return r.SetSweepState(ctx, id, results.SweepState(state), "")
}
