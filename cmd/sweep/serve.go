package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/workflowservice/v1"

	"sweep/results"
	"sweep/workflows"
	"sweep/workflows/devserver"
)

// idleFor is how long a background server without sweeps waits for the next.
// Tests have less time.
var idleFor = 10 * time.Second

var serverCommand = &cli.Command{
	Name: "server", Usage: "run the embedded Temporal server, its UI and a worker until interrupted",
	Description: `Other shells' start, status and cancel find it by the results file. Everything is bound to
127.0.0.1; the printed address of the UI carries a token. SIGTERM lets trainers write
checkpoints and leaves running sweeps to go on at the next start.

With TEMPORAL_ADDRESS or a profile of Temporal's own configuration it runs no server, but serves
the results file to that cluster, so that sweeps can be started there with --detach; ` + "`sweep worker`" + `
processes train.`,
	Flags: append([]cli.Flag{
		queuesFlag,
		&cli.BoolFlag{Name: "until-idle", Usage: "end when no sweep is left to run"},
		&cli.StringFlag{Name: "listen", Usage: "let workers of other machines in at this `IP` address of this one; they need the certificates in the results folder", DefaultText: "127.0.0.1, this machine alone"},
		&cli.BoolFlag{Name: "no-train", Usage: "leave training to `sweep worker` processes"},
		makeCurrentFlag,
	}, serveFlags...),
	Action: func(c *cli.Context) error {
		p, err := placeOf(c)
		if err != nil {
			return err
		}
		return serve(c, p, func(ctx context.Context, r role) (*host, error) {
			if !configured() {
				r.train, r.listen = !c.Bool("no-train"), c.String("listen")
				return runEmbedded(ctx, p, r)
			}
			r.record = true
			h, err := openCluster(ctx, p, r)
			if err == nil && !h.serves {
				err = errors.Join(&exitError{exitUsage, hinted{fmt.Errorf("%s: %w", p.db, errServed), "sweeps can be started with it as it is"}}, h.close())
			}
			return h, err
		})
	},
}

// serve keeps a host open until a signal, or until it is idle.
func serve(c *cli.Context, p place, open func(context.Context, role) (*host, error)) (err error) {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGUSR1)
	defer signal.Stop(signals)
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	logger, err := newLogger(c, c.App.ErrWriter, slog.LevelInfo)
	if err != nil {
		return err
	}
	r, err := roleOf(c)
	if err != nil {
		return err
	}
	if r.metrics, err = newMetrics(c.String(metricsFlag.Name)); err != nil {
		return err
	}
	talk := newTalker(c, logger)
	r.logger, r.hurry = logger, make(chan struct{})
	r.trouble = func(what string) { talk.say("sweep: temporal server: %s", what) }
	go answerSignals(signals, stop, r, talk)
	for {
		err := serveOnce(ctx, c, r, open, talk)
		if !errors.Is(err, errStale) {
			return err
		}
		if r.metrics, err = newMetrics(c.String(metricsFlag.Name)); err != nil {
			return err
		}
	}
}

// serveOnce keeps one host open. One that is told to end, be it while it opens,
// has done what it should.
func serveOnce(ctx context.Context, c *cli.Context, r role, open func(context.Context, role) (*host, error), talk talker) error {
	h, err := open(ctx, r)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	h.serveMetrics(talk)
	talkOfWork(talk, h, c, r)
	err = untilDone(ctx, h, c.Bool("until-idle"))
	switch {
	case ctx.Err() != nil:
		err = nil
	case errors.Is(err, errStale):
		r.carried.take(h, r)
		_ = h.close() // a server that is given up need not end well
		return err
	}
	return errors.Join(err, h.close())
}

func talkOfWork(talk talker, h *host, c *cli.Context, r role) {
	if h.cluster && h.serves {
		talk.say("serving %s to the cluster", h.db)
	}
	if h.trains {
		atOnce, threads := shares(r)
		var classes []string
		for _, queue := range r.queues {
			classes = append(classes, strings.TrimPrefix(strings.TrimPrefix(queue, workflows.TrainQueue), "-"))
		}
		of := ""
		if named := strings.TrimPrefix(strings.Join(classes, ", "), ", "); named != "" {
			of = ", for sweeps of queue " + named
		}
		talk.say("training up to %d trials at a time, %d threads each, on %s%s", atOnce, threads, devicesText(r.gpus), of)
		if doubt := pluginDoubt(c.Context, r.gpus); doubt != "" {
			talk.say("%s", doubt)
		}
	}
	if h.uiURL != "" {
		talk.say("temporal  %s", h.uiURL)
	}
	if r.listen != "" && h.server != nil {
		talk.say("workers   TEMPORAL_ADDRESS=%s, with the certificates tls-*.pem of %s", h.server.Info().Address, h.state)
	}
}

