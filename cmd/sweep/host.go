package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"sweep"
	"sweep/results"
	"sweep/trainerplugin"
	"sweep/workflows"
	"sweep/workflows/devserver"
	"sweep/workflows/payload"
)

// namespace is where sweeps run on the embedded server.
const namespace = "sweep"

// drainGrace is how long trainers have to write a checkpoint when their worker
// shuts down.
const drainGrace = 30 * time.Second

// A host is this process's part in running sweeps: its connection to Temporal
// and, where the work is its own, the server, the record and the workers.
type host struct {
	place
	client    client.Client
	namespace string
	uiURL     string
	server    *devserver.Server // of this process
	owner     bool              // this process runs the embedded server and the workers
	cluster   bool              // Temporal is somebody else's
	serves    bool              // this process serves the record
	joins     bool              // another process does, and this one relies on it
	trains    bool
	metrics   *metrics // nil if nobody wants them
	keys      []string // ids of the payload keys, the one in use first; none sends payloads in the clear
	serverPID int      // of the process that runs the embedded server

	devices *workflows.Devices // that this process trains on, if it trains
	closers []func() error
}

// A role says what of the work a process takes on.
type role struct {
	record  bool // serve the results file
	train   bool
	atOnce  int           // trials at a time; 0 is as many as GPUs have room for, or one for each core
	retry   bool          // of the sweep's failed trials, first
	fixed   bool          // never more than atOnce: the command line says so
	gpus    []string      // as CUDA_VISIBLE_DEVICES names them
	cpus    int           // cores to use; 0 is all
	queues  []string      // task queues of the trials
	grace   time.Duration // from the signal to end until the machine is gone
	hurry   chan struct{} // closed when trials must write their checkpoints at once
	build   workflows.Build
	logger  *slog.Logger
	trouble func(string) // is told of what a person must mend
	uiPort  int
	listen  string // IP address of the embedded server; "" is 127.0.0.1

	metrics *metrics

	makeCurrent bool // have new sweeps start on build
	carried     *carried
}

// configured reports whether the environment names a Temporal cluster, by
// address or by a profile of Temporal's own configuration.
func configured() bool {
	return os.Getenv("TEMPORAL_ADDRESS") != "" || os.Getenv("TEMPORAL_PROFILE") != "" || os.Getenv("TEMPORAL_CONFIG_FILE") != ""
}

// environment is this process's, in which an empty variable is one that is not
// set, as it is to [configured].
type environment struct{}

func (environment) Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		_, value, _ := strings.Cut(v, "=")
		return value == ""
	})
}

func (environment) LookupEnv(name string) (string, bool) {
	value := os.Getenv(name)
	return value, value != ""
}

// openHost connects to the cluster that the environment names, to the embedded
// server of another process on the same results file, or else runs one itself.
func openHost(ctx context.Context, p place, r role) (*host, error) {
	if configured() {
		return openCluster(ctx, p, r)
	}
	for {
		h, err := runEmbedded(ctx, p, r)
		if !errors.Is(err, devserver.ErrInUse) {
			return h, err
		}
		h, err = joinEmbedded(ctx, p, r)
		if err == nil {
			return h.agreed(ctx)
		}
		if _, gone := devserver.Running(p.state); !errors.Is(gone, devserver.ErrNotRunning) {
			return nil, err
		}
	}
}

// openCluster connects to a Temporal cluster and serves the record there.
func openCluster(ctx context.Context, p place, r role) (*host, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: environment{}})
	if err != nil {
		return nil, hinted{fmt.Errorf("temporal configuration: %w", err), "TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY and TEMPORAL_TLS_* override the file"}
	}
	h := &host{place: p, cluster: true, namespace: options.Namespace, metrics: r.metrics}
	if h.namespace == "" {
		h.namespace = client.DefaultNamespace
	}
	if err := h.dial(ctx, options, r); err != nil {
		return nil, hinted{fmt.Errorf("temporal at %s: %w", options.HostPort, err), "unset TEMPORAL_ADDRESS and TEMPORAL_PROFILE to use the embedded server"}
	}
	if err := h.work(ctx, r); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// joinEmbedded connects to the server of another process of this user.
