package workflows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"sweep"
	"sweep/trainerplugin"
	"sweep/workflows/spool"
)

// beatEvery is the time between heartbeats, and so about how long a
// cancellation takes to reach a trainer.
const beatEvery = 2 * time.Second

// tellEvery is the least time between two evaluations shown on a trial's page.
// Each costs its history about eight events.
const tellEvery = 15 * time.Second

// errDraining is why a trial stops when its worker shuts down.
var errDraining = errors.New("the worker is shutting down")

// A Launched trainer runs as a process of its own.
type Launched interface {
	trainerplugin.Trainer
	// Close ends the process and all that it started, in bounded time.
	Close() error
}

// A LaunchFunc starts t, the built-in trainer if t is zero. What the process
// prints goes to log.
type LaunchFunc func(ctx context.Context, t Trainer, j trainerplugin.Job, log io.Writer) (Launched, error)

// TrainActivities train. They run on workers with devices and need no record.
type TrainActivities struct {
	Launch  LaunchFunc
	Devices *Devices
	Spool   spool.Folder
	DataDir string
	Worker  string // identity, for the record
}

// TrainInput is an attempt to make.
type TrainInput struct {
	Ref      sweep.AttemptRef
	Params   sweep.Params
	Settings Settings
}

// TrainDone says that the outcome lies in the spool.
type TrainDone struct {
	Steps    int
	Accuracy float64 // for the Temporal UI; the record takes its own from the spool
}

// A Beat is an attempt's heartbeat.
type Beat struct {
	Step, Steps int
	Accuracy    float64 // the last evaluation's
	Checkpoint  string  // the last one's file name
}

// Train translates between Temporal and [TrainActivities.run], and decides
// nothing else.
func (a *TrainActivities) Train(ctx context.Context, in TrainInput) (TrainDone, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopping := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-stopping:
			cancel(errDraining)
		case <-ctx.Done():
		}
	}()
	beats := newPulse(in.Params.Steps, func(b Beat) { activity.RecordHeartbeat(ctx, b) }, teller(ctx))
	defer beats.stop()
	done, err := a.run(ctx, in, beats.event)
	return done, applicationError(ctx, err)
}

// teller returns a function that shows an evaluation on the trial's page.
func teller(ctx context.Context) func(Beat) {
	info := activity.GetInfo(ctx).WorkflowExecution
	var last time.Time
	return func(b Beat) {
		if time.Since(last) < tellEvery {
			return
		}
		last = time.Now()
		// What is shown is a courtesy: a server that is away must not stop training.
		_ = activity.GetClient(ctx).SignalWorkflow(ctx, info.ID, info.RunID, SignalEvaluated, b)
	}
}

// run makes one attempt and leaves its outcome in the spool.
func (a *TrainActivities) run(ctx context.Context, in TrainInput, watch func(trainerplugin.Event)) (done TrainDone, err error) {
	devices, release, err := a.Devices.Acquire(ctx, in.Settings.GPUs)
	if err != nil {
		return done, fmt.Errorf("%w: %w", trainerplugin.ErrRefused, err)
	}
	defer release()
	report, err := a.Spool.Create(in.Ref, a.Worker)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, report.Close()) }()
	log, err := a.Spool.CreateLog(in.Ref)
	if err != nil {
		return done, err
	}
	defer log.Close() // it is for people: its loss is no reason to fail

	j := a.job(in, devices)
	t, err := a.Launch(ctx, in.Settings.Trainer, j, log)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if _, err := t.Check(ctx, j); err != nil {
		return done, err
	}
	outcome, err := t.Train(ctx, j, func(e trainerplugin.Event) error {
		watch(e)
		return report.Append(e)
	})
	if err != nil {
		return done, err
	}
	return TrainDone{outcome.Steps, outcome.Accuracy}, a.Spool.WriteOutcome(in.Ref, outcome)
}

func (a *TrainActivities) job(in TrainInput, devices []string) trainerplugin.Job {
	evaluate := in.Settings.EvaluateEvery
	if evaluate == 0 {
		evaluate = (in.Params.Steps + 9) / 10
	}
	return trainerplugin.Job{
		Trial: in.Ref.Trial, Params: in.Params, DataDir: a.DataDir, Dir: a.Spool.Trial(in.Ref.Trial),
		Threads: a.Devices.Threads(), Devices: devices,
		ReportEvery: time.Second, EvaluateEvery: evaluate, CheckpointEvery: in.Settings.CheckpointEvery,
	}
}

// applicationError gives err the type by which the trial's workflow decides.
func applicationError(ctx context.Context, err error) error {
	kind := sweep.Crashed
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errDraining):
		kind = sweep.Lost
	case ctx.Err() != nil:
		return ctx.Err() // Temporal asked for it, and takes this for its answer
	case errors.Is(err, trainerplugin.ErrRefused):
		kind = sweep.Refused
	case errors.Is(err, trainerplugin.ErrDiverged):
		kind = sweep.Diverged
	case errors.Is(err, trainerplugin.ErrProtocol):
		kind = sweep.BadTrainer
	}
	return temporal.NewApplicationError(err.Error(), string(kind), err)
}

// pulse keeps an attempt's heartbeat going while its trainer is silent: loading
// data or compiling a model may take minutes.
type pulse struct {
	mu   sync.Mutex
	beat Beat
	tell func(Beat)
	stop func()
}

func newPulse(steps int, send, tell func(Beat)) *pulse {
	p := &pulse{beat: Beat{Steps: steps}, tell: tell}
	tick := time.NewTicker(beatEvery)
	done := make(chan struct{})
	p.stop = sync.OnceFunc(func() { close(done) })
	go func() {
		defer tick.Stop()
		for {
			send(p.now())
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return p
}

func (p *pulse) now() Beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.beat
}

func (p *pulse) event(e trainerplugin.Event) {
	p.mu.Lock()
	switch e := e.(type) {
	case trainerplugin.Started:
		p.beat.Step, p.beat.Checkpoint = e.Step, e.Checkpoint
	case trainerplugin.Progress:
		p.beat.Step = e.Step
	case trainerplugin.Evaluation:
		p.beat.Step, p.beat.Accuracy = e.Step, e.Accuracy
	case trainerplugin.Checkpoint:
		p.beat.Checkpoint = e.File
	}
	b := p.beat
	p.mu.Unlock()
	if _, ok := e.(trainerplugin.Evaluation); ok {
		p.tell(b)
	}
}
