package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"sweep/internal/faults"
)

// errNoTarget says that there is nothing for a fault to hit just now.
var errNoTarget = errors.New("nothing to hit")

// A kind of fault, and how many of it are in a deck.
type kind struct {
	name   string
	cards  int
	inject func(*soak) error
}

var soakFaults = []kind{
	{"kill -9 of the process that runs the sweep", 4, func(s *soak) error { return s.kill(isHost) }},
	{"kill -9 of a trainer", 5, func(s *soak) error { return s.kill(isTrainer) }},
	{"kill -9 of a shim", 2, func(s *soak) error { return s.kill(isShim) }},
	{"kill -9 of a worker", 3, func(s *soak) error { return s.kill(isWorker) }},
	{"SIGTERM of the process that runs the sweep", 1, func(s *soak) error { return s.signal(isHost, syscall.SIGTERM) }},
	{"SIGTERM of a worker", 1, func(s *soak) error { return s.signal(isWorker, syscall.SIGTERM) }},
	{"another shell joins", 2, func(s *soak) error {
		s.others = append(s.others, s.start("resume", s.sweeps[len(s.sweeps)-1]))
		return nil
	}},
	{"another worker joins", 3, (*soak).addWorker},
	{"SIGSTOP of trainers for a second", 2, func(s *soak) error { return s.freeze(time.Second, isTrainer, isShim) }},
	{"SIGSTOP of everything for longer than the heartbeat time-out", 1, func(s *soak) error {
		return s.freeze(5*time.Second, isTrainer, isShim, isWorker, isHost)
	}},
	{"SIGSTOP of a worker for longer than the heartbeat time-out", 2, func(s *soak) error { return s.freeze(6*time.Second, isWorker) }},
	{"damage to a checkpoint, and kill -9 of all trainers", 3, (*soak).damage},
	{"loss of all checkpoints, and kill -9 of all trainers", 2, (*soak).lose},
	{"kill -9 of everything, and loss of Temporal's database", 1, (*soak).amnesia},
}

// fault injects one fault. Faults are drawn like cards, so that even a short
// soak meets every kind; one that has nothing to hit waits for its time.
func (s *soak) fault() {
	s.t.Helper()
	for i, k := range s.deck {
		err := k.inject(s)
		if errors.Is(err, errNoTarget) {
			continue
		}
		if err != nil {
			s.t.Fatalf("%s: %v", k.name, err)
		}
		s.deck = slices.Delete(s.deck, i, i+1)
		s.faults++
		s.counts[k.name]++
		s.t.Logf("%6.1f s: %s", time.Since(s.began).Seconds(), k.name)
		return
	}
	// What is left has nothing to hit for now.
	for _, k := range soakFaults {
		s.deck = append(s.deck, slices.Repeat([]kind{k}, k.cards)...)
	}
	s.random.Shuffle(len(s.deck), func(i, j int) { s.deck[i], s.deck[j] = s.deck[j], s.deck[i] })
}

func isTrainer(p faults.Process) bool { return filepath.Base(p.Args[0]) == "witness" }
func isShim(p faults.Process) bool    { return p.Runs(shimVerb) }
func isWorker(p faults.Process) bool  { return p.Runs("worker") }
func isHost(p faults.Process) bool    { return p.Runs("resume") || p.Runs("start") }

// find lists the soak's processes of the given kinds.
func (s *soak) find(kinds ...func(faults.Process) bool) ([]faults.Process, error) {
	all, err := faults.Marked(s.mark())
	found := slices.DeleteFunc(all, func(p faults.Process) bool {
		return !slices.ContainsFunc(kinds, func(is func(faults.Process) bool) bool { return is(p) })
	})
	if err == nil && len(found) == 0 {
		err = errNoTarget
	}
	return found, err
}

func (s *soak) kill(kind func(faults.Process) bool) error { return s.signal(kind, syscall.SIGKILL) }

// signal sends a signal to one process of the kind.
func (s *soak) signal(kind func(faults.Process) bool, sig syscall.Signal) error {
	found, err := s.find(kind)
	if err != nil {
		return err
	}
	return found[s.random.IntN(len(found))].Signal(sig)
}

func (s *soak) killAll(kinds ...func(faults.Process) bool) error {
	found, err := s.find(kinds...)
	if errors.Is(err, errNoTarget) {
		return nil
	}
	for _, p := range found {
		err = errors.Join(err, p.Signal(syscall.SIGKILL))
	}
	return err
}

func (s *soak) freeze(while time.Duration, kinds ...func(faults.Process) bool) error {
	found, err := s.find(kinds...)
	if err != nil {
		return err
	}
	return faults.Freeze(found, while)
}

func (s *soak) addWorker() error {
	if found, err := s.find(isWorker); err == nil && len(found) > 1 {
		return errNoTarget // two are enough
	}
	s.others = append(s.others, s.start("worker", "--at-once", "2"))
	return nil
}

// checkpoints lists all that the store holds.
func (s *soak) checkpoints() ([]string, error) {
	found, err := filepath.Glob(filepath.Join(s.dir, "results.d", "trials", "*", "checkpoints", "*", "*.ckpt"))
	if err == nil && len(found) == 0 {
		err = errNoTarget
	}
	return found, err
}

// damage spoils the newest checkpoint of some trial that is running.
func (s *soak) damage() error {
	found, err := s.checkpoints()
	if err != nil {
		return err
	}
	victim := found[s.random.IntN(len(found))]
	newest, err := filepath.Glob(filepath.Join(filepath.Dir(victim), "*.ckpt")) // sorted by step
	if err != nil || len(newest) == 0 {
		return errors.Join(err, errNoTarget)
	}
	victim = newest[len(newest)-1]
	text, err := os.ReadFile(victim)
	if err != nil || len(text) == 0 {
		return errNoTarget // it has just been removed
	}
	switch s.random.IntN(3) {
	case 0:
		text = text[:s.random.IntN(len(text))]
	case 1:
		text[s.random.IntN(len(text))] ^= 1 << s.random.IntN(8)
	case 2:
		text = []byte("sweepckp of another program")
	}
	if _, err := os.Stat(victim); err != nil {
		return errNoTarget
	}
	return errors.Join(os.WriteFile(victim, text, 0o600), s.killAll(isTrainer))
}

// lose removes all checkpoints of some trial that is running. Trainers that went
// on meanwhile would write others.
func (s *soak) lose() error {
	found, err := s.checkpoints()
	if err != nil {
		return err
	}
	victim := filepath.Dir(filepath.Dir(found[s.random.IntN(len(found))]))
	return errors.Join(s.killAll(isTrainer), os.RemoveAll(victim))
}

// amnesia ends every process, and what Temporal knew.
func (s *soak) amnesia() error {
	if err := s.killAll(isHost, isWorker); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "results.d", "temporal-*"))
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}
