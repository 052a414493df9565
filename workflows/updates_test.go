package workflows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"sweep"
	"sweep/trainerplugin"
)

// ask sends an update and keeps its answer.
func ask(t *testing.T, env *testsuite.TestWorkflowEnvironment, name string, a *Answer, failed *error, args ...any) {
	env.UpdateWorkflow(name, "", &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) { *failed = err },
		OnComplete: func(v any, err error) {
			*failed = err
			if got, ok := v.(Answer); ok {
				*a = got
			}
		},
	}, args...)
}

// slow has trials take an hour of the environment's time and record themselves.
func slow(env *testsuite.TestWorkflowEnvironment, l *ledger) {
	env.OnActivity("Train", anything, anything).After(time.Hour).Return(TrainDone{10, 0.5}, nil)
	env.OnActivity("Record", anything, anything).Return(func(ctx context.Context, ref sweep.AttemptRef) error {
		return l.Record(ctx, ref, sweep.Outcome{})
	})
}

func TestSetParallelOnARunningSweep(t *testing.T) {
	l := newLedger(12)
	env := suite(t, l, ok)
	slow(env, l)
	var a, none Answer
	var err, refused error
	env.RegisterDelayedCallback(func() {
		ask(t, env, UpdateParallel, &a, &err, 5)
		ask(t, env, UpdateParallel, &none, &refused, MaxParallel+1)
	}, 30*time.Minute)
	env.RegisterDelayedCallback(func() {
		if n := states(l); n[sweep.Running] != 5 {
			t.Errorf("soon after: %v, want 5 running", n)
		}
	}, 40*time.Minute)
	env.ExecuteWorkflow(SweepWorkflow, l.input(2))
	if err != nil || a.Before != 2 || a.Parallel != 5 {
		t.Errorf("answer %+v, %v; want 5 in place of 2", a, err)
	}
	if refused == nil || !strings.Contains(refused.Error(), "from 1 to 500") {
		t.Errorf("501 trials at a time: %v, want a refusal", refused)
	}
	if n := states(l); n[sweep.Completed] != 12 {
		t.Errorf("states %v, want 12 completed", n)
	}
}

// A number of trials at a time that was set stands when a file that asks for as
// many as before is taken over, pause included; one that asks for others has its way.
func TestExtendKeepsWhatWasSet(t *testing.T) {
	l := newLedger(6)
	env := suite(t, l, ok)
	slow(env, l)
	var set, same, other Answer
	var err1, err2, err3, err4 error
	env.RegisterDelayedCallback(func() {
		ask(t, env, UpdateParallel, &set, &err1, 3)
		ask(t, env, UpdatePause, &Answer{}, &err2)
		ask(t, env, UpdateExtended, &same, &err3, l.input(1))
	}, 30*time.Minute)
	env.RegisterDelayedCallback(func() { ask(t, env, UpdateExtended, &other, &err4, l.input(2)) }, 40*time.Minute)
	env.RegisterDelayedCallback(func() { ask(t, env, UpdateResume, &Answer{}, &err2) }, 5*time.Hour)
	env.ExecuteWorkflow(SweepWorkflow, l.input(1))
	if err := errors.Join(err1, err2, err3, err4); err != nil || same.Parallel != 3 || !same.Paused || other.Parallel != 2 || !other.Paused {
		t.Errorf("answers %+v to a file that asks for 1 as before, and %+v to one that asks for 2, of a paused sweep set to 3; %v", same, other, err)
	}
	if n := states(l); n[sweep.Completed] != 6 {
		t.Errorf("states %v, want 6 completed", n)
	}
}

func TestPauseAndResumeAreAnswered(t *testing.T) {
	l := newLedger(4)
	env := suite(t, l, ok)
	slow(env, l)
	var paused, resumed Answer
	var err1, err2 error
	env.RegisterDelayedCallback(func() { ask(t, env, UpdatePause, &paused, &err1) }, 30*time.Minute)
	env.RegisterDelayedCallback(func() {
		if n := states(l); n[sweep.Completed] != 1 {
			t.Errorf("while paused %v, want 1 completed", n)
		}
		ask(t, env, UpdateResume, &resumed, &err2)
	}, 5*time.Hour)
	env.ExecuteWorkflow(SweepWorkflow, l.input(1))
	if err := errors.Join(err1, err2); err != nil || !paused.Paused || paused.Running != 1 || resumed.Paused {
		t.Errorf("answers %+v and %+v, %v", paused, resumed, err)
	}
}

// The first trials fail in one way: the sweep pauses and says why, and goes on
// when it is told to, with those that failed first if it is told to.
func TestSameFailuresPauseTheSweep(t *testing.T) {
	l := newLedger(40)
	broken := true
	env := suite(t, l, func(_ context.Context, j trainerplugin.Job) error {
		if broken {
			return fmt.Errorf("%w: check %s: library %x is not on this machine", trainerplugin.ErrRefused, j.Trial, sweep.Digest("t", j.Trial)[:20])
		}
		return nil
	})
	var a Answer
	var err, err2 error
	env.RegisterDelayedCallback(func() {
		if n := states(l); n[sweep.Failed] < 3 || n[sweep.Failed] > 5 {
			t.Errorf("paused after %v, want some three failed", n)
		}
		broken = false
		ask(t, env, UpdateRetry, &a, &err)
		ask(t, env, UpdateResume, new(Answer), &err2)
	}, time.Hour)
	env.ExecuteWorkflow(SweepWorkflow, l.input(2))
	if err := errors.Join(err, err2, env.GetWorkflowError()); err != nil || a.Retried < 3 {
		t.Errorf("retry answered %+v, %v; want at least 3", a, err)
	}
	if len(l.causes) != 1 || !strings.HasPrefix(l.causes[0], "failures: the first 3 trials failed in the same way (refused)") {
		t.Errorf("causes %q, want the failures", l.causes)
	}
	if want := []string{"running", "paused", "running"}; !slices.Equal(l.marks, want) {
		t.Errorf("the record was told %v, want %v", l.marks, want)
	}
	if n := states(l); n[sweep.Completed] != 40 {
		t.Errorf("in the end %v, want 40 completed", n)
	}
}

