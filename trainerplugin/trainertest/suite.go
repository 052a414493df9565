package trainertest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// Run checks a trainer's promises, one per subtest. open starts a fresh
// trainer and arranges for its end; base is a quick trial with seeded noise
// that the trainer can run. All runs go through [trainerplugin.Guard].
//
// base must take at least three steps, and long enough (half a second is
// plenty) for a stop that is asked for after its first step to arrive before
// its last. Run sets the job's folder and how often it reports.
func Run(t *testing.T, open func(*testing.T) trainerplugin.Trainer, base trainerplugin.Job) {
	if base.Params.NoiseFrom != sweep.Seeded || base.Params.Steps < 3 {
		t.Fatalf("the base job must have seeded noise and at least 3 steps; it has %q and %d", base.Params.NoiseFrom, base.Params.Steps)
	}
	base.ReportEvery, base.CheckpointEvery, base.EvaluateEvery, base.EvaluateTest = 0, 0, 0, false
	base.Threads = max(1, base.Threads)
	s := &suite{base: base, open: func(t *testing.T) trainerplugin.Trainer {
		return trainerplugin.Guard(open(t), trainerplugin.Limits{})
	}}
	for _, promise := range []struct {
		name  string
		check func(*suite, *testing.T)
	}{
		{"describes itself", (*suite).describes},
		{"reports in order", (*suite).reports},
		{"evaluates when asked", (*suite).evaluates},
		{"keeps the test figure apart", (*suite).tests},
		{"repeats itself", (*suite).repeats},
		{"threads change nothing", (*suite).threads},
		{"a microbatch changes nothing", (*suite).microbatches},
		{"stops when cancelled and leaves a checkpoint", (*suite).stops},
		{"resumes with the same bits", (*suite).resumes},
		{"passes over a damaged checkpoint", (*suite).passesOver},
		{"ignores another trial's checkpoint", (*suite).ignoresForeign},
		{"checkpoints when due", (*suite).checkpointsWhenDue},
		{"stops when a report fails", (*suite).stopsOnReport},
		{"refuses what it cannot run", (*suite).refuses},
		{"reads past no parameter", (*suite).extras},
		{"check agrees with train", (*suite).checkAgrees},
		{"secure noise is fresh, and kept over a resumption", (*suite).secure},
	} {
		t.Run(promise.name, func(t *testing.T) { promise.check(s, t) })
	}
}

type suite struct {
	base trainerplugin.Job
	open func(*testing.T) trainerplugin.Trainer
}

// job is the base job, changed, in a folder of its own.
func (s *suite) job(t *testing.T, change func(*trainerplugin.Job)) trainerplugin.Job {
	t.Helper()
	j := s.base
	j.Dir = filepath.Join(t.TempDir(), "trial")
	if err := os.Mkdir(j.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&j)
	}
	j.Trial = j.Params.ID()
	return j
}

// A record is all that one Train said.
type record struct {
	events  []trainerplugin.Event
	outcome sweep.Outcome
	err     error
}

// train runs j; see, if not nil, is shown each event and may end the run.
func train(ctx context.Context, t trainerplugin.Trainer, j trainerplugin.Job, see func(trainerplugin.Event) error) record {
	var r record
	r.outcome, r.err = t.Train(ctx, j, func(e trainerplugin.Event) error {
		r.events = append(r.events, e)
		if see == nil {
			return nil
		}
		return see(e)
	})
	return r
}

// finish runs j to its end on a fresh trainer.
func (s *suite) finish(t *testing.T, j trainerplugin.Job) record {
	t.Helper()
	r := train(t.Context(), s.open(t), j, nil)
	if r.err != nil {
		t.Fatalf("train: %v", r.err)
	}
	return r
}

var errEnough = errors.New("the test has seen enough")

// interrupt runs j on a fresh trainer and cancels it after its first update.
func (s *suite) interrupt(t *testing.T, j trainerplugin.Job) record {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	r := train(ctx, s.open(t), j, func(e trainerplugin.Event) error {
		if _, ok := e.(trainerplugin.Progress); ok {
			cancel(errEnough)
		}
		return nil
	})
	if r.err == nil {
		t.Fatal("the trial was over before it could be stopped: the suite needs a longer base job")
	}
	if !errors.Is(r.err, errEnough) || errors.Is(r.err, trainerplugin.ErrProtocol) {
		t.Fatalf("train, cancelled: error %v does not wrap the context's cause", r.err)
	}
	return r
}

// only returns the events of one kind.
func only[E trainerplugin.Event](r record) []E {
	var found []E
	for _, e := range r.events {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

// checkpoint returns the last checkpoint that r announced.
func (r record) checkpoint(t *testing.T) trainerplugin.Checkpoint {
	t.Helper()
	all := only[trainerplugin.Checkpoint](r)
	if len(all) == 0 {
		t.Fatalf("no checkpoint was announced; events: %+v", r.events)
	}
	return all[len(all)-1]
}

func (r record) started(t *testing.T) trainerplugin.Started {
	t.Helper()
	all := only[trainerplugin.Started](r)
	if len(all) == 0 {
		t.Fatalf("it never started; error: %v", r.err)
	}
	return all[0]
}

// same compares outcomes but for the time they took.
func same(t *testing.T, what string, a, b sweep.Outcome) {
	t.Helper()
	a.Seconds, b.Seconds = 0, 0
	if a != b {
		t.Errorf("%s changes the outcome:\n %+v\n %+v", what, a, b)
	}
}

func steps(r record) []int {
	var all []int
	for _, p := range only[trainerplugin.Progress](r) {
		all = append(all, p.Step)
	}
	return all
}

// count returns from+1 to to.
func count(from, to int) []int {
	var all []int
	for n := from + 1; n <= to; n++ {
		all = append(all, n)
	}
	return slices.Clip(all)
}
