package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
	"sweep/search"
	"sweep/workflows"
)

// pollEvery is how often a display looks at the record.
const pollEvery = 500 * time.Millisecond

// sameAsking is how close together two signals are one request to stop.
const sameAsking = 300 * time.Millisecond

// endWithin is how long a sweep that is told to end has for that before its process
// ends without it; closing down takes the rest of drainGrace. Tests have less.
var endWithin = 20 * time.Second

// errServerGone says that the process with the embedded server has ended.
var errServerGone = errors.New("the process that ran the sweep has ended")

// runSweep enters s under id, runs it and stays with it until it ends. If the
// process that does the work dies, this one takes over.
func runSweep(c *cli.Context, p place, id sweep.SweepID, s *search.Sweep, file string) error {
	if err := tryCheckpoints(c.Context, p.checkpoints); err != nil {
		return err
	}
	if err := affordable(c.Context, c, p, id, s); err != nil {
		return err
	}
	if err := override(c, s); err != nil {
		return err
	}
	r, err := roleOf(c)
	if err != nil {
		return err
	}
	if queue := workflows.ClassQueue(s.Run.Queue); !slices.Contains(r.queues, queue) {
		r.queues = append(r.queues, queue)
	}
	log, closeLog, err := openLog(c, p)
	if err != nil {
		return err
	}
	defer closeLog()
	talk := c.App.ErrWriter
	r.retry = c.Command.Name == "retry"
	r.record, r.train, r.logger = true, !configured(), log
	r.trouble = func(what string) { fmt.Fprintf(talk, "sweep: temporal server: %s\n", what) }
	if r.atOnce == 0 {
		r.atOnce = s.Run.Parallel
	}
	for fresh := true; ; fresh = false {
		err := runOnce(c, p, id, s, r, file, fresh)
		if errors.Is(err, errStale) {
			continue // what the server itself has said is enough
		}
		if !errors.Is(err, errServerGone) {
			return err
		}
		fmt.Fprintln(talk, "the process that ran this sweep has ended; this one takes over")
	}
}

// runOnce runs or joins the sweep with one host. Whatever goes wrong because
// that host has died is errServerGone.
func runOnce(c *cli.Context, p place, id sweep.SweepID, s *search.Sweep, r role, file string, fresh bool) (err error) {
	ctx, talk, detach := c.Context, c.App.ErrWriter, c.Bool("detach")
	if detach {
		if err := spawnServer(ctx, c, p); err != nil {
			return err
		}
	}
	h, err := openHost(ctx, p, r)
	if err != nil {
		return err
	}
	defer func() {
		switch {
		case err != nil && h.isStale():
			r.carried.take(h, r)
			err = errStale
		case err != nil && h.serverGone():
			err = errServerGone
		}
		if closing := h.close(); err == nil {
			err = closing
		}
	}()
	if detach && (h.owner || h.serves) {
		return errServerGone // the background server has just ended: start another
	}
	if err := submit(ctx, c, h, id, s, r, file, fresh); err != nil {
		return err
	}
	if detach {
		where := fmt.Sprintf(" (process %d)", h.serverPID)
		if h.cluster {
			where = "; results come in while a process serves the results file"
		}
		fmt.Fprintf(talk, "it runs in the background%s; `sweep wait %s` waits for it\n", where, id)
		return nil
	}
	if err := follow(ctx, h, id, talk, endWithin+finishFor(r.grace)); err != nil {
		return err
	}
	if err := showFrontier(c, h.place, id); err != nil {
		return err
	}
	if h.owner {
		if err := serveOthers(ctx, h, talk); err != nil {
			return err
		}
	}
	return verdict(ctx, h.place, id)
}

// submit enters the file, tells what it adds and starts the workflow.
func submit(ctx context.Context, c *cli.Context, h *host, id sweep.SweepID, s *search.Sweep, r role, file string, fresh bool) error {
	talk := c.App.ErrWriter
	entered, err := workflows.Submit(ctx, h.client, h.queue(), h.key(), workflows.Submission{Sweep: id, File: file, Text: s.Text, OwnSeeds: c.Bool(noReuseFlag.Name)})
	if err != nil {
		return err
	}
	if fresh {
		fmt.Fprintln(talk, describeEntered(id, entered))
		tellDoubts(talk, s)
		fmt.Fprintf(talk, "results   %s\n", h.db)
		if h.uiURL != "" {
			fmt.Fprintf(talk, "temporal  %s\n", h.uiURL)
		}
		fmt.Fprintf(talk, "next      sweep status %[1]s\n          sweep trials %[1]s\n          sweep frontier %[1]s\n          sweep stop %[1]s\n", id)
	}
	in := sweepInput(h, id, s, r)
	if c.Bool(partlyFlag.Name) {
		in.Ahead = 0 // no trial claims its share of the budget before it can run
	}
	if !in.Private {
		if in.Attributes, err = workflows.KnowsAttributes(ctx, h.client, h.namespace); err != nil {
			return err
		}
	}
	if fresh && !h.owner {
		if n, err := workflows.Workers(ctx, h.client, h.namespace, in.TrainQueue); err == nil && n == 0 {
			fmt.Fprintf(talk, "note      no worker serves this sweep's queue; %s does\n", workerCall(s.Run.Queue))
		}
	}
	if err := workflows.Start(ctx, h.client, h.namespace, h.served(workflows.SweepQueue), in); err != nil || c.Command.Name != "resume" && c.Command.Name != "retry" {
		return err
	}
	if r.retry { // a workflow that was there already has not read its input
		if _, err := workflows.Update(ctx, h.client, id, workflows.UpdateRetry); err != nil && !errors.Is(err, workflows.ErrNotRunning) {
			return err
		}
	}
	err = workflows.Signal(ctx, h.client, id, workflows.SignalResume)
	if r.retry && errors.Is(err, workflows.ErrNotRunning) {
		return nil // it is through with them
	}
	return err
}

