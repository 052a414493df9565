package devserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

const (
	lookAtClock = time.Second     // between two looks
	setBackBy   = 5 * time.Second // by less than this the clock may be set back without harm
)

// A drift compares the time of day with the clock that nobody can set.
type drift struct{ furthest time.Duration }

// back is how far the time of day has been set back, from the furthest that it
// was ahead of the other clock. Both are counted from any one moment on.
func (d *drift) back(day, steady time.Duration) time.Duration {
	d.furthest = max(d.furthest, day-steady)
	return d.furthest - (day - steady)
}

// watchClock looks for a clock that is set back. The server's timers fire by the
// time of day, and none fires before one that was due in the future that has been
// seen: for as long as the clock was set back, everything that waits would wait.
// No restart mends that while the database is kept.
func (s *Server) watchClock(context.Context) error {
	stop, ended := make(chan struct{}), make(chan struct{})
	s.closers = append(s.closers, func() error {
		close(stop)
		<-ended
		return nil
	})
	go func() {
		defer close(ended)
		tick := time.NewTicker(lookAtClock)
		defer tick.Stop()
		began := time.Now()
		var d drift
		for {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			now := time.Now()
			if back := d.back(now.Round(0).Sub(began.Round(0)), now.Sub(began)); back >= setBackBy {
				s.turnedBack(back.Round(time.Second))
				return
			}
		}
	}()
	return nil
}

// turnedBack gives this server up, and its database, which is of a future that
// has not come yet.
func (s *Server) turnedBack(back time.Duration) {
	what := fmt.Sprintf("the clock of this machine was set back by %v, for which all sweeps would stand still: the server starts afresh", back)
	if err := os.WriteFile(staleMark(s.database), nil, 0o600); err != nil {
		what += fmt.Sprintf("; and its database could not be given up: %v", err)
	}
	s.options.Logger.Warn(what)
	if s.options.OnTrouble != nil {
		s.options.OnTrouble(what)
	}
	close(s.stale)
}

// Stale is closed when the server will not go on as it should until it is started
// again: the clock was set back. The next [Start] begins with an empty database,
// so whoever restarts the server starts again what ran in it.
func (s *Server) Stale() <-chan struct{} { return s.stale }

func staleMark(database string) string { return database + "-stale" }

// discardStale removes a database of the future: one that was given up, and one
// that was written at a time that is yet to come.
func (s *Server) discardStale(context.Context) error {
	_, err := os.Stat(staleMark(s.database))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files := []string{s.database, s.database + "-wal", s.database + "-shm"}
	if err != nil {
		ahead, err := s.writtenAhead(files[:2])
		if err != nil || ahead < setBackBy {
			return err
		}
		if s.options.OnTrouble != nil {
			s.options.OnTrouble(fmt.Sprintf("the clock of this machine is %v behind the time when the server last ran: it starts afresh, and `sweep resume` goes on with what was running", ahead.Round(time.Second)))
		}
	}
	for _, file := range append(files, staleMark(s.database)) { // the mark last: this may be cut short
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// writtenAhead is how far in the future the newest of the files was written, by
// the clock of the file system that they are on.
func (s *Server) writtenAhead(files []string) (ahead time.Duration, err error) {
	probe, err := os.CreateTemp(s.options.Dir, ".now.tmp*")
	if err != nil {
		return 0, err
	}
	now, err := probe.Stat()
	if err = errors.Join(err, probe.Close(), os.Remove(probe.Name())); err != nil {
		return 0, err
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			ahead = max(ahead, info.ModTime().Sub(now.ModTime()))
		}
	}
	return ahead, nil
}
