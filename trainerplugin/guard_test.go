package trainerplugin_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

// A told trainer says what the test tells it to.
type told struct {
	trainertest.Fake
	events  []trainerplugin.Event
	outcome sweep.Outcome
	err     error
}

func (s *told) Train(_ context.Context, _ trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	for _, e := range s.events {
		if err := report(e); err != nil {
			return sweep.Outcome{}, err
		}
	}
	return s.outcome, s.err
}

// honest is what a [trainertest.Fake] says of a job of three steps.
func honest(t *testing.T, j trainerplugin.Job) *told {
	t.Helper()
	s := &told{}
	var err error
	s.outcome, err = trainertest.Fake{}.Train(t.Context(), j, func(e trainerplugin.Event) error {
		s.events = append(s.events, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func threeSteps(t *testing.T) trainerplugin.Job {
	j := job(t)
	j.Params.Steps = 3
	j.Params.Options = nil
	j.Trial = j.Params.ID()
	return j
}

// Events of the honest run: Started, Progress 1 to 3, Evaluation.
const (
	startedAt = iota
	progress1
	progress2
	progress3
	evaluated
)

// edit changes one event in place.
func edit[E trainerplugin.Event](at int, change func(*E)) func(*told) {
	return func(s *told) {
		e := s.events[at].(E)
		change(&e)
		s.events[at] = e
	}
}

func insert(at int, e trainerplugin.Event) func(*told) {
	return func(s *told) { s.events = slices.Insert(s.events, at, e) }
}

func remove(at int) func(*told) {
	return func(s *told) { s.events = slices.Delete(s.events, at, at+1) }
}

func outcome(change func(*sweep.Outcome)) func(*told) {
	return func(s *told) { change(&s.outcome) }
}

func TestGuardCatches(t *testing.T) {
	type P = trainerplugin.Progress
	type E = trainerplugin.Evaluation
	type S = trainerplugin.Started
	type O = sweep.Outcome
	nan, inf := math.NaN(), math.Inf(1)
	digest := "sha256:" + strings.Repeat("a", 64)
	tests := []struct {
		says string
		do   func(*told)
	}{
		{"progress came before it started (after its start at", remove(startedAt)},
		{"it started twice", insert(progress1, S{NoiseID: "x"})},
		{"an outcome of a trial that it never started", func(s *told) { s.events = nil }},
		{"an event that is nothing", insert(progress1, nil)},
		{"a noise id that is empty", edit(startedAt, func(e *S) { e.NoiseID = "" })},
		{"a noise id that is empty or unreadable", edit(startedAt, func(e *S) { e.NoiseID = "a\nb" })},
		{"it started at step 1 from no checkpoint", edit(startedAt, func(e *S) { e.Step = 1 })},
		{"started of step -1, and the trial has steps 0 to 3", edit(startedAt, func(e *S) { e.Step = -1 })},
		{`it started from checkpoint "../x"`, edit(startedAt, func(e *S) { e.Checkpoint = "../x" })},
		{"progress of step 4, and the trial has steps 0 to 3", edit(progress3, func(e *P) { e.Step = 4 })},
		{"progress of step 0 twice", edit(progress1, func(e *P) { e.Step = 0 })},
		{"note of step 1 (after progress of step 2", insert(progress3, trainerplugin.Note{Step: 1})},
		{"step 2: loss is NaN", edit(progress2, func(e *P) { e.Loss = nan })},
		{"step 2: loss is -Inf", edit(progress2, func(e *P) { e.Loss = -inf })},
		{"step 2: mean gradient norm is -1", edit(progress2, func(e *P) { e.GradNormMean = -1 })},
		{"step 2: largest gradient norm is +Inf", edit(progress2, func(e *P) { e.GradNormMax = inf })},
		{"step 2: clipped share is 1.1", edit(progress2, func(e *P) { e.ClippedShare = 1.1 })},
		{"step 2: signal to noise is NaN", edit(progress2, func(e *P) { e.SignalToNoise = nan })},
		{"step 2: learning rate is -1", edit(progress2, func(e *P) { e.LearnRate = -1 })},
		{"step 2: examples per second is +Inf", edit(progress2, func(e *P) { e.ExamplesPerSec = inf })},
		{"step 2: seconds elapsed is -1", edit(progress2, func(e *P) { e.SecondsElapsed = -1 })},
		{"step 2: seconds to finish is NaN", edit(progress2, func(e *P) { e.SecondsToFinish = nan })},
		{"a batch of 1001 examples of 1000", edit(progress2, func(e *P) { e.BatchSize = 1001 })},
		{"a batch of -1 examples", edit(progress2, func(e *P) { e.BatchSize = -1 })},
		{"2 gradients not finite, and 5 before", func(s *told) {
			edit(progress1, func(e *P) { e.NonFinite = 5 })(s)
			edit(progress2, func(e *P) { e.NonFinite = 2 })(s)
		}},
		{`measured on the split "train", and the trial asks for "validation"`, edit(evaluated, func(e *E) { e.Split = sweep.Train })},
		{"measured on 201 examples of the validation split", edit(evaluated, func(e *E) { e.Examples = 201 })},
		{"measured on 0 examples", edit(evaluated, func(e *E) { e.Examples = 0 })},
		{"step 3: accuracy is 1.5", edit(evaluated, func(e *E) { e.Accuracy = 1.5 })},
		{"step 3: last accuracy is NaN", edit(evaluated, func(e *E) { e.LastAccuracy = nan })},
		{"step 3: loss is +Inf", edit(evaluated, func(e *E) { e.Loss = inf })},
		{"a second evaluation of the last step", func(s *told) { s.events = append(s.events, s.events[evaluated]) }},
		{"an outcome without an evaluation of step 3", remove(evaluated)},
		{"its outcome has 2 steps, and the trial 3", outcome(func(o *O) { o.Steps = 2 })},
		{"is not what it evaluated", outcome(func(o *O) { o.Accuracy = math.Nextafter(o.Accuracy, 0) })},
		{"is not what it evaluated", outcome(func(o *O) { o.LastAccuracy = 0 })},
		{"is not what it evaluated", outcome(func(o *O) { o.Loss++ })},
		{"is not what it evaluated", outcome(func(o *O) { o.Examples-- })},
		{`measured on the split "test"`, outcome(func(o *O) { o.Split = sweep.Test })},
		{"step 3: loss is NaN", outcome(func(o *O) { o.Loss = nan })},
		{"its outcome has 0 gradients not finite, and it reported 5", edit(progress3, func(e *P) { e.NonFinite = 5 })},
		{`data digest is ""`, outcome(func(o *O) { o.DataDigest = "" })},
		{"weights digest is", outcome(func(o *O) { o.WeightsDigest = digest[:70] })},
		{"weights digest is", outcome(func(o *O) { o.WeightsDigest = strings.ToUpper(digest) })},
		{"seconds is NaN", outcome(func(o *O) { o.Seconds = nan })},
		{`by trainer "sweep-fake 2"`, outcome(func(o *O) { o.Trainer = "sweep-fake 2" })},
		{"it says that it was cancelled, and nobody did", func(s *told) { s.err = context.Canceled }},
		{"is no name of a file", insert(progress3, trainerplugin.Checkpoint{Step: 2, File: "a/b", Digest: digest, Bytes: 1})},
		{"is no name of a file", insert(progress3, trainerplugin.Checkpoint{Step: 2, File: "..", Digest: digest, Bytes: 1})},
		{`has the digest "md5"`, insert(progress3, trainerplugin.Checkpoint{Step: 2, File: "a", Digest: "md5", Bytes: 1})},
		{"has 0 bytes", insert(progress3, trainerplugin.Checkpoint{Step: 2, File: "a", Digest: digest})},
		{"the checkpoint that it announced for step 2 is not there as it should be", insert(progress3, trainerplugin.Checkpoint{Step: 2, File: "a", Digest: digest, Bytes: 1})},
	}
	for _, tt := range tests {
		j := threeSteps(t)
		s := honest(t, j)
		tt.do(s)
		_, err := trainerplugin.Guard(s, trainerplugin.Limits{}).Train(t.Context(), j, func(trainerplugin.Event) error { return nil })
		if !errors.Is(err, trainerplugin.ErrProtocol) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("error %v\n\twant ErrProtocol and %q", err, tt.says)
		}
		if errors.Is(err, context.Canceled) {
			t.Errorf("%v would be taken for a cancellation", err)
		}
	}
}

// A test figure is made once, at the end, by those of whom it was asked.
func TestGuardKeepsTheTestFigureApart(t *testing.T) {
	figure := trainerplugin.Evaluation{Step: 3, Split: sweep.Test, Examples: 10_000, Accuracy: 0.25, LastAccuracy: 0.5, Loss: 2}
	early, none, odd := figure, figure, figure
	early.Step, none.Examples, odd.Accuracy = 2, 0, 1.5
	for _, tt := range []struct {
		says  string
		do    func(*told)
		asked bool
	}{
		{"", insert(evaluated+1, figure), true},
		{"", insert(evaluated, figure), true}, // whichever comes first
		{`measured on the split "test", and the trial asks for "validation"`, insert(evaluated+1, figure), false},
		{"step 2: measured on the test split, which is measured once, after step 3", insert(progress3, early), true},
		{"a second evaluation of the last step on the test split", func(s *told) { s.events = append(s.events, figure, figure) }, true},
		{"measured on 0 examples of the test split", insert(evaluated, none), true},
		{"step 3: accuracy is 1.5", insert(evaluated, odd), true},
		{"an outcome without an evaluation of step 3", func(s *told) { s.events[evaluated] = figure }, true},
		{`measured on the split "test"`, func(s *told) {
			insert(evaluated, figure)(s)
			outcome(func(o *sweep.Outcome) { o.Split, o.Examples, o.Accuracy = sweep.Test, 10_000, 0.25 })(s)
		}, true},
	} {
		j := threeSteps(t)
		s := honest(t, j)
		tt.do(s)
		j.EvaluateTest = tt.asked
		o, err := trainerplugin.Guard(s, trainerplugin.Limits{}).Train(t.Context(), j, func(trainerplugin.Event) error { return nil })
		if tt.says == "" && (err != nil || o != s.outcome) || tt.says != "" && (!errors.Is(err, trainerplugin.ErrProtocol) || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("outcome %+v, error %v\n\twant %q", o, err, tt.says)
		}
	}
}

// The other half: what is allowed, at the edge of each range, passes unchanged.
func TestGuardAllows(t *testing.T) {
	j := threeSteps(t)
	s := honest(t, j)
	edit(progress1, func(e *trainerplugin.Progress) {
		e.BatchSize, e.Loss, e.ClippedShare, e.GradNormMax = 0, -1e300, 1, math.MaxFloat64
	})(s)
	edit(progress2, func(e *trainerplugin.Progress) { e.BatchSize, e.NonFinite = 1000, 7 })(s)
	edit(progress3, func(e *trainerplugin.Progress) { e.NonFinite = 7 })(s)
	s.outcome.NonFinite = 9
	var got []trainerplugin.Event
	o, err := trainerplugin.Guard(s, trainerplugin.Limits{}).Train(t.Context(), j, func(e trainerplugin.Event) error {
		got = append(got, e)
		return nil
	})
	if err != nil || o != s.outcome || !slices.Equal(got, s.events) {
		t.Errorf("error %v, outcome %+v, events %+v", err, o, got)
	}
}

func TestGuardMakesNotesHarmless(t *testing.T) {
	j := threeSteps(t)
	s := honest(t, j)
	insert(progress1, trainerplugin.Note{Text: "\x1b[2J" + strings.Repeat("n", 10_000)})(s)
	_, err := trainerplugin.Guard(s, trainerplugin.Limits{}).Train(t.Context(), j, func(e trainerplugin.Event) error {
		if n, ok := e.(trainerplugin.Note); ok && (len(n.Text) > 5000 || strings.Contains(n.Text, "\x1b")) {
			t.Errorf("a note of %d bytes: %.20q", len(n.Text), n.Text)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestGuardBoundsEvents(t *testing.T) {
	j := threeSteps(t)
	s := honest(t, j)
	for range 500 {
		insert(progress1, trainerplugin.Note{Text: "again"})(s)
	}
	for says, limits := range map[string]trainerplugin.Limits{
		"more than 100 events for 3 steps": {Events: 100},
		"events, more than 5 a second":     {EventsPerSecond: 5},
	} {
		n := 0
		_, err := trainerplugin.Guard(s, limits).Train(t.Context(), j, func(trainerplugin.Event) error { n++; return nil })
		if !errors.Is(err, trainerplugin.ErrProtocol) || !strings.Contains(err.Error(), says) || n > 110 {
			t.Errorf("after %d events: error %v, want %q", n, err, says)
		}
	}
}

// Checkpoints are compared with their files; one that a newer one has replaced
// by the time that the host looks is no lie.
func TestGuardChecksCheckpoints(t *testing.T) {
	j := threeSteps(t)
	good, err := os.CreateTemp(j.Dir, "good")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := good.WriteString("weights"); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := errors.Join(os.Link(good.Name(), outside), os.Symlink(outside, filepath.Join(j.Dir, "link"))); err != nil {
		t.Fatal(err)
	}
	whole := trainerplugin.Checkpoint{Step: 2, File: filepath.Base(good.Name()), Digest: "sha256:" + digestOfFile(t, good.Name()), Bytes: 7}
	gone, other, long, link := whole, whole, whole, whole
	gone.File, other.Digest, long.Bytes, link.File = "gone", "sha256:"+strings.Repeat("0", 64), 8, "link"
	for _, tt := range []struct {
		announced []trainerplugin.Checkpoint
		says      string
	}{
		{[]trainerplugin.Checkpoint{whole}, ""},
		{[]trainerplugin.Checkpoint{gone, other, whole}, ""},
		{[]trainerplugin.Checkpoint{whole, gone}, "no such file"},
		{[]trainerplugin.Checkpoint{other}, "has the sha256"},
		{[]trainerplugin.Checkpoint{long}, "has 7 bytes, not 8"},
		{[]trainerplugin.Checkpoint{link}, "path escapes from parent"},
	} {
		for _, end := range []error{nil, errors.New("crashed")} {
			s := honest(t, j)
			for _, c := range slices.Backward(tt.announced) {
				insert(progress3, c)(s)
			}
			s.err = end
			_, err := trainerplugin.Guard(s, trainerplugin.Limits{}).Train(t.Context(), j, func(trainerplugin.Event) error { return nil })
			if end != nil && !errors.Is(err, end) || errors.Is(err, trainerplugin.ErrProtocol) != (tt.says != "") || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("%+v, ending with %v: error %v, want one that says %q", tt.announced, end, err, tt.says)
			}
		}
	}
}

// A trainer in this very process cannot be killed; the guard returns all the
// same, and what it says later goes nowhere.
func TestGuardLeavesAHangingTrainer(t *testing.T) {
	hang, err := trainertest.Misbehaving("hang")
	if err != nil {
		t.Fatal(err)
	}
	for _, cancelled := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("draining")
		begun := time.Now()
		_, err := trainerplugin.Guard(hang, trainerplugin.Limits{Silence: 50 * time.Millisecond}).Train(ctx, threeSteps(t), func(trainerplugin.Event) error {
			if cancelled {
				cancel(reason)
			}
			return nil
		})
		cancel(nil)
		if !errors.Is(err, trainerplugin.ErrSilent) || !errors.Is(err, trainerplugin.ErrProtocol) || errors.Is(err, reason) != cancelled {
			t.Errorf("cancelled %v: error %v", cancelled, err)
		}
		if d := time.Since(begun); d < 50*time.Millisecond {
			t.Errorf("it was declared silent after %v", d)
		}
	}
}

// The host's own slowness is not held against the trainer.
func TestGuardWaitsForASlowHost(t *testing.T) {
	j := threeSteps(t)
	_, err := trainerplugin.Guard(honest(t, j), trainerplugin.Limits{Silence: 40 * time.Millisecond}).Train(t.Context(), j, func(e trainerplugin.Event) error {
		time.Sleep(60 * time.Millisecond)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// asked answers Describe and Check as the test tells it to.
type asked struct {
	trainertest.Fake
	desc  trainerplugin.Description
	est   trainerplugin.Estimate
	delay time.Duration
}

func (a asked) Describe(context.Context) (trainerplugin.Description, error) {
	time.Sleep(a.delay)
	return a.desc, nil
}

func (a asked) Check(context.Context, trainerplugin.Job) (trainerplugin.Estimate, error) {
	time.Sleep(a.delay)
	return a.est, nil
}

func TestGuardChecksAnswers(t *testing.T) {
	named := trainerplugin.Description{Name: "x", Version: "1"}
	for says, a := range map[string]asked{
		"name, version or choice that is empty": {est: trainerplugin.Estimate{Microbatch: -1}},
		`data digest is "?"`:                    {desc: trainerplugin.Description{Name: "x", Version: "\x1b"}, est: trainerplugin.Estimate{DataDigest: "?"}},
		"for 20ms":                              {desc: named, delay: 200 * time.Millisecond},
	} {
		g := trainerplugin.Guard(a, trainerplugin.Limits{Silence: 20 * time.Millisecond})
		_, err1 := g.Describe(t.Context())
		_, err2 := g.Check(t.Context(), job(t))
		if !errors.Is(err1, trainerplugin.ErrProtocol) || !errors.Is(err2, trainerplugin.ErrProtocol) {
			t.Errorf("%+v: errors %v and %v, want ErrProtocol", a, err1, err2)
		}
		if both := fmt.Sprint(err1, err2); !strings.Contains(both, says) {
			t.Errorf("%s; want it to say %q", both, says)
		}
	}
}
