package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/builtin"
	"sweep/trainerplugin/dataset"
	"sweep/workflows"
)

// silence is how long a trainer may say nothing. Loading data and compiling a
// model for a GPU take minutes.
const silence = 15 * time.Minute

// running are the trainers of this process, for a second Ctrl-C.
var running processes

// processes are trainers that run.
type processes struct {
	mu     sync.Mutex
	all    map[*trainerplugin.Process]bool
	killed bool
}

func (p *processes) add(t *trainerplugin.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[*trainerplugin.Process]bool{}
	}
	p.all[t] = true
}

func (p *processes) remove(t *trainerplugin.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, t)
}

// kill ends all of them at once, without a checkpoint.
func (p *processes) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	var all error
	for t := range p.all {
		all = errors.Join(all, t.Close())
	}
	return all
}

func (p *processes) wereKilled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

// launch starts a trainer in a process of its own, watched by a guard that
// holds it to the contract.
func launch(ctx context.Context, t workflows.Trainer, j trainerplugin.Job, log io.Writer) (workflows.Launched, error) {
	return launchWith(ctx, nil, t, j, log)
}

// launchWith is launch where a trainer may have been started ahead.
func launchWith(ctx context.Context, ahead *spares, t workflows.Trainer, j trainerplugin.Job, log io.Writer) (workflows.Launched, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if len(t.Command) == 0 {
		if err := dataset.Locate(j.DataDir, j.Params.Data.Name); errors.Is(err, dataset.ErrMissing) {
			return nil, fmt.Errorf("%w: %w", workflows.ErrUnfit, err)
		}
	}
	o := trainerplugin.LaunchOptions{
		Command: t.Command, SHA256: t.SHA256, Shim: []string{self, shimVerb},
		Devices: j.Devices, Threads: j.Threads, Log: log,
	}
	if len(t.Command) == 0 {
		o.Command = []string{self, trainerVerb}
	}
	var process *trainerplugin.Process
	if ahead != nil {
		process = ahead.take(ctx, o)
		ahead.prepare(o)
	}
	if process == nil {
		process, err = trainerplugin.Launch(ctx, o)
		if errors.Is(err, trainerplugin.ErrAbsent) {
			err = fmt.Errorf("%w: %w", workflows.ErrUnfit, err)
		}
		if err != nil {
			return nil, err
		}
	}
	running.add(process)
	guarded := trainerplugin.Guard(process, trainerplugin.Limits{Silence: silence})
	began := time.Now()
	return &launched{guarded, process, func() {
		if ahead != nil {
			ahead.lived(o, time.Since(began))
		}
	}}, nil
}

// launched is a guarded trainer and its process.
type launched struct {
	trainerplugin.Trainer
	process *trainerplugin.Process
	ended   func()
}

// Train says of a trainer that a person killed that it was not its own fault.
func (l *launched) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	outcome, err := l.Trainer.Train(ctx, j, report)
	if err != nil && running.wereKilled() {
		err = fmt.Errorf("%w: %w", workflows.ErrKilled, err)
	}
	return outcome, err
}

func (l *launched) Close() error {
	running.remove(l.process)
	l.ended()
	return l.process.Close()
}

// serveTrainer is the built-in trainer as a plugin process. Its heap is a few
// large arrays of numbers: a lazy collector would double its memory for nothing.
func serveTrainer([]string) int {
	debug.SetGCPercent(25)
	trainerplugin.Serve(&builtin.Trainer{})
	return exitOK
}
