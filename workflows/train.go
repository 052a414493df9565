package workflows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"sweep"
	"sweep/trainerplugin"
	"sweep/workflows/checkpoints"
	"sweep/workflows/spool"
)

// beatEvery is the time between heartbeats, and so about how long a
// cancellation takes to reach a trainer.
const beatEvery = 2 * time.Second

// heartbeatTimeout is how long a worker may be silent before its attempt is
// taken to be lost, unless the sweep's settings say otherwise. With what it
// takes another worker to go on, a machine that vanishes costs 15 s and what it
// had trained since its last checkpoint.
const heartbeatTimeout = 10 * time.Second

// patience is how long an attempt goes on while the server does not answer. That
// is much longer than it takes to be given up: if it is the server that is away,
// what is trained meanwhile counts, up to the last checkpoint. An attempt that was
// given up ends sooner, where it sees the trials' folder. The record takes an
// attempt to be at work for ten minutes after it was given up.
const patience = 5 * time.Minute

// tellEvery is the least time between two evaluations shown on a trial's page,
// and before the first: each costs its history about eight events, and a trial
// shorter than this shows its result soon enough.
const tellEvery = 15 * time.Second

// Why a worker stops a trial that nobody cancelled.
var (
	errDraining = errors.New("the worker is shutting down")
	errCutOff   = errors.New("the worker has lost its connection to the server")
)

// ErrKilled marks a trainer that a person ended together with its sweep.
var ErrKilled = errors.New("the trainer was killed")

// ErrUnfit marks a trial that this worker cannot train, and another may: the data
// set or the trainer is not here.
var ErrUnfit = errors.New("this worker lacks what the trial needs")

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
	DataDir string
	Worker  string // identity, for the record

	// Finish is how long attempts go on when the worker shuts down, before they
	// are told to write a checkpoint and end; a closed Hurry cuts it short.
	Finish time.Duration
	Hurry  <-chan struct{}

	Meter *Meter // nil measures nothing

	// Draw draws the trials of a private selection, of which there may be none.
	Draw func(sweep.Selection) ([]spool.Drawn, error)

	// Heart, if set, takes the place of heartbeats to the server.
	Heart func(context.Context, Beat) error
}

// TrainInput is an attempt to make.
type TrainInput struct {
	Ref      sweep.AttemptRef
	Params   sweep.Params
	From     []sweep.CheckpointRef // what to go on from, the best choice first
	Stream   string                // the noise to go on with; "" if fresh noise will do
	Halve    bool                  // the microbatch that the trainer would take: an earlier attempt ran out of memory
	Spool    spool.Folder
	Settings Settings

	Selection *sweep.Selection // what to run in place of Params, which stand for it; nil is a trial
	drawn     bool             // by a private selection: what it measures is for nobody to see
}

// TrainDone says that the outcome lies in the spool.
type TrainDone struct {
	Steps    int
	Accuracy float64 // for the Temporal UI; the record takes its own from the spool
}

// Train translates between Temporal and [TrainActivities.run], and decides
// nothing else.
//
// It does not train under the activity's own context: the SDK ends that as soon
// as one heartbeat is slow, and a server that takes a few seconds to write to
// its disk is no reason to lose an attempt.
func (a *TrainActivities) Train(ctx context.Context, in TrainInput) (TrainDone, error) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	p := &pulse{patience: patience, params: in.Params}
	if in.Selection == nil {
		p.beat.Steps = in.Params.Steps
	}
	go p.keep(work, cancel, a.heart(ctx, in.Settings.lostAfter()/3), drain{activity.GetWorkerStopChannel(ctx), a.Finish, a.Hurry})
	tell := teller(ctx)
	ended := a.observe(ctx, in)
	var done TrainDone
	var err error
	if in.Selection != nil {
		done, err = a.selectBest(work, in) // which shows nothing of how it gets on
	} else {
		done, err = a.run(work, in, func(e trainerplugin.Event) {
			a.Meter.event(in.Ref, e)
			b := p.event(e)
			if e, ok := e.(trainerplugin.Evaluation); ok && e.Decides(in.Params) {
				tell(b)
			}
		})
	}
	err = applicationError(work, err)
	ended(done, err)
	return done, err
}

