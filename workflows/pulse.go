package workflows

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"sweep"
	"sweep/trainerplugin"
)

// A Beat is an attempt's heartbeat.
type Beat struct {
	Step, Steps int
	Accuracy    float64 // of the last evaluation that decides
	Checkpoint  string  // the last one's file name
}

// A pulse keeps an attempt's heartbeat going, also while its trainer is silent:
// loading data or compiling a model may take minutes.
type pulse struct {
	patience time.Duration // how long the server may not answer
	params   sweep.Params  // of the trial

	mu   sync.Mutex
	beat Beat
}

// A drain is how a worker that shuts down ends its attempts.
type drain struct {
	stopping <-chan struct{} // closed when the worker takes no more trials
	finish   time.Duration   // from then on, for attempts to end by themselves
	hurry    <-chan struct{} // closed when they shall not wait any longer
}

// keep sends heartbeats until ctx ends. It cancels the attempt when the server
// asks for it or no longer knows it, when the server has not answered for longer
// than its patience, and when the worker shuts down and the attempt has not ended
// by itself in the time that the drain allows.
func (p *pulse) keep(ctx context.Context, cancel context.CancelCauseFunc, send func(context.Context, Beat) error, d drain) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	var late <-chan time.Time
	answered := time.Now()
	for {
		err := send(ctx, p.now())
		switch {
		case err == nil:
			answered = time.Now()
		case temporal.IsCanceledError(err), isGone(err):
			cancel(err)
		case time.Since(answered) > p.patience:
			cancel(errCutOff)
		}
		select {
		case <-tick.C:
		case <-d.stopping:
			d.stopping = nil
			late = time.After(d.finish)
		case <-late:
			cancel(errDraining)
			return
		case <-d.hurry:
			cancel(errDraining)
			return
		case <-ctx.Done():
			return
		}
	}
}

func (p *pulse) now() Beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.beat
}

// event notes what a trainer reports and returns the beat that tells of it.
func (p *pulse) event(e trainerplugin.Event) Beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case trainerplugin.Started:
		p.beat.Step, p.beat.Checkpoint = e.Step, e.Checkpoint
	case trainerplugin.Progress:
		p.beat.Step = e.Step
	case trainerplugin.Evaluation:
		p.beat.Step = e.Step
		if e.Decides(p.params) {
			p.beat.Accuracy = e.Accuracy
		}
	case trainerplugin.Checkpoint:
		p.beat.Checkpoint = e.File
	}
	return p.beat
}
