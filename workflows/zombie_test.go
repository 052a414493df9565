package workflows

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
	"sweep/workflows/spool"
)

// frozen runs an attempt that stops dead after a step, as a partitioned or
// suspended machine does, until wake is closed.
func (s *site) frozen(h host, step int) (ref sweep.AttemptRef, wake chan struct{}, ended chan error) {
	s.t.Helper()
	ref, claim := s.begin()
	reached := make(chan struct{})
	wake, ended = make(chan struct{}), make(chan error, 1)
	h.after = func(e trainerplugin.Event) error {
		if p, ok := e.(trainerplugin.Progress); ok && p.Step == step {
			close(reached)
			<-wake
		}
		return nil
	}
	go func() { ended <- s.run(h, ref, claim) }()
	select {
	case <-reached:
	case err := <-ended:
		s.t.Fatalf("it ended before it was frozen: %v", err)
	}
	return ref, wake, ended
}

// An attempt that was believed dead comes back while another is at the trial:
// it stops at its next checkpoint and has changed nothing.
func TestZombieBesideItsSuccessor(t *testing.T) {
	s := newSite(t, sweep.Seeded)
	zombie, wake, ended := s.frozen(host{threads: 1}, 10)
	before := s.kept()
	second, claim := s.begin()
	woken := false
	err := s.run(host{threads: 1, after: func(e trainerplugin.Event) error {
		if p, ok := e.(trainerplugin.Progress); !ok || p.Step != 25 {
			return nil
		}
		woken = true
		close(wake)
		if err := <-ended; !errors.Is(err, sweep.ErrFenced) {
			t.Errorf("the zombie ended with %v, want ErrFenced", err)
		}
		if claim.Checkpoints[0].Attempt != 1 || !slices.Contains(before, "1/"+claim.Checkpoints[0].File) {
			t.Errorf("the second attempt goes on from %+v; the first had kept %v", claim.Checkpoints[0], before)
		}
		return nil
	}}, second, claim)
	if err != nil || !woken {
		t.Fatalf("second attempt: %v, zombie woken: %t", err, woken)
	}
	end := sweep.Ending{Failure: sweep.Crashed, Reason: "the zombie's words", Next: sweep.Failed}
	if err := s.record.End(t.Context(), zombie, end); failureType(err) != fencedType {
		t.Errorf("the zombie's end: %v, want it refused", err)
	}
	if err := s.record.Record(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	s.check(t, second)
}

// One comes back when the trial is in the record, on a machine that sees
// neither the trial's folder nor the record, and trains to its end. What it
// says is refused, and what it kept is nobody's.
func TestZombieAfterTheRecord(t *testing.T) {
	s := newSite(t, sweep.Seeded)
	far := spool.Folder(t.TempDir())
	zombie, wake, ended := s.frozen(host{threads: 1, spool: far}, 10)
	second, err := s.attempt(host{threads: 1}) // starts afresh: nobody told it of the zombie's checkpoints
	if err == nil {
		err = s.record.Record(t.Context(), second)
	}
	if err != nil {
		t.Fatal(err)
	}
	close(wake)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	o, err := far.Outcome(zombie)
	if err != nil {
		t.Fatal(err)
	}
	lie := o
	lie.Accuracy = 0.99
	for _, o := range []sweep.Outcome{o, lie} {
		if err := s.store.Record(t.Context(), zombie, o); !errors.Is(err, sweep.ErrFenced) {
			t.Errorf("the zombie records: %v, want ErrFenced", err)
		}
	}
	for _, name := range s.kept() {
		if !strings.HasPrefix(name, "1/") {
			t.Errorf("the zombie has written %s, under another attempt's number", name)
		}
	}
	s.check(t, second)
	// Where it sees the trial's folder it clears away what it has kept.
	if err := s.record.forget(t.Context(), s.params.ID()); err != nil {
		t.Fatal(err)
	}
	if left := s.kept(); len(left) != 0 {
		t.Errorf("left in the store: %v", left)
	}
}

// One comes back to a folder in which its trial is recorded, and must leave no
// checkpoint, which would hold the noise key.
func TestZombieClearsAway(t *testing.T) {
	s := newSite(t, sweep.Secure)
	_, wake, ended := s.frozen(host{threads: 1}, 10)
	second, err := s.attempt(host{threads: 1})
	if err == nil {
		err = s.record.Record(t.Context(), second)
	}
	if err != nil {
		t.Fatal(err)
	}
	close(wake)
	if err := <-ended; !errors.Is(err, sweep.ErrFenced) {
		t.Errorf("the zombie ended with %v, want ErrFenced", err)
	}
	files, err := filepath.Glob(filepath.Join(s.record.Spool.Trial(s.params.ID()), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := filepath.Base(f); name != "recorded" && !strings.HasPrefix(name, "trainer-") && !strings.HasPrefix(name, "report-") {
			t.Errorf("left in the trial's folder: %s", name)
		}
	}
	if left := s.kept(); len(left) != 0 {
		t.Errorf("left in the store: %v", left)
	}
}

// check compares the record with what the given attempt, and no other, did.
func (s *site) check(t *testing.T, by sweep.AttemptRef) {
	t.Helper()
	got := s.trial()
	if got.State != sweep.Completed || got.Steps != 40 || len(got.Attempts) != 2 {
		t.Fatalf("trial %+v; want it completed by the second of two attempts, 40 steps charged", got)
	}
	o := *got.Outcome
	o.Seconds = s.done.Seconds
	if o != s.done {
		t.Errorf("outcome %+v; undisturbed %+v", o, s.done)
	}
	if a := got.Attempts[0]; a.Failure != sweep.Lost || a.Ended.IsZero() {
		t.Errorf("the zombie's attempt %+v; want it lost", a)
	}
	if a := got.Attempts[by.Number-1]; a.Failure != "" || a.Reason != "" {
		t.Errorf("the completing attempt %+v", a)
	}
}

// What a process that was killed has left of a recorded trial goes when the
// record is next served; what a running trial needs stays.
func TestTidy(t *testing.T) {
	s := newSite(t, sweep.Secure)
	s.dies(host{threads: 1}, 20)
	if err := s.record.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.kept()) < 2 {
		t.Fatal("checkpoints of a trial that is not recorded were removed")
	}
	ref, err := s.attempt(host{threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := s.record.Spool.Outcome(ref)
	if err == nil {
		err = errors.Join(s.store.Record(t.Context(), ref, outcome), os.Mkdir(s.record.Spool.Work(ref), 0o700))
	}
	if err != nil { // and now the process is killed
		t.Fatal(err)
	}
	if err := s.record.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := s.kept(); len(left) != 0 {
		t.Errorf("left in the store: %v", left)
	}
	if left, err := s.record.Spool.Leftovers(); err != nil || len(left) != 0 {
		t.Errorf("left of the trials %v, %v", left, err)
	}
}

// A worker that has trained while the server was away tells nobody. What it has
// left counts, whoever comes by first: the workflow that gives the attempt up, or
// one that starts over.
func TestOutcomeOfALostAttemptCounts(t *testing.T) {
	for name, give := range map[string]func(*site, sweep.AttemptRef) error{
		"given up": func(s *site, ref sweep.AttemptRef) error {
			return s.record.End(s.t.Context(), ref, sweep.Ending{Failure: sweep.Lost, Reason: "no word", Next: sweep.Pending})
		},
		"started over": func(*site, sweep.AttemptRef) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, sweep.Secure)
			ref, err := s.attempt(host{threads: 1})
			if err == nil {
				err = give(s, ref)
			}
			if err != nil {
				t.Fatal(err)
			}
			claim, err := s.record.Begin(t.Context(), s.sweep, s.params.ID())
			if err != nil || claim.State != sweep.Completed {
				t.Errorf("the next claim is %+v, %v; want the trial completed", claim, err)
			}
			got := s.trial()
			if got.State != sweep.Completed || got.Steps != 40 || len(got.Attempts) != 1 || got.Attempts[0].Failure != "" {
				t.Errorf("trial %+v; want it completed by its one attempt, 40 steps charged", got)
			}
			if left := s.kept(); len(left) != 0 {
				t.Errorf("left in the store: %v", left)
			}
		})
	}
}