// observe logs, traces and measures the attempt from here until ended is called.
func (a *TrainActivities) observe(ctx context.Context, in TrainInput) (ended func(TrainDone, error)) {
	began := time.Now()
	log := sdklog.With(activity.GetLogger(ctx), "sweep", in.Ref.Sweep, "trial", in.Ref.Trial, "attempt", in.Ref.Number)
	log.Info("attempt begins")
	trace.SpanFromContext(ctx).SetAttributes(
		attribute.String("sweep", string(in.Ref.Sweep)), attribute.String("trial", string(in.Ref.Trial)), attribute.Int("attempt", in.Ref.Number))
	a.Meter.begin(in.Ref)
	return func(done TrainDone, err error) {
		seconds := time.Since(began).Seconds()
		if err == nil {
			a.Meter.end(in.Ref, string(sweep.Completed))
			log.Info("attempt has trained", "seconds", seconds, "steps", done.Steps)
			return
		}
		a.Meter.end(in.Ref, failureType(err))
		log.Warn("attempt has ended without an outcome", "seconds", seconds, "failure", failureType(err), "reason", err.Error())
	}
}

// heart returns what sends one heartbeat, within a limit. Its error is a
// [temporal.CanceledError] if the attempt was cancelled.
func (a *TrainActivities) heart(ctx context.Context, limit time.Duration) func(context.Context, Beat) error {
	if a.Heart != nil {
		return a.Heart
	}
	c, token := activity.GetClient(ctx), activity.GetInfo(ctx).TaskToken
	return func(ctx context.Context, b Beat) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return c.RecordActivityHeartbeat(ctx, token, b)
	}
}

// teller returns a function that shows an evaluation on the trial's page.
func teller(ctx context.Context) func(Beat) {
	info := activity.GetInfo(ctx).WorkflowExecution
	last := time.Now()
	return func(b Beat) {
		if time.Since(last) < tellEvery {
			return
		}
		last = time.Now()
		// What is shown is a courtesy: a server that is away must not stop training.
		_ = activity.GetClient(ctx).SignalWorkflow(context.WithoutCancel(ctx), info.ID, info.RunID, SignalEvaluated, b)
	}
}

// run makes one attempt and leaves its outcome in the spool.
func (a *TrainActivities) run(ctx context.Context, in TrainInput, watch func(trainerplugin.Event)) (done TrainDone, err error) {
	err = a.attempt(ctx, in, func(e trainerplugin.Event) (bool, error) {
		watch(e)
		return true, nil
	}, func(o sweep.Outcome) error {
		done = TrainDone{o.Steps, o.Accuracy}
		return in.Spool.WriteOutcome(in.Ref, o)
	})
	return done, err
}

// attempt makes one attempt at a trial and calls finish with its outcome. pass is
// told of each event, and says whether it goes into the report.
func (a *TrainActivities) attempt(ctx context.Context, in TrainInput, pass func(trainerplugin.Event) (bool, error), finish func(sweep.Outcome) error) (err error) {
	place := &seat{devices: a.Devices, need: in.Settings.GPUs}
	if err := place.early(ctx); err != nil {
		return err
	}
	defer place.end()
	report, err := in.Spool.Create(in.Ref, a.Worker)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, report.Close()) }()
	store, err := openStore(ctx, in.Settings.Checkpoints, in.Spool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clearAway(ctx, store, in), store.Close()) }()
	if err := in.Spool.CreateWork(in.Ref); err != nil {
		return err
	}
	k := &keeper{store: store, at: in.Settings.Checkpoints, spool: in.Spool, ref: in.Ref, report: report, params: in.Params}
	if err := k.fetch(ctx, in.From); err != nil {
		return err
	}
	outcome, err := a.launch(ctx, in, place, func(e trainerplugin.Event) error {
		if s, ok := e.(trainerplugin.Started); ok && in.Stream != "" && s.NoiseID != in.Stream {
			return fmt.Errorf("%w: its checkpoint is of no use, and the privacy budget has no room for starting over with fresh noise", trainerplugin.ErrRefused)
		}
		reported, err := pass(e)
		if err != nil || !reported {
			return err
		}
		return k.event(ctx, e)
	})
	if err != nil {
		return err
	}
	if in.Settings.KeepWeights {
		if err := in.Spool.KeepWeights(in.Ref); err != nil {
			return err
		}
	}
	return finish(outcome)
}

// launch runs the attempt's trainer in a process of its own.
func (a *TrainActivities) launch(ctx context.Context, in TrainInput, place *seat, report func(trainerplugin.Event) error) (o sweep.Outcome, err error) {
	log, err := a.log(in)
	if err != nil {
		return o, err
	}
	defer log.Close() // it is for people: its loss is no reason to fail
	j := a.job(in, place.names)
	t, err := a.Launch(ctx, in.Settings.Trainer, j, log)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	needs, err := t.Check(ctx, j)
	if err != nil {
		return o, err
	}
	if in.Halve {
		j.Microbatch = max(1, needs.Microbatch/2)
		report = noteHalved(report, j.Microbatch, needs.Microbatch)
	}
	if err := place.take(ctx); err != nil {
		return o, err
	}
	defer place.trained()
	return t.Train(ctx, j, report)
}

