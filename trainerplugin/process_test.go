package trainerplugin_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

func TestLaunchedFakeConforms(t *testing.T) {
	t.Parallel()
	base := baseJob()
	base.Params.Steps = 20
	trainertest.Run(t, func(t *testing.T) trainerplugin.Trainer { return launch(t, options(t, "fake")) }, base)
}

// quick limits make a hang show within the test's patience.
var quick = trainerplugin.Limits{Silence: 300 * time.Millisecond}

var protocol = trainerplugin.ErrProtocol

var misbehaviours = []struct {
	mode string
	is   []error // what the error wraps
	says string  // what its message holds
	log  string  // what the log tail holds
}{
	{"hang", []error{protocol, trainerplugin.ErrSilent}, "nothing for 300ms since started of step 0 at", ""},
	{"freeze", []error{protocol, trainerplugin.ErrSilent}, "since started of step 0", ""},
	{"flood", []error{protocol, trainerplugin.ErrSilent}, "since started", "WARNING: \uFFFD[31mthe same as before\uFFFD"},
	{"crash", nil, "trainer process ended: exit status 3", ""},
	{"panic", nil, "trainer process ended: exit status 2: panic: weights overflow", "panic: weights overflow"},
	{"leak", nil, "trainer process ended: exit status 2: fatal error: ", "goroutine"},
	{"disorder", []error{protocol}, "progress of step 1 (after progress of step 2", ""},
	{"twice", []error{protocol}, "progress of step 2 twice", ""},
	{"beyond", []error{protocol}, "progress of step 1099511627776, and the trial has steps 0 to 40", ""},
	{"nan", []error{protocol}, "step 2: loss is NaN", ""},
	{"restart", []error{protocol}, "it started twice", ""},
	{"huge", nil, "larger than max", ""},
	{"escape", []error{protocol}, `"../../etc/passwd" is no name of a file`, ""},
	{"phantom", []error{protocol}, "the checkpoint that it announced for step 2 is not there", ""},
	{"lie", []error{protocol}, "is not what it evaluated", ""},
	{"shortcut", []error{protocol}, "its outcome has 39 steps, and the trial 40", ""},
	{"impostor", []error{protocol}, `by trainer "sweep-builtin 9"`, ""},
	{"unmeasured", []error{protocol}, "without an evaluation of step 40", ""},
	{"no-outcome", []error{protocol}, "it ended without an outcome", ""},
	{"two-outcomes", []error{protocol}, "a second outcome after its outcome", ""},
	{"afterthought", []error{protocol}, "an event after its outcome", ""},
	{"unknown-event", []error{protocol}, "an event of a kind that this host does not know", ""},
	{"refuse", []error{trainerplugin.ErrRefused}, "the model needs 96 GiB and the device has 80", ""},
	{"diverge", []error{trainerplugin.ErrDiverged}, "step 2: loss is NaN: training diverged", ""},
}

// Every way in which a trainer misbehaves ends as the right error within a
// bounded time, with the trainer's log, and with nothing left running.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	for _, tt := range misbehaviours {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			if tt.mode == "leak" && raceDetector {
				t.Skip("the race detector needs the memory itself")
			}
			p := launch(t, options(t, tt.mode))
			limits := trainerplugin.Limits{Silence: 20 * time.Second} // on a busy machine honest steps can be late
			if slices.Contains(tt.is, trainerplugin.ErrSilent) {
				limits = quick
			}
			begun := time.Now()
			_, err := trainerplugin.Guard(p, limits).Train(t.Context(), job(t), func(trainerplugin.Event) error { return nil })
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
			for _, sentinel := range []error{protocol, trainerplugin.ErrSilent, trainerplugin.ErrRefused, trainerplugin.ErrDiverged} {
				if got, want := errors.Is(err, sentinel), slices.Contains(tt.is, sentinel); got != want {
					t.Errorf("errors.Is(%v, %v) = %v, want %v", err, sentinel, got, want)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if d := time.Since(begun); d > 20*time.Second {
				t.Errorf("it took %v to end", d)
			}
			if tail := p.LogTail(); !strings.Contains(tail, tt.log) || len(tail) > 64<<10 {
				t.Errorf("the log's tail has %d bytes and does not hold %q: %.200q", len(tail), tt.log, tail)
			}
		})
	}
}

// No way to misbehave goes without a test.
func TestAllModesAreTested(t *testing.T) {
	tested := []string{"deaf", "fork", "talk"} // by tests of their own
	for _, m := range misbehaviours {
		tested = append(tested, m.mode)
	}
	for _, f := range launchFailures {
		tested = append(tested, f.mode)
	}
	for _, mode := range trainertest.Modes() {
		if !slices.Contains(tested, mode) {
			t.Errorf("mode %s is tested nowhere", mode)
		}
	}
}
