package workflows

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"sweep"
)

// answer registers the handlers of the sweep's updates. Each change wakes the
// run, which acts on it.
func (s *sweepRun) answer(ctx workflow.Context) error {
	return errors.Join(
		workflow.SetUpdateHandlerWithOptions(ctx, UpdatePause, func(ctx workflow.Context) (Answer, error) {
			s.in.Paused = true
			s.wake()
			return s.stand(), nil
		}, workflow.UpdateHandlerOptions{Validator: s.mayPause, Description: "start no new trials until it is resumed"}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateResume, func(ctx workflow.Context) (Answer, error) {
			s.resumed()
			s.wake()
			return s.stand(), nil
		}, workflow.UpdateHandlerOptions{Description: "go on after a pause"}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateParallel, s.setParallel,
			workflow.UpdateHandlerOptions{Validator: mayRun, Description: "run so many trials at a time from now on"}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateRetry, s.retry,
			workflow.UpdateHandlerOptions{Description: "run failed trials again, before all others"}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateExtended, s.extended,
			workflow.UpdateHandlerOptions{Validator: func(in SweepInput) error { return mayRun(in.Parallel) }, Description: "take over a changed file"}),
	)
}

func (s *sweepRun) mayPause() error {
	if s.in.Stopping {
		return errors.New("it is stopping, and starts no new trials anyway")
	}
	return nil
}

func mayRun(parallel int) error {
	if parallel < 1 || parallel > MaxParallel {
		return fmt.Errorf("%d trials at a time: it must be from 1 to %d", parallel, MaxParallel)
	}
	return nil
}

// setParallel also asks the process that serves the record to make room on its
// own machine, if it trains.
func (s *sweepRun) setParallel(ctx workflow.Context, n int) (Answer, error) {
	before := s.in.Parallel
	s.in.Said = cmp.Or(s.in.Said, before)
	s.in.Parallel, s.in.Ahead = n, 0 // the slots of its process no longer say how many run
	s.wake()
	atOnce, err := s.makeRoom(ctx, n)
	a := s.stand()
	a.Before, a.AtOnce = before, atOnce
	return a, err
}

func (s *sweepRun) makeRoom(ctx workflow.Context, n int) (atOnce int, err error) {
	var r *RecordActivities
	err = workflow.ExecuteActivity(recordContext(ctx, s.in.ResultsQueue), r.MakeRoom, n).Get(ctx, &atOnce)
	return atOnce, err
}

func (s *sweepRun) retry(ctx workflow.Context) (Answer, error) {
	n, err := s.retryFailed(ctx)
	a := s.stand()
	a.Retried = n
	return a, err
}

// retryFailed makes failed trials pending again. The record lists them first.
func (s *sweepRun) retryFailed(ctx workflow.Context) (n int, err error) {
	var r *RecordActivities
	if err := workflow.ExecuteActivity(recordContext(ctx, s.in.ResultsQueue), r.Retry, s.in.Sweep).Get(ctx, &n); err != nil {
		return 0, err
	}
	s.in.Streak = Streak{Over: s.in.Streak.Over}
	s.refetch()
	return n, nil
}

// extended takes over how trials are run from now on; running ones keep theirs. A
// number of trials at a time that was set stands, unless the file changed its own.
func (s *sweepRun) extended(ctx workflow.Context, in SweepInput) (Answer, error) {
	before := s.in.Parallel
	if in.Parallel != s.in.Said {
		s.in.Parallel, s.in.Said = in.Parallel, 0
	}
	s.in.Priority, s.in.Settings = in.Priority, in.Settings
	s.refetch()
	atOnce, err := s.makeRoom(ctx, s.in.Parallel)
	a := s.stand()
	a.Before, a.AtOnce = before, atOnce
	return a, err
}

// refetch has the record asked again: what was fetched may be wanted no more.
func (s *sweepRun) refetch() {
	s.drained, s.queue, s.again = false, nil, true
	s.wake()
}

// wake has the run look at what has changed.
func (s *sweepRun) wake() { s.changed.SendAsync(struct{}{}) }

func (s *sweepRun) stand() Answer {
	return Answer{Running: len(s.running), Parallel: s.in.Parallel, Before: s.in.Parallel, Paused: s.in.Paused}
}

// Update sends one of the sweep's updates and returns its answer. The error wraps
// [ErrNotRunning] if nobody is there to answer.
func Update(ctx context.Context, c client.Client, id sweep.SweepID, name string, args ...any) (Answer, error) {
	var a Answer
	if open, err := Running(ctx, c, id); err != nil || !open {
		return a, errors.Join(err, fmt.Errorf("sweep %s: %w", id, ErrNotRunning))
	}
	h, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: string(id), UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = h.Get(ctx, &a)
	}
	if _, ended := errors.AsType[*serviceerror.NotFound](err); ended {
		return a, fmt.Errorf("sweep %s: %w", id, ErrNotRunning)
	}
	if err != nil {
		return a, fmt.Errorf("sweep %s: %s: %w", id, name, err)
	}
	return a, nil
}
