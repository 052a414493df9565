package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"sweep/workflows"
	"sweep/workflows/devserver"
)

var workerCommand = &cli.Command{
	Name: "worker", Usage: "train for sweeps of a Temporal cluster, or of a server on this machine",
	Description: `Takes trials from task queues until interrupted. With TEMPORAL_ADDRESS or a profile of
Temporal's own configuration it serves that cluster, otherwise the embedded server of the
results file. The folder of the sweep's trials must be shared with the machine that started it.

   sweep worker --gpus 8 --queue gpu     eight trials at a time, for sweeps of run: {queue: gpu}
   sweep worker --gpus all               as many as there are GPUs, for sweeps that name no queue
   sweep worker --cpus 16 --at-once 4    four trials of four threads each

SIGTERM, SIGINT and SIGUSR1 (what batch systems send before they take a machine away) drain it:
it takes no more trials, lets running ones end by themselves while --grace allows, and has the
rest write checkpoints, from which other workers go on. A second signal has them write at once.`,
	Flags: append([]cli.Flag{
		queuesFlag,
		&cli.StringFlag{Name: "record", Usage: "also serve results `FILE`, so that `sweep start --detach` needs no process of its own"},
		&cli.BoolFlag{Name: "serve-record", Usage: "the same for the file of --db", Hidden: true},
		&cli.BoolFlag{Name: "until-idle", Usage: "end when no sweep is left to run"},
		makeCurrentFlag,
	}, serveFlags...),
	Action: func(c *cli.Context) error {
		if file := c.String("record"); file != "" {
			if err := c.Set("db", file); err != nil {
				return err
			}
		}
		p, err := placeOf(c)
		if err != nil {
			return err
		}
		return serve(c, p, func(ctx context.Context, r role) (*host, error) {
			r.record, r.train = c.Bool("serve-record") || c.String("record") != "", true
			if configured() {
				return openCluster(ctx, p, r)
			}
			h, err := joinEmbedded(ctx, p, r)
			if errors.Is(err, devserver.ErrNotRunning) {
				return nil, &exitError{exitNotFound, hinted{err, "`sweep server` runs one; TEMPORAL_ADDRESS names a cluster"}}
			}
			if err == nil {
				h, err = h.agreed(ctx)
			}
			if err == nil {
				r.record = false // its own process serves it
				err = h.work(ctx, r)
			}
			return h, err
		})
	},
}

var (
	queuesFlag = &cli.StringSliceFlag{Name: "queue", Usage: "train for sweeps that name this `CLASS` of workers (run.queue); may be repeated, and \"\" is sweeps that name none"}

	makeCurrentFlag = &cli.BoolFlag{Name: "make-current", Usage: "have new sweeps start on this build of a Worker Deployment (TEMPORAL_DEPLOYMENT_NAME)"}
)

// deviceFlags are on commands whose process may run trials.
var deviceFlags = []cli.Flag{
	&cli.IntFlag{Name: "at-once", Usage: "run up to `N` trials at a time in this process", DefaultText: "as GPUs have room, or one for each core"},
	&cli.StringFlag{Name: "gpus", EnvVars: []string{"SWEEP_GPUS"}, Usage: gpusUsage, DefaultText: "none: the CPU"},
	&cli.IntFlag{Name: "cpus", Usage: "use `N` cores, divided among the trials that run at once", DefaultText: "all"},
	&cli.DurationFlag{Name: "grace", Value: drainGrace, Usage: "the machine goes away `TIME` after the signal to end: trials may finish until 30s before, then write checkpoints"},
}

// hostFlags are on commands that start sweeps.
var hostFlags = join(deviceFlags, logFlags, []cli.Flag{
	checkpointsFlag,
	&cli.IntFlag{Name: "ui-port", Usage: "`PORT` of the Temporal UI on 127.0.0.1", DefaultText: "8233, or a free one"},
}, connectFlags)

// serveFlags are on commands that run until they are told to end.
var serveFlags = join([]cli.Flag{metricsFlag}, hostFlags)

func join(lists ...[]cli.Flag) (all []cli.Flag) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// roleOf is the role that the command line asks for.
func roleOf(c *cli.Context) (role, error) {
	r := role{atOnce: c.Int("at-once"), fixed: c.Int("at-once") > 0, cpus: c.Int("cpus"), uiPort: c.Int("ui-port"), grace: c.Duration("grace"), build: thisBuild(), carried: &carried{}}
	if c.Bool("make-current") {
		if r.build.Deployment == "" {
			return r, usagef("--make-current: TEMPORAL_DEPLOYMENT_NAME names no Worker Deployment")
		}
		r.makeCurrent = true
	}
	if r.atOnce < 0 || r.cpus < 0 || r.grace < 0 {
		return r, usagef("--at-once, --cpus and --grace cannot be negative")
	}
	for _, class := range classes(c) {
		r.queues = append(r.queues, workflows.ClassQueue(class))
	}
	var err error
	r.gpus, err = parseGPUs(c.String("gpus"))
	return r, err
}

// classes are those of --queue, which is a list on commands that serve and one
// name on commands that start.
func classes(c *cli.Context) []string {
	if list := c.StringSlice("queue"); len(list) > 0 {
		return list
	}
	if class := c.String("queue"); class != "" && c.IsSet("queue") {
		return []string{"", class}
	}
	return []string{""}
}

// thisBuild is the build that workflows run on. Temporal's Worker Controller
// sets both variables.
func thisBuild() workflows.Build {
	b := workflows.Build{ID: os.Getenv("TEMPORAL_WORKER_BUILD_ID"), Deployment: os.Getenv("TEMPORAL_DEPLOYMENT_NAME")}
	if b.ID == "" {
		b.ID = version()
	}
	return b
}

// finishFor is how long trials of a worker that shuts down may go on before
// they must write their checkpoints.
func finishFor(grace time.Duration) time.Duration { return max(0, grace-drainGrace) }
