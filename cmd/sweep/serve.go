package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"go.temporal.io/api/workflowservice/v1"

	"sweep/workflows"
	"sweep/workflows/devserver"
)

// idleFor is how long a background server without sweeps waits for the next.
const idleFor = 10 * time.Second

var serverCommand = &cli.Command{
	Name: "server", Usage: "run the embedded Temporal server, its UI and a worker until interrupted",
	Description: `Other shells' start, status and cancel find it by the results file. Everything is bound to
127.0.0.1; the printed address of the UI carries a token. SIGTERM lets trainers write
checkpoints and leaves running sweeps to go on at the next start.`,
	Flags: append([]cli.Flag{
		&cli.BoolFlag{Name: "until-idle", Usage: "end when no sweep is left to run"},
		&cli.BoolFlag{Name: "no-train", Usage: "leave training to `sweep worker` processes"},
	}, hostFlags...),
	Action: func(c *cli.Context) error {
		if configured() {
			return usagef("a Temporal cluster is configured (TEMPORAL_ADDRESS or a profile); run `sweep worker` for it")
		}
		p, err := placeOf(c)
		if err != nil {
			return err
		}
		return serve(c, p, func(ctx context.Context, r role) (*host, error) {
			r.train = !c.Bool("no-train")
			return runEmbedded(ctx, p, r)
		})
	},
}

var workerCommand = &cli.Command{
	Name: "worker", Usage: "train for sweeps of a Temporal cluster, or of a server on this machine",
	Description: `Takes trials from a task queue until interrupted. With TEMPORAL_ADDRESS or a profile of
Temporal's own configuration it serves that cluster, otherwise the embedded server of the
results file. SIGTERM lets trainers write checkpoints first.`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "queue", Value: workflows.TrainQueue, Usage: "task `QUEUE` of the trials"},
		&cli.BoolFlag{Name: "serve-record", Usage: "also write the results file for sweeps of this machine"},
	}, hostFlags...),
	Action: func(c *cli.Context) error {
		p, err := placeOf(c)
		if err != nil {
			return err
		}
		return serve(c, p, func(ctx context.Context, r role) (*host, error) {
			r.record, r.train = c.Bool("serve-record"), true
			if configured() {
				return openCluster(ctx, p, r)
			}
			h, err := joinEmbedded(ctx, p, r)
			if errors.Is(err, devserver.ErrNotRunning) {
				return nil, &exitError{exitNotFound, hinted{err, "`sweep server` runs one; TEMPORAL_ADDRESS names a cluster"}}
			}
			if err == nil {
				r.record = false // its own process serves it
				err = h.work(ctx, r)
			}
			return h, err
		})
	},
}

// roleOf is the role that the command line asks for.
func roleOf(c *cli.Context) role {
	r := role{atOnce: c.Int("at-once"), queue: workflows.TrainQueue, uiPort: c.Int("ui-port")}
	if queue := c.String("queue"); queue != "" {
		r.queue = queue
	}
	for _, gpu := range strings.Split(c.String("gpus"), ",") {
		if gpu = strings.TrimSpace(gpu); gpu != "" {
			r.gpus = append(r.gpus, gpu)
		}
	}
	return r
}

// serve keeps a host open until a signal, or until it is idle.
func serve(c *cli.Context, p place, open func(context.Context, role) (*host, error)) (err error) {
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	log, closeLog, err := openLog(p)
	if err != nil {
		return err
	}
	defer closeLog()
	talk := c.App.ErrWriter
	r := roleOf(c)
	r.logger = log
	r.trouble = func(what string) { fmt.Fprintf(talk, "sweep: temporal server: %s\n", what) }
	h, err := open(ctx, r)
	if err != nil {
		return err
	}
	if !c.Bool("no-train") {
		atOnce, threads := shares(r)
		fmt.Fprintf(talk, "training up to %d trials at a time, %d threads each, on %s\n", atOnce, threads, devicesText(r.gpus))
	}
	if h.uiURL != "" {
		fmt.Fprintf(talk, "temporal  %s\n", h.uiURL)
	}
	err = untilDone(ctx, h, c.Bool("until-idle"))
	if ctx.Err() != nil {
		fmt.Fprintln(talk, "shutting down: trainers write checkpoints")
		err = nil
	}
	return errors.Join(err, h.close())
}

func devicesText(gpus []string) string {
	if len(gpus) == 0 {
		return "the CPU"
	}
	return "GPUs " + strings.Join(gpus, ", ")
}

// untilDone waits for a signal, or for no sweep to be left for a while.
func untilDone(ctx context.Context, h *host, whenIdle bool) error {
	busy := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
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

// openSweeps names the sweeps whose workflows are running.
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
	return ids, nil
}

// spawnServer runs a server in the background, in a session of its own, unless
// one runs already, and waits until it can be used.
func spawnServer(ctx context.Context, c *cli.Context, p place) error {
	if _, err := devserver.Running(p.state); !errors.Is(err, devserver.ErrNotRunning) {
		return nil // it runs, or is about to; joining it waits
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
	args := []string{"server", "--until-idle", "--db", p.db, "--data-dir", p.data}
	for _, name := range []string{"at-once", "gpus", "ui-port", checkpointsFlag.Name} {
		if c.IsSet(name) {
			args = append(args, fmt.Sprintf("--%s=%v", name, c.Value(name)))
		}
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
		if _, err := devserver.Running(p.state); err == nil {
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
