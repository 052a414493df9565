package workflows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"sweep"
	"sweep/trainerplugin"
	"sweep/workflows/spool"
)

// ledger is a record in memory: enough of one to run a sweep against.
type ledger struct {
	mu       sync.Mutex
	order    []sweep.TrialID
	state    map[sweep.TrialID]sweep.State
	attempts map[sweep.TrialID]int
	failures map[sweep.TrialID]int
	noMemory map[sweep.TrialID]int
	busy     map[sweep.TrialID]int // answers "busy" so many times first
	endings  []sweep.Ending
	readings []sweep.Reading
	marks    []string
	causes   []string
	denied   map[sweep.TrialID]string // why the budget has no room for it
	finished []bool                   // was it interrupted?
	records  int
	spool    spool.Folder
	beats    func() error // what the server answers to heartbeats; nil is nothing
}

func (l *ledger) heart() error {
	if l.beats == nil {
		return nil
	}
	return l.beats()
}

func newLedger(n int) *ledger {
	l := &ledger{
		state: map[sweep.TrialID]sweep.State{}, attempts: map[sweep.TrialID]int{},
		failures: map[sweep.TrialID]int{}, noMemory: map[sweep.TrialID]int{}, busy: map[sweep.TrialID]int{},
	}
	for i := range n {
		id := sweep.TrialID(fmt.Sprintf("t%03d", i))
		l.order = append(l.order, id)
		l.state[id] = sweep.Pending
	}
	return l
}

func (l *ledger) Next(_ context.Context, _ sweep.SweepID, limit int, skip []sweep.TrialID) (next []sweep.Candidate, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.order {
		open := l.state[id] != sweep.Completed && l.state[id] != sweep.Failed
		if open && !slices.Contains(skip, id) && len(next) < limit {
			next = append(next, sweep.Candidate{Trial: id, Label: "trial " + string(id), Epsilon: 2, Model: "m", Data: "d"})
		}
	}
	return next, nil
}

func (l *ledger) Begin(_ context.Context, _ sweep.SweepID, id sweep.TrialID) (sweep.Claim, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := l.state[id]; !ok {
		return sweep.Claim{}, sweep.ErrNotFound
	} else if s == sweep.Completed || s == sweep.Failed {
		return sweep.Claim{State: s}, nil
	}
	if why := l.denied[id]; why != "" {
		return sweep.Claim{State: sweep.Pending, Denied: why}, nil
	}
	if l.busy[id] > 0 {
		l.busy[id]--
		return sweep.Claim{State: sweep.Pending, Busy: "other-1"}, nil
	}
	l.attempts[id]++
	l.state[id] = sweep.Running
	return sweep.Claim{
		State: sweep.Running, Attempt: l.attempts[id], Failures: l.failures[id], NoMemory: l.noMemory[id], Params: sweep.Params{Steps: 10},
	}, nil
}

func (l *ledger) RunningAttempts(context.Context, sweep.SweepID) (refs []sweep.AttemptRef, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.order {
		if l.state[id] == sweep.Running {
			refs = append(refs, sweep.AttemptRef{Sweep: "s-1", Trial: id, Number: l.attempts[id]})
		}
	}
	return refs, nil
}

func (l *ledger) OpenAttempts(_ context.Context, trial sweep.TrialID) (refs []sweep.AttemptRef, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state[trial] == sweep.Running {
		refs = append(refs, sweep.AttemptRef{Sweep: "s-1", Trial: trial, Number: l.attempts[trial]})
	}
	return refs, nil
}

func (l *ledger) Recorded(_ context.Context, ref sweep.AttemptRef) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state[ref.Trial] == sweep.Completed, nil
}

func (l *ledger) Offset(context.Context, sweep.AttemptRef) (int64, error) { return 0, nil }

func (l *ledger) Collect(_ context.Context, ref sweep.AttemptRef, r sweep.Reading) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readings = append(l.readings, r)
	return l.fence(ref)
}

func (l *ledger) fence(ref sweep.AttemptRef) error {
	if l.attempts[ref.Trial] != ref.Number {
		return sweep.ErrFenced
	}
	return nil
}