// workerCall is the command that serves a class of workers.
func workerCall(class string) string {
	if class == "" {
		return "`sweep worker`"
	}
	return "`sweep worker --queue " + class + "`"
}

func describeEntered(id sweep.SweepID, e workflows.Entered) string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(e.New, "new")
	add(e.Known, "known before")
	add(e.Reused, "finished by another sweep")
	add(e.Gone, "no longer in the file and not run")
	if len(parts) == 0 {
		parts = []string{"as its strategy asks for them"}
	}
	return fmt.Sprintf("sweep %s: trials: %s", id, strings.Join(parts, ", "))
}

// follow shows the sweep's progress until its workflow has ended. Told to stop, it
// waits for that no longer than patience: a record that is locked or on a full
// disk may keep the sweep from ending, and the machine may be about to go.
func follow(ctx context.Context, h *host, id sweep.SweepID, talk io.Writer, patience time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := results.OpenReader(ctx, h.db)
	if err != nil {
		return err
	}
	defer r.Close()
	ended := make(chan error, 1)
	go func() { ended <- workflows.Wait(ctx, h.client, id) }()
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGUSR1) // SIGUSR1 is Slurm's warning
	defer signal.Stop(signals)

	d := newDisplay(talk, r, id)
	defer d.close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	asked, lastAsked := 0, time.Time{}
	var enough <-chan time.Time
	for {
		select {
		case <-enough:
			return &exitError{exitInterrupted, hinted{
				fmt.Errorf("the sweep has not ended within %v of being told to: results cannot be written, or trainers are still writing checkpoints", patience),
				fmt.Sprintf("what they came to is kept; `sweep resume %s` records it and goes on", id)}}
		case err := <-ended:
			if err != nil && h.serverGone() {
				return errServerGone
			}
			return errors.Join(d.update(ctx), err)
		case <-h.stale():
			return errStale
		case <-tick.C:
			if h.serverGone() {
				return errServerGone
			}
			if err := errors.Join(d.update(ctx), pausedItself(ctx, r, id)); err != nil {
				return err
			}
		case <-signals:
			if time.Since(lastAsked) < sameAsking {
				continue // a shell, a batch system and timeout(1) each send their own
			}
			asked, lastAsked = asked+1, time.Now()
			if err := interrupted(ctx, h, id, d, asked); err != nil {
				return err
			}
			if asked == 1 {
				enough = time.After(patience)
			}
		}
	}
}

// interrupted answers the asked-th Ctrl-C.
func interrupted(ctx context.Context, h *host, id sweep.SweepID, d *display, asked int) error {
	if !h.owner && !h.serves { // on a cluster this process serves the record, and the sweep ends with it
		return &exitError{exitInterrupted, hinted{
			errors.New("no longer watching; the sweep goes on"), fmt.Sprintf("`sweep cancel %s` ends it, `sweep wait %s` watches it again", id, id)}}
	}
	switch asked {
	case 1:
		d.say("stopping: trainers write checkpoints (Ctrl-C again ends them at once)")
		err := workflows.Cancel(ctx, h.client, id)
		if errors.Is(err, workflows.ErrNotRunning) {
			return nil
		}
		return err
	case 2:
		d.say("ending trainers without a checkpoint (Ctrl-C again ends this process)")
		return running.kill()
	default:
		os.Exit(exitInterrupted) // trainers die with it; what is on disk is enough to resume
		return nil
	}
}

// serveOthers keeps this process, which is the server, alive for sweeps that
// were started from other shells.
func serveOthers(ctx context.Context, h *host, talk io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	for said := false; ; said = true {
		others, err := openSweeps(ctx, h)
		if err != nil || len(others) == 0 {
			return err
		}
		if !said {
			fmt.Fprintf(talk, "still running sweeps of other shells: %s (Ctrl-C leaves them to be resumed)\n", strings.Join(others, ", "))
		}
		select {
		case <-time.After(time.Second):
		case <-h.stale():
			return errStale
		case <-ctx.Done():
			return nil
		}
	}
}

// verdict is the exit status that the sweep's final state asks for.
func verdict(ctx context.Context, p place, id sweep.SweepID) error {
	r, err := p.reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	info, err := r.Sweep(ctx, string(id))
	if err != nil {
		return err
	}
	n := info.Counts
	switch {
	case n.Completed == n.Trials:
		return nil
	case n.Completed+n.Failed == n.Trials:
		return &exitError{exitFailed, hinted{fmt.Errorf("%d of %d trials failed", n.Failed, n.Trials), fmt.Sprintf("`sweep trials %s --state failed` says why", id)}}
	}
	left := n.Trials - n.Completed - n.Failed
	if info.Cause == sweep.CauseBudget {
		return &exitError{exitBudget, hinted{
			fmt.Errorf("stopped with %d of %d trials left: %s", left, n.Trials, info.Reason),
			fmt.Sprintf("`sweep budget show` says what was spent; with more room, `sweep resume %s` goes on", id)}}
	}
	return &exitError{exitInterrupted, hinted{fmt.Errorf("stopped with %d of %d trials left", left, n.Trials), fmt.Sprintf("`sweep resume %s` goes on", id)}}
}