// Ten trials that diverge pause the sweep, too.
func TestDivergingTrialsPauseTheSweep(t *testing.T) {
	l := newLedger(40)
	env := suite(t, l, func(_ context.Context, j trainerplugin.Job) error {
		return fmt.Errorf("%w: step %s: loss is NaN", trainerplugin.ErrDiverged, j.Trial)
	})
	env.RegisterDelayedCallback(func() {
		if n := states(l); n[sweep.Failed] != 10 {
			t.Errorf("paused after %v, want ten failed", n)
		}
		env.CancelWorkflow()
	}, time.Hour)
	env.ExecuteWorkflow(SweepWorkflow, l.input(1))
	if len(l.causes) == 0 || !strings.HasPrefix(l.causes[0], "failures: the first 10 trials failed in the same way (diverged)") {
		t.Errorf("causes %q, want the failures", l.causes)
	}
}

// Trials that fail each in a way of its own, nine that diverge, or some that fail
// after one was completed, are no reason to pause; nor is a sweep of which nothing is left.
func TestOtherFailuresDoNot(t *testing.T) {
	for _, c := range []struct {
		name   string
		trials int
		train  func(j trainerplugin.Job) error
	}{
		{"each its own", 12, func(j trainerplugin.Job) error {
			return fmt.Errorf("%w: %s", trainerplugin.ErrRefused, strings.Repeat("x", 1+int(j.Trial[3]-'0')))
		}},
		{"nine diverged", 12, func(j trainerplugin.Job) error {
			if j.Trial < "t009" {
				return trainerplugin.ErrDiverged
			}
			return nil
		}},
		{"after a success", 12, func(j trainerplugin.Job) error {
			if j.Trial == "t001" {
				return nil
			}
			return trainerplugin.ErrRefused
		}},
		{"nothing left", 3, func(trainerplugin.Job) error { return trainerplugin.ErrRefused }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(c.trials)
			env := suite(t, l, func(_ context.Context, j trainerplugin.Job) error { return c.train(j) })
			env.ExecuteWorkflow(SweepWorkflow, l.input(1))
			if n := states(l); env.GetWorkflowError() != nil || n[sweep.Pending] > 0 || len(l.causes) > 0 {
				t.Errorf("%v, causes %q, error %v; want nothing pending and no cause", n, l.causes, env.GetWorkflowError())
			}
		})
	}
}

func TestSweepStopsWhereTheBudgetEnds(t *testing.T) {
	l := newLedger(9)
	l.denied = map[sweep.TrialID]string{"t004": "no room for it"}
	env := suite(t, l, ok)
	env.ExecuteWorkflow(SweepWorkflow, l.input(1))
	if n := states(l); env.GetWorkflowError() != nil || n[sweep.Completed] != 4 || n[sweep.Pending] != 5 {
		t.Errorf("%v, error %v; want 4 completed and 5 pending", n, env.GetWorkflowError())
	}
	if want := []string{"budget: no room for it"}; !slices.Equal(l.causes, want) || !slices.Equal(l.finished, []bool{true}) {
		t.Errorf("causes %q, finished %v; want %q and interrupted", l.causes, l.finished, want)
	}
}

// A trial whose sweep is run by nothing any more is taken over; one whose
// attempt has reported just now is not.
func TestTrialOfADeadSweepIsTakenOver(t *testing.T) {
	for _, c := range []struct {
		name         string
		runs, spoken bool
		want         bool
	}{{"dead", false, false, true}, {"alive", true, false, false}, {"on its way out", false, true, false}} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(1)
			suite(t, l, ok)
			l.state["t000"], l.attempts["t000"], l.busy["t000"] = sweep.Running, 1, 1
			ref := sweep.AttemptRef{Sweep: "s-1", Trial: "t000", Number: 1}
			if c.spoken {
				r, err := l.spool.Create(ref, "w")
				if err != nil {
					t.Fatal(err)
				}
				r.Close()
			}
			a := &RecordActivities{Results: l, Spool: l.spool, Runs: func(context.Context, sweep.SweepID) (bool, error) { return c.runs, nil }}
			freed, err := a.free(t.Context(), "s-1", []sweep.AttemptRef{ref})
			if err != nil || freed != c.want || (len(l.endings) == 1) != c.want {
				t.Errorf("freed %v, %v, endings %+v; want %v", freed, err, l.endings, c.want)
			}
		})
	}
}

func TestDevicesGrow(t *testing.T) {
	d := NewDevices(nil, 1, 1)
	_, release, err := d.Acquire(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	got := make(chan error)
	go func() {
		_, _, err := d.Acquire(t.Context(), 0)
		got <- err
	}()
	if n := d.Grow(2); n != 2 {
		t.Errorf("%d trials at once, want 2", n)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	if n := d.Grow(1); n != 2 {
		t.Errorf("asked for fewer: %d at once, want 2 still", n)
	}
}