func joinEmbedded(ctx context.Context, p place, r role) (*host, error) {
	info, err := devserver.WaitRunning(ctx, p.state)
	if err != nil {
		return nil, err
	}
	options, err := info.ClientOptions(p.state)
	if err != nil {
		return nil, err
	}
	h := &host{place: p, namespace: namespace, uiURL: info.UIURL, serverPID: info.PID, metrics: r.metrics}
	return h, h.dial(ctx, options, r)
}

// runEmbedded runs server, record and workers in this process.
func runEmbedded(ctx context.Context, p place, r role) (*host, error) {
	server, err := devserver.Start(ctx, devserver.Options{
		Dir: p.state, Namespace: namespace, SearchAttributes: workflows.SearchAttributes(),
		Listen: r.listen, UI: true, UIPort: r.uiPort, Logger: r.logger, OnTrouble: r.trouble,
	})
	if err != nil {
		return nil, err
	}
	h := &host{place: p, namespace: namespace, uiURL: server.Info().UIURL, server: server, owner: true, serverPID: os.Getpid(), metrics: r.metrics}
	h.closers = append(h.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		return server.Stop(ctx)
	})
	if err := h.dial(ctx, server.ClientOptions(), r); err != nil {
		return nil, errors.Join(err, h.close())
	}
	// Attempts of a process that died are failed at once, not after ten seconds
	// without heartbeat. This comes before the workers, which make new ones.
	if _, err := devserver.Reap(ctx, h.client, h.namespace, devserver.DeadHere); err != nil {
		return nil, errors.Join(err, h.close())
	}
	r.record = true
	if err := h.work(ctx, r); err != nil {
		return nil, errors.Join(err, h.close())
	}
	if err := r.carried.start(ctx, h); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *host) dial(ctx context.Context, o client.Options, r role) (err error) {
	o.Identity = devserver.Identity("sweep")
	o.Logger = sdklog.NewStructuredLogger(r.logger)
	if h.metrics != nil {
		o.MetricsHandler = h.metrics.handler
	}
	codec := payload.None()
	if h.payloadKey != "" {
		if codec, err = payload.Open(h.payloadKey); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	codec.Apply(&o)
	h.keys = codec.KeyIDs()
	tracer, flush, err := tracing(ctx)
	if err != nil {
		return err
	}
	if tracer != nil {
		o.Interceptors = append(o.Interceptors, tracer)
		h.closers = append(h.closers, flush)
	}
	if h.client, err = client.DialContext(ctx, o); err != nil {
		return err
	}
	h.closers = append(h.closers, func() error { h.client.Close(); return nil })
	return nil
}

// work starts the workers of the role.
func (h *host) work(ctx context.Context, r role) error {
	if r.train {
		atOnce, threads := shares(r)
		if len(r.gpus) > 0 {
			atOnce = r.atOnce // a device says itself how many it has room for
		}
		h.devices = workflows.NewDevices(r.gpus, atOnce, threads)
	}
	if r.record {
		if err := h.serveRecord(ctx, r); err != nil {
			return err
		}
	}
	if r.record || r.train {
		for _, queue := range h.served(workflows.SweepQueue) {
			if err := h.start(workflows.NewSweepWorker(h.client, devserver.Identity("sweep"), queue, r.build)); err != nil {
				return err
			}
		}
	}
	if r.makeCurrent {
		if err := r.build.MakeCurrent(ctx, h.client); err != nil {
			return err
		}
	}
	if !r.train {
		return nil
	}
	h.trains = true
	workers, err := h.trainWorkers(r)
	if err != nil {
		return err
	}
	return h.start(workers...)
}

// serveRecord serves the results file. On a cluster several processes may want
// to, of which the first is enough.
func (h *host) serveRecord(ctx context.Context, r role) error {
	release, err := claimRecord(h.place, h.keys)
	if errors.Is(err, errServed) && h.cluster {
		h.joins = true
		return h.agree(ctx)
	}
	if err != nil {
		return err
	}
	h.serves = true
	h.closers = append(h.closers, release)
	if err := os.MkdirAll(string(h.spool()), 0o700); err != nil {
		return err
	}
	store, err := results.Open(ctx, h.db)
	if err != nil {
		return err
	}
	h.closers = append(h.closers, store.Close)
	if h.metrics != nil {
		h.metrics.registry.MustRegister(sweepsCollector{store.Reader})
	}
	activities := &workflows.RecordActivities{Results: record{store}, Spool: h.spool(), EnterFile: enterer(store), Suggest: suggester(store)}
	activities.Runs = func(ctx context.Context, id sweep.SweepID) (bool, error) { return workflows.Running(ctx, h.client, id) }
	if h.devices != nil {
		activities.Room = func(trials int) int {
			if r.fixed {
				trials = 0
			}
			return h.devices.Grow(trials)
		}
	}
	tidy, enough := context.WithTimeout(ctx, tryLimit)
	defer enough()
	if err := activities.Tidy(tidy); err != nil { // a store that is away must not keep sweeps from running
		r.logger.Warn("checkpoints of trials that have ended are left behind, and removed at a later start", "reason", err.Error())
	}
	if h.owner {
		h.watchWorkers(store.Reader, r.logger)
	}
	for _, queue := range h.served(workflows.ResultsQueue(h.record())) {
		if err := h.start(workflows.NewRecordWorker(h.client, devserver.Identity("results"), queue, activities)); err != nil {
			return err
		}
	}
	return nil
}

func (h *host) trainWorkers(r role) ([]worker.Worker, error) {
	if err := trainerplugin.RemoveStale(); err != nil {
		r.logger.Warn("a temporary folder is left behind", "reason", err.Error())
	}
	ahead := newSpares()
	h.closers = append(h.closers, ahead.close)
	a := &workflows.TrainActivities{
		Launch: func(ctx context.Context, t workflows.Trainer, j trainerplugin.Job, log io.Writer) (workflows.Launched, error) {
			return launchWith(ctx, ahead, t, j, log)
		},
		Devices: h.devices, DataDir: h.data, Worker: devserver.Identity("train"), Draw: drawTrials,
		Finish: finishFor(r.grace), Hurry: r.hurry,
	}
	if h.metrics != nil {
		a.Meter = workflows.NewMeter(h.devices)
		h.metrics.registry.MustRegister(a.Meter)
	}
	return workflows.NewTrainWorkers(h.client, h.served(r.queues...), a, drainGrace)
}

// shares is how many trials run at once, and how many threads each has.
func shares(r role) (atOnce, threads int) {
	cores := r.cpus
	if cores == 0 {
		cores = runtime.GOMAXPROCS(0)
	}
	switch {
	case r.atOnce > 0:
		atOnce = r.atOnce
	case len(r.gpus) > 0:
		atOnce = len(r.gpus)
	default:
		atOnce = cores // trials side by side use cores better than threads within one
	}
	return atOnce, max(1, cores/atOnce)
}

// start runs workers until the host is closed, which stops them side by side.
func (h *host) start(workers ...worker.Worker) error {
	var started []worker.Worker
	h.closers = append(h.closers, func() error {
		var stops sync.WaitGroup
		for _, w := range started {
			stops.Go(w.Stop)
		}
		stops.Wait()
		return nil
	})
	for _, w := range workers {
		if err := w.Start(); err != nil {
			return fmt.Errorf("start worker: %w", err)
		}
		started = append(started, w)
	}
	return nil
}

// close stops what this process started, the last first: training, workflows,
// record, connection, server.
func (h *host) close() error {
	var all error
	for _, closer := range slices.Backward(h.closers) {
		all = errors.Join(all, closer())
	}
	h.closers = nil
	return all
}

// serverGone reports whether the process has ended that this one relies on: the
// one that ran the embedded server or, on a cluster, that served the record.
func (h *host) serverGone() bool {
	if h.owner || h.serves {
		return false
	}
	if h.cluster {
		return h.joins && !recordServed(h.place)
	}
	info, err := devserver.Running(h.state)
	return errors.Is(err, devserver.ErrNotRunning) || err == nil && info.PID != h.serverPID
}