// noteHalved says when the attempt has started that it works on fewer examples at
// once than it otherwise would.
func noteHalved(report func(trainerplugin.Event) error, now, before int) func(trainerplugin.Event) error {
	return func(e trainerplugin.Event) error {
		if err := report(e); err != nil {
			return err
		}
		s, started := e.(trainerplugin.Started)
		if !started {
			return nil
		}
		return report(trainerplugin.Note{Step: s.Step, Text: fmt.Sprintf("memory ran out before: at most %d examples at once instead of %d, which changes no bit of the result", now, before)})
	}
}

// log is where the attempt's trainer prints to. What one of a private selection
// prints may tell what it came to, and is not kept.
func (a *TrainActivities) log(in TrainInput) (io.WriteCloser, error) {
	if in.drawn {
		return discarded{io.Discard}, nil
	}
	return in.Spool.CreateLog(in.Ref)
}

type discarded struct{ io.Writer }

func (discarded) Close() error { return nil }

// clearAway removes the attempt's folder with all that the trainer left there.
// An attempt believed dead may outlast the one that took its place, and even
// the trial: then it must leave nothing in the store either.
func clearAway(ctx context.Context, store *checkpoints.Store, in TrainInput) error {
	err := in.Spool.RemoveWork(in.Ref)
	if in.Spool.IsRecorded(in.Ref.Trial) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
		defer cancel()
		err = errors.Join(err, in.Spool.Forget(in.Ref.Trial), store.Forget(ctx, in.Ref.Trial))
	}
	return err
}

func (a *TrainActivities) job(in TrainInput, devices []string) trainerplugin.Job {
	evaluate := in.Settings.EvaluateEvery
	if evaluate == 0 && !in.drawn {
		evaluate = (in.Params.Steps + 9) / 10
	}
	return trainerplugin.Job{
		Trial: in.Ref.Trial, Params: in.Params, DataDir: a.DataDir, Dir: in.Spool.Work(in.Ref),
		Threads: a.Devices.Threads(), Devices: devices,
		ReportEvery: time.Second, EvaluateEvery: evaluate, CheckpointEvery: in.Settings.CheckpointEvery,
		KeepWeights:  in.Settings.KeepWeights,
		EvaluateTest: in.Settings.EvaluateTest && in.Params.Data.Validation > 0,
	}
}

// applicationError gives err the type by which the trial's workflow decides.
func applicationError(ctx context.Context, err error) error {
	kind := sweep.Crashed
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sweep.ErrFenced):
		return temporal.NewNonRetryableApplicationError(err.Error(), fencedType, err)
	case errors.Is(cause, errDraining), errors.Is(cause, errCutOff), errors.Is(err, errCutOff), isGone(cause):
		kind = sweep.Lost
	case diskTrouble(err):
		kind = sweep.Lost
	case temporal.IsCanceledError(cause), errors.Is(err, ErrKilled):
		kind = sweep.Cancelled
	case errors.Is(err, errNoWinner):
		kind = sweep.NoWinner
	case errors.Is(err, ErrUnfit):
		kind = sweep.Unfit
	case errors.Is(err, trainerplugin.ErrRefused):
		kind = sweep.Refused
	case errors.Is(err, trainerplugin.ErrDiverged):
		kind = sweep.Diverged
	case errors.Is(err, trainerplugin.ErrOutOfMemory):
		kind = sweep.NoMemory
	case errors.Is(err, trainerplugin.ErrSilent): // which is a broken promise too
		kind = sweep.TimedOut
	case errors.Is(err, trainerplugin.ErrProtocol):
		kind = sweep.BadTrainer
	}
	return temporal.NewApplicationError(err.Error(), string(kind), err)
}

// diskTrouble reports whether this machine could not write what it must: its
// disk is full, over quota, read-only or broken. It is no fault of the trial.
func diskTrouble(err error) bool {
	return slices.ContainsFunc(diskTroubles, func(no error) bool { return errors.Is(err, no) })
}

var diskTroubles = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO}

// isGone reports whether the server no longer knows the attempt: it timed out,
// or its workflow has ended.
func isGone(err error) bool {
	_, gone := errors.AsType[*serviceerror.NotFound](err)
	return gone
}