func (l *ledger) RecordWin(ctx context.Context, ref sweep.AttemptRef, w sweep.Win) error {
	return l.Record(ctx, ref, w.Outcome)
}

func (l *ledger) Record(_ context.Context, ref sweep.AttemptRef, _ sweep.Outcome) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state[ref.Trial] = sweep.Completed
	l.records++
	return l.fence(ref)
}

func (l *ledger) EndAttempt(_ context.Context, ref sweep.AttemptRef, e sweep.Ending) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state[ref.Trial] = e.Next
	l.endings = append(l.endings, e)
	switch e.Failure {
	case sweep.Lost, sweep.Unfit, sweep.Cancelled:
	case sweep.NoMemory:
		l.noMemory[ref.Trial]++
	default:
		l.failures[ref.Trial]++
	}
	return l.fence(ref)
}

func (l *ledger) CheckpointStores(context.Context, sweep.TrialID) ([]string, error) { return nil, nil }

func (l *ledger) Final(_ context.Context, trial sweep.TrialID) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state[trial] == sweep.Completed || l.state[trial] == sweep.Failed, nil
}

func (l *ledger) MarkSweep(_ context.Context, _ sweep.SweepID, state string) error {
	l.marks = append(l.marks, state)
	return nil
}

func (l *ledger) ExplainSweep(_ context.Context, _ sweep.SweepID, cause, reason string) error {
	l.causes = append(l.causes, cause+": "+reason)
	return nil
}

func (l *ledger) Retry(context.Context, sweep.SweepID) (n int, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, state := range l.state {
		if state == sweep.Failed {
			l.state[id] = sweep.Pending
			l.failures[id] = 0
			n++
		}
	}
	return n, nil
}

func (l *ledger) FinishSweep(_ context.Context, _ sweep.SweepID, interrupted bool) error {
	l.finished = append(l.finished, interrupted)
	return nil
}

// trainer is a launched trainer that does what train says.
type trainer struct {
	train func(context.Context, trainerplugin.Job) error
}

func (trainer) Describe(context.Context) (trainerplugin.Description, error) {
	return trainerplugin.Description{Name: "test"}, nil
}

func (trainer) Check(context.Context, trainerplugin.Job) (trainerplugin.Estimate, error) {
	return estimated, nil
}

var estimated = trainerplugin.Estimate{Microbatch: 64}

func (f trainer) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	if err := errors.Join(report(trainerplugin.Started{NoiseID: "n"}), report(trainerplugin.Progress{Step: 3, Loss: 1.5})); err != nil {
		return sweep.Outcome{}, err
	}
	return sweep.Outcome{Accuracy: 0.5, Steps: j.Params.Steps}, f.train(ctx, j)
}

func (trainer) Close() error { return nil }

// suite returns an environment with the real activities over l and train.
func suite(t *testing.T, l *ledger, train func(context.Context, trainerplugin.Job) error) *testsuite.TestWorkflowEnvironment {
	var s testsuite.WorkflowTestSuite
	env := s.NewTestWorkflowEnvironment()
	env.SetTestTimeout(20 * time.Second)
	env.RegisterWorkflow(SweepWorkflow)
	env.RegisterWorkflow(TrialWorkflow)
	dir := spool.Folder(t.TempDir())
	l.spool = dir
	env.RegisterActivity(&RecordActivities{Results: l, Spool: dir, Every: time.Millisecond})
	env.RegisterActivity(&TrainActivities{
		Devices: NewDevices(nil, 500, 1), Worker: "w",
		Heart: func(context.Context, Beat) error { return l.heart() },
		Launch: func(_ context.Context, _ Trainer, _ trainerplugin.Job, log io.Writer) (Launched, error) {
			fmt.Fprintln(log, "hello from the trainer")
			return trainer{train}, nil
		},
	})
	// The clock of env stands still while an activity runs, and Collect runs as long as the sweep.
	env.OnActivity("Collect", anything, anything).Return(nil).Maybe()
	return env
}

