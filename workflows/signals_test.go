package workflows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sweep"
	"sweep/trainerplugin"
)

var anything = mock.Anything

func ok(context.Context, trainerplugin.Job) error { return nil }

// states counts l's trials by state.
func states(l *ledger) map[sweep.State]int {
	n := map[sweep.State]int{}
	for _, s := range l.state {
		n[s]++
	}
	return n
}

func TestStopLetsRunningTrialsFinish(t *testing.T) {
	l := newLedger(30)
	env := suite(t, l, ok)
	env.OnActivity("Train", anything, anything).After(time.Hour).Return(TrainDone{10, 0.5}, nil)
	env.OnActivity("Record", anything, anything).Return(func(ctx context.Context, ref sweep.AttemptRef) error {
		return l.Record(ctx, ref, sweep.Outcome{})
	})
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalStop, nil) }, 90*time.Minute)
	env.ExecuteWorkflow(SweepWorkflow, l.input(4))
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if n := states(l); n[sweep.Completed] != 8 || n[sweep.Pending] != 22 || !slices.Equal(l.finished, []bool{true}) {
		t.Errorf("states %v, interrupted %v; want the 8 trials of two rounds completed, 22 pending", n, l.finished)
	}
}

func TestPauseHoldsBackNewTrials(t *testing.T) {
	l := newLedger(6)
	env := suite(t, l, ok)
	env.OnActivity("Train", anything, anything).After(time.Hour).Return(TrainDone{10, 0.5}, nil)
	env.OnActivity("Record", anything, anything).Return(func(ctx context.Context, ref sweep.AttemptRef) error {
		return l.Record(ctx, ref, sweep.Outcome{})
	})
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalPause, nil) }, 30*time.Minute)
	env.RegisterDelayedCallback(func() {
		if n := states(l); n[sweep.Completed] != 2 || n[sweep.Pending] != 4 {
			t.Errorf("paused after the first round: %v, want 2 completed, 4 pending", n)
		}
		env.SignalWorkflow(SignalResume, nil)
	}, 10*time.Hour)
	env.ExecuteWorkflow(SweepWorkflow, l.input(2))
	if want := []string{"running", "paused", "running"}; !slices.Equal(l.marks, want) {
		t.Errorf("the record was told %v, want %v", l.marks, want)
	}
	if n := states(l); env.GetWorkflowError() != nil || n[sweep.Completed] != 6 {
		t.Errorf("after resuming: %v, error %v; want 6 completed", n, env.GetWorkflowError())
	}
}

func TestCancelLeavesTrialsStopped(t *testing.T) {
	l := newLedger(9)
	env := suite(t, l, func(ctx context.Context, _ trainerplugin.Job) error {
		<-ctx.Done() // a trainer that would train for ever
		return ctx.Err()
	})
	asked := make(chan struct{})
	l.beats = func() error {
		<-asked
		return temporal.NewCanceledError()
	}
	env.RegisterDelayedCallback(func() {
		env.CancelWorkflow()
		close(asked)
	}, 50*time.Millisecond) // real time passes while activities run
	env.ExecuteWorkflow(SweepWorkflow, l.input(3))
	if !env.IsWorkflowCompleted() {
		t.Fatal("the sweep did not end")
	}
	if n := states(l); n[sweep.Stopped] != 3 || n[sweep.Pending] != 6 || !slices.Equal(l.finished, []bool{true}) {
		t.Errorf("states %v, interrupted %v; want 3 stopped, 6 pending", n, l.finished)
	}
	for _, e := range l.endings {
		if e.Failure != sweep.Cancelled || !strings.Contains(e.LogTail, "hello from the trainer") {
			t.Errorf("ending %+v; want cancelled, with the log's tail", e)
		}
	}
}

func TestLostWorkerIsNoFaultOfTheTrial(t *testing.T) {
	l := newLedger(1)
	env := suite(t, l, ok)
	lost := temporal.NewApplicationError("worker process died", workerLostType)
	env.OnActivity("Train", anything, anything).Return(TrainDone{}, lost).Times(7) // more than the retries
	env.OnActivity("Train", anything, anything).Return(TrainDone{10, 0.5}, nil).Once()
	env.OnActivity("Record", anything, anything).Return(func(ctx context.Context, ref sweep.AttemptRef) error {
		return l.Record(ctx, ref, sweep.Outcome{})
	})
	env.ExecuteWorkflow(SweepWorkflow, l.input(1))
	if l.state["t000"] != sweep.Completed || l.attempts["t000"] != 8 {
		t.Errorf("%s after %d attempts; want completed after 8", l.state["t000"], l.attempts["t000"])
	}
	for _, e := range l.endings {
		if e.Failure != sweep.Lost || e.Next != sweep.Pending {
			t.Errorf("ending %+v; want lost, pending", e)
		}
	}
}

func TestTrialThatAnotherSweepRunsIsAwaited(t *testing.T) {
	l := newLedger(1)
	l.busy["t000"] = 5
	env := suite(t, l, ok)
	env.ExecuteWorkflow(SweepWorkflow, l.input(1))
	if l.attempts["t000"] != 1 || l.state["t000"] != sweep.Completed {
		t.Errorf("%d attempts, %s; want 1, completed", l.attempts["t000"], l.state["t000"])
	}
}

// A sweep of many trials continues as new before its history is long, and
// carries what it must remember.
func TestLongSweepContinuesAsNew(t *testing.T) {
	l := newLedger(5)
	env := suite(t, l, ok)
	env.SetCurrentHistoryLength(historyLimit + 1)
	in := l.input(2)
	in.Skip = []sweep.TrialID{"t004"}
	env.ExecuteWorkflow(SweepWorkflow, in)
	var again *workflow.ContinueAsNewError
	if err := env.GetWorkflowError(); !errors.As(err, &again) {
		t.Fatalf("error %v, want continue as new", err)
	}
	if n := states(l); n[sweep.Pending] != 5 || len(l.finished) != 0 {
		t.Errorf("states %v, finished %v; want nothing started, not finished", n, l.finished)
	}
}

// A server that is slow to answer is no reason to stop training; one that no
// longer knows the attempt is.
func TestPulseToleratesASlowServer(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer error
		cause  error
	}{
		{"slow", context.DeadlineExceeded, nil},
		{"away", serviceerror.NewUnavailable("connection refused"), nil},
		{"cancelled", temporal.NewCanceledError(), temporal.NewCanceledError()},
		{"forgotten", serviceerror.NewNotFound("no such activity"), serviceerror.NewNotFound("no such activity")},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			sent := make(chan bool)
			p := &pulse{patience: patience}
			go p.keep(ctx, cancel, func(context.Context, Beat) error {
				defer func() { sent <- true }()
				return c.answer
			}, drain{})
			<-sent
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
			if got := context.Cause(ctx); fmt.Sprint(got) != fmt.Sprint(c.cause) {
				t.Errorf("stopped because of %v, want %v", got, c.cause)
			}
		})
	}
}
