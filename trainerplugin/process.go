package trainerplugin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin"

	"sweep"
)

// A Process is a trainer that runs as a process of its own.
type Process struct {
	client  *plugin.Client
	child   atomic.Pointer[child]
	remote  Trainer
	log     *lineLog
	scratch *scratch // folder of the socket

	closed   atomic.Bool
	closing  sync.Once
	closeErr error
}

// Describe implements [Trainer].
func (p *Process) Describe(ctx context.Context) (Description, error) {
	d, err := p.remote.Describe(ctx)
	return d, p.explain(err)
}

// Check implements [Trainer].
func (p *Process) Check(ctx context.Context, j Job) (Estimate, error) {
	e, err := p.remote.Check(ctx, j)
	return e, p.explain(err)
}

// Train implements [Trainer].
func (p *Process) Train(ctx context.Context, j Job, report func(Event) error) (sweep.Outcome, error) {
	o, err := p.remote.Train(ctx, j, report)
	return o, p.explain(err)
}

// explain adds to a lost connection how the process ended. The connection
// breaks a moment before its end is known.
func (p *Process) explain(err error) error {
	if !errors.Is(err, errConnection) {
		return err
	}
	c := p.child.Load()
	switch {
	case !c.waitGone(killWait):
		return fmt.Errorf("trainer process does not answer any more: %w", err)
	case c.asked.Load():
		return fmt.Errorf("trainer process was ended by its host: %w", err)
	}
	if c.outOfMemory() {
		err = fmt.Errorf("%w: %w", ErrOutOfMemory, err)
	}
	return fmt.Errorf("trainer process ended: %s: %w", c.epitaph(), err)
}

// LogTail returns the last lines that the trainer printed on standard output
// and standard error: at most 200 and 64 KiB, each cut at 4 KiB, and none
// with characters that could harm a terminal.
func (p *Process) LogTail() string { return p.log.tail() }

// Close ends the process and all that it started, and frees what belongs to
// it. It returns within seconds, whatever state they are in; the error says so
// if the kernel would not let one go.
func (p *Process) Close() error {
	p.closed.Store(true)
	p.closing.Do(func() {
		if c := p.child.Load(); c != nil {
			p.closeErr = c.stop()
		}
		// Kill asks the trainer over the socket first, with no deadline.
		killed := make(chan struct{})
		go func() {
			p.client.Kill()
			close(killed)
		}()
		select {
		case <-killed:
		case <-time.After(killWait):
		}
		p.closeErr = errors.Join(p.closeErr, p.scratch.remove())
	})
	return p.closeErr
}