func (l *ledger) input(parallel int) SweepInput {
	return SweepInput{
		Sweep: "s-1", ResultsQueue: "results", TrainQueue: "train", Parallel: parallel, Attributes: true, Spool: l.spool,
		Settings: Settings{Retries: 2},
	}
}

func TestSweepRunsEveryTrialOnce(t *testing.T) {
	l := newLedger(40)
	var mu sync.Mutex
	running, most := 0, 0
	env := suite(t, l, func(context.Context, trainerplugin.Job) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		running--
		mu.Unlock()
		return nil
	})
	env.ExecuteWorkflow(SweepWorkflow, l.input(4))
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	for id, n := range l.attempts {
		if n != 1 || l.state[id] != sweep.Completed {
			t.Errorf("trial %s: %d attempts, %s; want 1, completed", id, n, l.state[id])
		}
	}
	if l.records != 40 || most > 4 || !slices.Equal(l.finished, []bool{false}) {
		t.Errorf("%d records, %d at once, finished %v; want 40, at most 4, once and not interrupted", l.records, most, l.finished)
	}
}

// A trial that runs out of memory is tried once more with half the microbatch
// that its trainer would take, without a retry of its own, and with nothing else
// changed; the second time it has failed.
func TestOutOfMemory(t *testing.T) {
	for _, c := range []struct {
		name  string
		room  int
		want  []int // microbatches of the attempts
		state sweep.State
	}{
		{"half fits", 40, []int{0, 32}, sweep.Completed}, {"half is too much", 20, []int{0, 32}, sweep.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(1)
			var got []int
			var params []sweep.Params
			env := suite(t, l, func(_ context.Context, j trainerplugin.Job) error {
				got, params = append(got, j.Microbatch), append(params, j.Params)
				if now := cmp.Or(j.Microbatch, estimated.Microbatch); now > c.room {
					return fmt.Errorf("%w: no room for %d", trainerplugin.ErrOutOfMemory, now)
				}
				return nil
			})
			env.ExecuteWorkflow(TrialWorkflow, TrialInput{Sweep: "s-1", Candidate: sweep.Candidate{Trial: "t000"}, ResultsQueue: "r", TrainQueue: "t", Spool: l.spool})
			if !slices.Equal(got, c.want) || !reflect.DeepEqual(params[0], params[1]) || l.state["t000"] != c.state {
				t.Errorf("microbatches %v with %+v, then %s; want %v and %s", got, params, l.state["t000"], c.want, c.state)
			}
			for _, e := range l.endings {
				if e.Failure != sweep.NoMemory {
					t.Errorf("it ended as %q", e.Failure)
				}
			}
		})
	}
}

func TestFailuresByClass(t *testing.T) {
	for _, c := range []struct {
		name     string
		err      error
		attempts int
		class    sweep.Failure
	}{
		{"refused at once", fmt.Errorf("no such model: %w", trainerplugin.ErrRefused), 1, sweep.Refused},
		{"diverged at once", trainerplugin.ErrDiverged, 1, sweep.Diverged},
		{"crash after its retries", errors.New("exit status 2"), 3, sweep.Crashed},
		{"silence after its retries", trainerplugin.ErrSilent, 3, sweep.TimedOut},
		{"a broken contract after its retries", trainerplugin.ErrProtocol, 3, sweep.BadTrainer},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(1)
			env := suite(t, l, func(context.Context, trainerplugin.Job) error { return c.err })
			env.ExecuteWorkflow(TrialWorkflow, TrialInput{Sweep: "s-1", Candidate: sweep.Candidate{Trial: "t000"}, ResultsQueue: "r", TrainQueue: "t", Spool: l.spool, Settings: Settings{Retries: 2}})
			if got := failureType(env.GetWorkflowError()); got != string(c.class) {
				t.Errorf("workflow failed as %q, want %q", got, c.class)
			}
			if l.attempts["t000"] != c.attempts || l.state["t000"] != sweep.Failed || l.endings[0].Failure != c.class {
				t.Errorf("%d attempts, %s, %v; want %d, failed", l.attempts["t000"], l.state["t000"], l.endings, c.attempts)
			}
		})
	}
}
