package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sweep/trainerplugin"
)

const (
	maxSpares = 4                // trainers started ahead
	spareFor  = 20 * time.Second // how long one waits for a trial
	shortLife = time.Minute      // trials that take longer do not feel the start of their trainer
	spareLog  = 64 << 10         // bytes kept of what one prints while it waits
)

// spares are trainers started ahead of the trials that will want them: the
// start of a process takes a tenth of a second or, where it imports a
// framework, ten, in which its slot would be idle. They are kept for short
// trials without GPUs only. A spare has seen no data and no parameters.
type spares struct {
	mu       sync.Mutex
	ready    []*spare
	starting int
	short    map[string]bool // launches whose trials have lately been short
	closed   bool
	starts   sync.WaitGroup
	ctx      context.Context // of the starts
	stop     context.CancelFunc
}

func newSpares() *spares {
	s := &spares{short: map[string]bool{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

type spare struct {
	key     string
	process *trainerplugin.Process
	log     *lateWriter
	expiry  *time.Timer
}

// spareKey says which spares can stand in for which launches.
func spareKey(o trainerplugin.LaunchOptions) string {
	return strings.Join(append(append([]string{o.SHA256, o.Dir, strconv.Itoa(o.Threads)}, o.Command...), o.Env...), "\x00")
}

// take returns a spare for the launch that answers, nil if there is none.
func (s *spares) take(ctx context.Context, o trainerplugin.LaunchOptions) *trainerplugin.Process {
	for {
		sp := s.next(spareKey(o))
		if sp == nil {
			return nil
		}
		asked, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := sp.process.Describe(asked)
		cancel()
		if err == nil {
			sp.log.attach(o.Log)
			return sp.process
		}
		_ = sp.process.Close() // it has died while it waited: the next launch will say why, if that is a habit
	}
}

func (s *spares) next(key string) *spare {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.ready, func(sp *spare) bool { return sp.key == key })
	if i < 0 {
		return nil
	}
	sp := s.ready[i]
	if !sp.expiry.Stop() {
		return nil // its time is up this instant
	}
	s.ready = slices.Delete(s.ready, i, i+1)
	return sp
}

// lived notes how long a trial had its trainer.
func (s *spares) lived(o trainerplugin.LaunchOptions, d time.Duration) {
	s.mu.Lock()
	s.short[spareKey(o)] = d < shortLife
	s.mu.Unlock()
	s.prepare(o)
}

// prepare starts a spare like o in the background, if trials of its kind are
// short and there is room for one.
func (s *spares) prepare(o trainerplugin.LaunchOptions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.short[spareKey(o)] || len(o.Devices) > 0 || len(s.ready)+s.starting >= maxSpares {
		return
	}
	s.starting++
	s.starts.Go(func() { s.start(o) })
}

func (s *spares) start(o trainerplugin.LaunchOptions) {
	sp := &spare{key: spareKey(o), log: &lateWriter{}}
	o.Log = sp.log
	process, err := trainerplugin.Launch(s.ctx, o)
	s.mu.Lock()
	s.starting--
	keep := err == nil && !s.closed
	if keep {
		sp.process = process
		sp.expiry = time.AfterFunc(spareFor, func() { s.expire(sp) })
		s.ready = append(s.ready, sp)
	}
	s.mu.Unlock()
	if err == nil && !keep {
		_ = process.Close()
	}
}

func (s *spares) expire(sp *spare) {
	s.mu.Lock()
	s.ready = slices.DeleteFunc(s.ready, func(other *spare) bool { return other == sp })
	s.mu.Unlock()
	_ = sp.process.Close()
}

// close ends all spares, also those that are being started.
func (s *spares) close() error {
	s.mu.Lock()
	s.closed = true
	s.stop()
	left := s.ready
	s.ready = nil
	s.mu.Unlock()
	var all error
	for _, sp := range left {
		if sp.expiry.Stop() {
			all = errors.Join(all, sp.process.Close())
		}
	}
	s.starts.Wait()
	return all
}

// A lateWriter keeps the beginning of what a spare prints until the log of its
// trial is known.
type lateWriter struct {
	mu    sync.Mutex
	early bytes.Buffer
	to    io.Writer
}

func (w *lateWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.to != nil {
		return w.to.Write(p)
	}
	w.early.Write(p[:min(len(p), spareLog-w.early.Len())])
	return len(p), nil
}

func (w *lateWriter) attach(to io.Writer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if to == nil {
		to = io.Discard
	}
	_, _ = w.early.WriteTo(to) // as the rest of the log: its loss is no reason to fail
	w.to = to
}
