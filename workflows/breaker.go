package workflows

import (
	"fmt"
	"regexp"
	"slices"

	"go.temporal.io/sdk/workflow"

	"sweep"
)

// sameFailures is how many trials may fail in one way, one after another and
// before any has been completed, until a sweep is paused: a missing library
// or a data set that is not there should not cost hundreds of trials.
const sameFailures = 3

// allDiverge is the same for trials that diverge. That says more of their
// hyper-parameters than of the set-up, and a search may well begin with a few.
const allDiverge = 10

// A Streak is trials that failed one after another in one way.
type Streak struct {
	Failure sweep.Failure
	Reason  string // the last one's
	Trials  int
	Over    bool // a trial was completed, so the set-up as such is sound
}

// particulars are what may differ between failures that are the same: numbers,
// and the names of trials.
var particulars = regexp.MustCompile(`[0-9a-f]{8,}|0x[0-9a-f]+|[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?`)

// follow takes an ended trial into account.
func (s *Streak) follow(e endedTrial) {
	switch e.failure {
	case "":
		s.Over = s.Over || e.completed
		return
	case sweep.NoWinner, sweep.Cancelled, sweep.Unfit, budgetType, sweep.Failure(sweep.Failed):
		return
	}
	if e.failure != s.Failure || e.failure != sweep.Diverged && particulars.ReplaceAllString(e.reason, "#") != particulars.ReplaceAllString(s.Reason, "#") {
		s.Trials = 0
	}
	s.Failure, s.Reason = e.failure, e.reason
	s.Trials++
}

func (s Streak) tripped() bool {
	least := sameFailures
	if s.Failure == sweep.Diverged {
		least = allDiverge
	}
	return !s.Over && s.Trials >= least
}

// protect pauses the sweep if its first trials all fail in one way and others are
// left to fail like them.
func (s *sweepRun) protect(ctx workflow.Context) error {
	if !s.in.Streak.tripped() || s.in.Paused || s.in.Stopping {
		return nil
	}
	if len(s.queue) == 0 && !s.drained {
		if err := s.fetch(ctx); err != nil {
			return err
		}
	}
	if len(s.queue) == 0 {
		return nil
	}
	k := s.in.Streak
	s.in.Paused, s.in.Cause = true, sweep.CauseFailures
	s.in.Reason = fmt.Sprintf("the first %d trials failed in the same way (%s): %s", k.Trials, k.Failure, k.Reason)
	return nil
}

// lacks takes into account whether an ended trial found a worker that has what it
// needs. One that did not runs again. If that is so of all that run, no worker
// can, and the sweep is paused: to try for ever would help nobody.
func (s *sweepRun) lacks(e endedTrial) {
	if e.failure != sweep.Unfit {
		s.unfit = nil
		return
	}
	if s.unfit == nil {
		s.unfit = map[sweep.TrialID]bool{}
	}
	s.unfit[e.Trial] = true
	s.drained = false // it is to be asked for again
	if slices.ContainsFunc(s.running, func(c sweep.Candidate) bool { return !s.unfit[c.Trial] }) || s.in.Stopping {
		return
	}
	s.unfit = nil
	s.in.Paused, s.in.Cause = true, sweep.CauseFailures
	s.in.Reason = "no worker has what the trials need; with one that does, resume the sweep: " + e.reason
}

// resumed forgets why the sweep was paused. Should the next trials fail in one way
// again, it is paused again.
func (s *sweepRun) resumed() {
	s.in.Paused, s.in.Stopping = false, false
	s.in.Cause, s.in.Reason = "", ""
	s.in.Streak = Streak{Over: s.in.Streak.Over}
}