// answerSignals ends the host at the first signal, and at the second has its
// trials write their checkpoints without waiting any longer. A batch system may
// send its signal to several processes that pass it on; see sameAsking.
func answerSignals(signals <-chan os.Signal, stop func(), r role, talk talker) {
	var first time.Time
	for s := range signals {
		switch {
		case first.IsZero():
			first = time.Now()
			if finish := finishFor(r.grace); finish > 0 {
				talk.say("%v: no more trials are taken; running ones may end within %v, then write checkpoints", s, finish)
			} else {
				talk.say("shutting down: trainers write checkpoints")
			}
			stop()
		case time.Since(first) > sameAsking:
			talk.say("%v again: trainers write checkpoints now", s)
			close(r.hurry)
			return
		}
	}
}

// untilDone waits for a signal, or for no sweep to be left for a while.
func untilDone(ctx context.Context, h *host, whenIdle bool) error {
	busy := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.stale():
			return errStale
		case <-time.After(time.Second):
		}
		if h.serverGone() {
			return errors.New("the server that this worker served has ended")
		}
		if !whenIdle {
			continue
		}
		open, err := openSweeps(ctx, h)
		switch {
		case err != nil || len(open) > 0:
			busy = time.Now() // a server that does not answer may still have work
		case time.Since(busy) > idleFor:
			return nil
		}
	}
}

// openSweeps names the sweeps whose workflows are running: on a cluster those of
// this record, elsewhere all.
func openSweeps(ctx context.Context, h *host) ([]string, error) {
	list, err := h.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: h.namespace, Query: `WorkflowType = "SweepWorkflow" AND ExecutionStatus = "Running"`,
	})
	if err != nil {
		return nil, fmt.Errorf("list running sweeps: %w", err)
	}
	var ids []string
	for _, e := range list.Executions {
		ids = append(ids, e.Execution.WorkflowId)
	}
	if !h.serves || !h.cluster {
		return ids, nil
	}
	r, err := h.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	own, err := r.Sweeps(ctx)
	return slices.DeleteFunc(ids, func(id string) bool {
		return !slices.ContainsFunc(own, func(s results.SweepInfo) bool { return string(s.ID) == id })
	}), err
}

// spawnServer runs a server in the background, in a session of its own, unless
// one runs already, and waits until it can be used.
func spawnServer(ctx context.Context, c *cli.Context, p place) error {
	if serverRuns(p) {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(p.state, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	args := []string{"server", "--until-idle", "--db", p.db, "--data-dir", p.data, "--queue="}
	for _, name := range []string{"at-once", "gpus", "cpus", "grace", "ui-port", "log-format", "log-level", "queue", checkpointsFlag.Name} {
		if c.IsSet(name) {
			args = append(args, fmt.Sprintf("--%s=%v", name, c.Value(name)))
		}
	}
	if p.payloadKey != "" {
		args = append(args, "--payload-key="+p.payloadKey)
	}
	child := exec.Command(self, args...)
	child.Stdout, child.Stderr = out, out
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a closed terminal does not end it
	if err := child.Start(); err != nil {
		return fmt.Errorf("start server in the background: %w", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- child.Wait() }()
	for {
		if _, err := devserver.Running(p.state); err == nil || configured() && recordServed(p) {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case err := <-exited:
			return hinted{fmt.Errorf("the server in the background ended at once: %v", err), "its log is " + out.Name()}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// serverRuns reports whether a process runs the results file's embedded server,
// or is about to, in which case joining it waits. On a cluster the question is
// whether one serves the record.
func serverRuns(p place) bool {
	if configured() {
		return recordServed(p)
	}
	_, err := devserver.Running(p.state)
	return !errors.Is(err, devserver.ErrNotRunning)
}
