package workflows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sweep"
	"sweep/trainerplugin"
)

// Workers that lack what a trial needs cost it no retry: it waits for one that has it.
func TestUnfitWorkersPassTrialsOn(t *testing.T) {
	l := newLedger(6)
	left := 4
	env := suite(t, l, func(context.Context, trainerplugin.Job) error {
		if left--; left >= 0 {
			return fmt.Errorf("%w: no data set mnist", ErrUnfit)
		}
		return nil
	})
	in := l.input(1)
	in.Settings.Retries = 0
	env.ExecuteWorkflow(SweepWorkflow, in)
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if n := states(l); n[sweep.Completed] != 6 || l.attempts["t000"] != 5 || len(l.causes) != 0 {
		t.Errorf("states %v, attempts %v, causes %v; want all completed, the first in five attempts, and no pause", n, l.attempts, l.causes)
	}
	for _, e := range l.endings {
		if e.Failure != sweep.Unfit || e.Next != sweep.Pending || !strings.Contains(e.Reason, "no data set mnist") {
			t.Errorf("an attempt ended with %+v", e)
		}
	}
}

// No worker has what any trial needs: the sweep is paused and says why, nothing
// has failed, and it goes on when it is told to.
func TestNoFitWorkerPausesTheSweep(t *testing.T) {
	l := newLedger(6)
	lacking := true
	env := suite(t, l, func(context.Context, trainerplugin.Job) error {
		if lacking {
			return fmt.Errorf("%w: no data set mnist", ErrUnfit)
		}
		return nil
	})
	var err error
	env.RegisterDelayedCallback(func() {
		if n := states(l); n[sweep.Pending] != 6 {
			t.Errorf("paused with %v, want all pending", n)
		}
		lacking = false
		ask(t, env, UpdateResume, new(Answer), &err)
	}, time.Hour)
	env.ExecuteWorkflow(SweepWorkflow, l.input(2))
	if err := errors.Join(err, env.GetWorkflowError()); err != nil {
		t.Fatal(err)
	}
	if len(l.causes) != 1 || !strings.Contains(l.causes[0], "no worker has what the trials need") || !strings.Contains(l.causes[0], "no data set mnist") {
		t.Errorf("causes %q, want one that says what is missing", l.causes)
	}
	if want := []string{"running", "paused", "running"}; !slices.Equal(l.marks, want) {
		t.Errorf("the record was told %v, want %v", l.marks, want)
	}
	if n := states(l); n[sweep.Completed] != 6 {
		t.Errorf("in the end %v, want 6 completed", n)
	}
}
