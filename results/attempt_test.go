package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sweep"
)

func TestBeginClosesALostAttempt(t *testing.T) {
	s, id, trials := small(t)
	trial := trials[0].Params.ID()
	first := begin1(t, s, id, trial)
	second, err := s.Begin(t.Context(), id, trial)
	if err != nil || second.Attempt != 2 || second.State != sweep.Running || second.Failures != 0 {
		t.Fatalf("second claim %+v, error %v; want attempt 2, running, no failures", second, err)
	}
	if got := second.Params.ID(); got != trial {
		t.Errorf("the claim's parameters are those of %s, want %s", got, trial)
	}
	if got := scalar[string](t, s, `SELECT failure FROM attempts WHERE number = 1 AND ended IS NOT NULL`); got != "lost" {
		t.Errorf("the first attempt ended as %q, want lost", got)
	}
	want(t, s.Record(t.Context(), first, outcomeOf(trials[0].Params, 0.5)), sweep.ErrFenced)
	want(t, s.EndAttempt(t.Context(), first, sweep.Ending{Failure: sweep.Crashed, Next: sweep.Pending}), sweep.ErrFenced)
	want(t, s.Collect(t.Context(), first, sweep.Reading{Offset: 10}), sweep.ErrFenced)
	refs, err := s.RunningAttempts(t.Context(), id)
	if err != nil || len(refs) != 2 || refs[0] != (sweep.AttemptRef{Sweep: id, Trial: trial, Number: 2}) || refs[1] != first {
		t.Errorf("running attempts %v, error %v; want the second, and the first, which may be alive", refs, err)
	}
}

func TestBeginKnowsFinishedAndStrangeTrials(t *testing.T) {
	s, id, trials := small(t)
	run(t, s, id, trials[0].Params, 0.5)
	if c, err := s.Begin(t.Context(), id, trials[0].Params.ID()); err != nil || c.State != sweep.Completed || c.Attempt != 0 {
		t.Errorf("claim %+v, error %v; want completed and no attempt", c, err)
	}
	_, err := s.Begin(t.Context(), id, "feedface")
	want(t, err, sweep.ErrNotFound)
	_, err = s.Begin(t.Context(), "nobody", trials[0].Params.ID())
	want(t, err, sweep.ErrNotFound)
}

func TestBeginWaitsForAnotherSweep(t *testing.T) {
	s, id, trials := small(t)
	add(t, s, file("other"), trials)
	other := file("other").ID
	trial := trials[0].Params.ID()
	ref := begin1(t, s, other, trial)
	if c, err := s.Begin(t.Context(), id, trial); err != nil || c.Busy != other || c.State != sweep.Pending {
		t.Fatalf("claim %+v, error %v; want busy with %s", c, err, other)
	}
	if n := scalar[int](t, s, `SELECT count(*) FROM attempts`); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
	// Once the other sweep runs no more, whoever it left behind is dead.
	if err := s.SetSweepState(t.Context(), other, Stopped, ""); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Begin(t.Context(), id, trial); err != nil || c.Attempt != 2 || c.Busy != "" {
		t.Errorf("claim %+v, error %v; want attempt 2", c, err)
	}
	want(t, s.Record(t.Context(), ref, outcomeOf(trials[0].Params, 0.5)), sweep.ErrFenced)
}

func TestFailuresCountTheTrialsOwn(t *testing.T) {
	s, id, trials := small(t)
	trial := trials[0].Params.ID()
	for i, f := range []sweep.Failure{sweep.Crashed, sweep.Lost, sweep.Cancelled, sweep.TimedOut, sweep.BadTrainer} {
		next := sweep.Pending
		if i == 4 {
			next = sweep.Failed
		}
		if err := s.EndAttempt(t.Context(), begin1(t, s, id, trial), sweep.Ending{Failure: f, Reason: "r", Next: next}); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := s.Begin(t.Context(), id, trial); err != nil || c.State != sweep.Failed {
		t.Fatalf("claim %+v, error %v; want failed", c, err)
	}
	for i, wantRetried := range []int{1, 0} {
		if n, err := s.Retry(t.Context(), id); err != nil || n != wantRetried {
			t.Errorf("retry %d made %d trials pending, error %v; want %d", i, n, err, wantRetried)
		}
	}
	c, err := s.Begin(t.Context(), id, trial)
	if err != nil || c.State != sweep.Running || c.Attempt != 6 || c.Failures != 0 {
		t.Fatalf("claim after retry %+v, error %v; want attempt 6 and no failures", c, err)
	}
	ref := sweep.AttemptRef{Sweep: id, Trial: trial, Number: 6}
	if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Begin(t.Context(), id, trial); err != nil || c.Failures != 1 {
		t.Errorf("claim %+v, error %v; want one failure since the retry", c, err)
	}
	ref.Number = 7
	if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.NoMemory, Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Begin(t.Context(), id, trial); err != nil || c.Failures != 1 || c.NoMemory != 1 {
		t.Errorf("claim %+v, error %v; want one failure, and apart from it one that ran out of memory", c, err)
	}
}

func TestEndAttemptTwice(t *testing.T) {
	s, id, trials := small(t)
	ref := begin1(t, s, id, trials[0].Params.ID())
	end := sweep.Ending{Failure: sweep.Crashed, Reason: "exit status 2\x00", LogTail: strings.Repeat("x", 2*maxLogTail) + "\xffend", Next: sweep.Pending}
	for range 2 {
		if err := s.EndAttempt(t.Context(), ref, end); err != nil {
			t.Fatal(err)
		}
	}
	other := end
	other.Failure = sweep.TimedOut
	want(t, s.EndAttempt(t.Context(), ref, other), sweep.ErrConflict)
	want(t, s.Record(t.Context(), ref, outcomeOf(trials[0].Params, 0.5)), sweep.ErrFenced)
	tail := scalar[string](t, s, `SELECT log_tail FROM attempts`)
	if len(tail) != maxLogTail || !strings.HasSuffix(tail, "\uFFFDend") {
		t.Errorf("log tail has %d bytes and ends %q; want the last %d", len(tail), tail[len(tail)-6:], maxLogTail)
	}
	// A repetition that arrives after the next attempt began changes nothing.
	begin1(t, s, id, trials[0].Params.ID())
	if err := s.EndAttempt(t.Context(), ref, end); err != nil {
		t.Error(err)
	}
	if got := scalar[string](t, s, `SELECT state FROM trials WHERE id = ?`, string(ref.Trial)); got != "running" {
		t.Errorf("trial is %s, want running", got)
	}
	if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Next: sweep.Completed}); err == nil {
		t.Error("an attempt without an outcome completed its trial")
	}
	want(t, s.EndAttempt(t.Context(), sweep.AttemptRef{Sweep: id, Trial: ref.Trial, Number: 9}, end), sweep.ErrNotFound)
}

func TestRecordTwice(t *testing.T) {
	s, id, trials := small(t)
	p := trials[0].Params
	ref := begin1(t, s, id, p.ID())
	o := outcomeOf(p, 0.75)
	for range 2 {
		if err := s.Record(t.Context(), ref, o); err != nil {
			t.Fatal(err)
		}
	}
	other := o
	other.WeightsDigest = "sha256:0ther"
	want(t, s.Record(t.Context(), ref, other), sweep.ErrConflict)
	want(t, s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Next: sweep.Pending}), sweep.ErrConflict)
	if n := scalar[int](t, s, `SELECT count(*) FROM outcomes`); n != 1 {
		t.Errorf("%d outcomes, want 1", n)
	}
	got, err := outcome(t.Context(), s.db, 1)
	if err != nil || got != o {
		t.Errorf("recorded %+v, error %v; want %+v", got, err, o)
	}
}

func TestRecordRefusesImpossibleOutcomes(t *testing.T) {
	s, id, trials := small(t)
	p := trials[0].Params
	ref := begin1(t, s, id, p.ID())
	for name, spoil := range map[string]func(*sweep.Outcome){
		"steps":         func(o *sweep.Outcome) { o.Steps-- },
		"accuracy":      func(o *sweep.Outcome) { o.Accuracy = 1.5 },
		"last accuracy": func(o *sweep.Outcome) { o.LastAccuracy = math.NaN() },
		"loss":          func(o *sweep.Outcome) { o.Loss = math.NaN() },
	} {
		o := outcomeOf(p, 0.5)
		spoil(&o)
		err := s.Record(t.Context(), ref, o)
		want(t, err, sweep.ErrConflict)
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("error %q does not name %s", err, name)
		}
	}
	if n := scalar[int](t, s, `SELECT count(*) FROM outcomes`); n != 0 {
		t.Errorf("%d outcomes, want none", n)
	}
}

func TestCollectAppliesEachReadingOnce(t *testing.T) {
	s, id, trials := small(t)
	ref := begin1(t, s, id, trials[0].Params.ID())
	first := sweep.Reading{
		Offset: 100, Started: true, FromStep: 0, NoiseID: "n1", Worker: "host/7", Step: 2,
		Metrics:     []sweep.Metric{{Step: 1, Name: "loss", Value: 2.5}, {Step: 2, Name: "loss", Value: math.NaN()}, {Step: 2, Name: "validation/accuracy", Value: 0.25}},
		Checkpoints: []sweep.CheckpointRef{{Step: 2, File: "step-2.ckpt", Digest: "sha256:c", Bytes: 9}},
		Notes:       []sweep.Note{{Step: 1, Text: "hello"}},
	}
	second := sweep.Reading{From: 100, Offset: 150, Step: 3, Metrics: []sweep.Metric{{Step: 3, Name: "loss", Value: 2}}}
	for _, r := range []sweep.Reading{first, first, second, first, second} {
		if err := s.Collect(t.Context(), ref, r); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []sweep.Reading{{From: 160, Offset: 170}, {From: 140, Offset: 170}} {
		want(t, s.Collect(t.Context(), ref, bad), ErrOffset)
	}
	if at, err := s.Offset(t.Context(), ref); err != nil || at != 150 {
		t.Errorf("offset %d, error %v; want 150", at, err)
	}
	got := scalar[string](t, s, `
		SELECT worker || ' ' || from_step || ' ' || last_step || ' ' || noise_id || ' ' || (SELECT count(*) FROM metrics) || ' ' ||
			(SELECT count(*) FROM metrics WHERE value IS NULL) || ' ' || (SELECT count(*) FROM checkpoints) || ' ' || (SELECT count(*) FROM notes)
		FROM attempts`)
	if want := "host/7 0 3 n1 4 1 1 1"; got != want {
		t.Errorf("worker, from, last, noise, metrics, NaNs, checkpoints, notes: %s, want %s", got, want)
	}
	p, err := s.Progress(t.Context(), id)
	if err != nil || len(p.Running) != 1 {
		t.Fatalf("progress %+v, error %v; want one running trial", p, err)
	}
	r := p.Running[0]
	if r.Step != 3 || r.Steps != 10 || r.Accuracy == nil || *r.Accuracy != 0.25 || r.Worker != "host/7" {
		t.Errorf("running trial %+v, want step 3 of 10 at accuracy 0.25 on host/7", r)
	}
	_, err = s.Offset(t.Context(), sweep.AttemptRef{Sweep: id, Trial: ref.Trial, Number: 2})
	want(t, err, sweep.ErrNotFound)
}

func TestCurvesPreferTheNewestAttempt(t *testing.T) {
	s, id, trials := small(t)
	trial := trials[0].Params.ID()
	for attempt, value := range []float64{1, 2} {
		ref := begin1(t, s, id, trial)
		var metrics []sweep.Metric
		for step := 1 + attempt; step <= 3; step++ {
			metrics = append(metrics, sweep.Metric{Step: step, Name: "loss", Value: value})
		}
		if err := s.Collect(t.Context(), ref, sweep.Reading{Offset: 1, Step: 3, Metrics: metrics}); err != nil {
			t.Fatal(err)
		}
	}
	got := scalar[string](t, s, `SELECT group_concat(step || ':' || value, ' ') FROM (SELECT * FROM curves WHERE trial = ? ORDER BY step)`, string(trial))
	if want := "1:1.0 2:2.0 3:2.0"; got != want {
		t.Errorf("curve %s, want %s", got, want)
	}
}

func TestFinishSweep(t *testing.T) {
	s, id, trials := small(t)
	check := func(interrupted bool, want SweepState, reason string) {
		t.Helper()
		if err := s.FinishSweep(t.Context(), id, interrupted); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Sweep(t.Context(), string(id)); err != nil || got.State != want || got.Reason != reason {
			t.Errorf("state %s (%s), error %v; want %s (%s)", got.State, got.Reason, err, want, reason)
		}
	}
	check(true, Stopped, "")
	check(false, Stopped, "6 of 6 trials were not run to an end")
	for i, tr := range trials {
		if i == 5 {
			ref := begin1(t, s, id, tr.Params.ID())
			if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Refused, Next: sweep.Failed}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		run(t, s, id, tr.Params, 0.5)
	}
	check(true, Failed, "1 of 6 trials failed")
	if _, err := s.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	run(t, s, id, trials[5].Params, 0.5)
	check(false, Completed, "")
	want(t, s.FinishSweep(t.Context(), "nobody", false), sweep.ErrNotFound)
	want(t, s.SetSweepState(t.Context(), "nobody", Running, ""), sweep.ErrNotFound)
	if err := s.SetSweepState(t.Context(), id, "lazy", ""); err == nil {
		t.Error("an unknown state was accepted")
	}
}

// The state's copy in sweep_trials must follow the original through all of this.
func TestStateCopiesAgree(t *testing.T) {
	s, id, trials := small(t)
	add(t, s, file("b"), trials[2:])
	run(t, s, id, trials[2].Params, 0.5)
	begin1(t, s, file("b").ID, trials[3].Params.ID())
	for i, next := range []sweep.State{sweep.Failed, sweep.Stopped} {
		ref := begin1(t, s, id, trials[4+i].Params.ID())
		if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Next: next, Reason: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := scalar[int](t, s, `SELECT count(*) FROM sweep_trials st JOIN trials t ON t.key = st.trial WHERE st.state <> t.state`); n != 0 {
		t.Errorf("%d copies differ from their original", n)
	}
	if n := scalar[int](t, s, `SELECT count(DISTINCT state) FROM sweep_trials`); n != 5 {
		t.Errorf("%d states occur, want all 5", n)
	}
}

// Whatever a trainer prints or measures can be recorded and read back.
func FuzzTrainersWords(f *testing.F) {
	f.Add("loss", "hello", 1.5, 3)
	f.Add("\xff\x00", "a\x00b\xc3", math.NaN(), -1)
	f.Add("", "", math.Inf(-1), math.MaxInt)
	s, id, trials := small(f)
	f.Fuzz(func(t *testing.T, name, text string, value float64, step int) {
		ref := begin1(t, s, id, trials[0].Params.ID())
		r := sweep.Reading{
			Offset: 1, NoiseID: text, Worker: name, Metrics: []sweep.Metric{{Step: step, Name: name, Value: value}},
			Notes: []sweep.Note{{Text: text}}, Checkpoints: []sweep.CheckpointRef{{File: name, Digest: text}},
		}
		if err := s.Collect(t.Context(), ref, r); err != nil {
			t.Fatal(err)
		}
		if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Reason: text, LogTail: name, Next: sweep.Pending}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Trial(t.Context(), string(ref.Trial))
		if err != nil {
			t.Fatal(err)
		}
		a, n := got.Attempts[len(got.Attempts)-1], got.Notes[len(got.Notes)-1]
		if n.Text != clean(text) || a.Reason != clean(text) || a.Worker != clean(name) || !utf8.ValidString(n.Text) {
			t.Errorf("text %q came back as note %q and reason %q; worker %q as %q", text, n.Text, a.Reason, name, a.Worker)
		}
	})
}

func TestOpenWorkers(t *testing.T) {
	s, id, trials := small(t)
	silent, ended, open := begin1(t, s, id, trials[0].Params.ID()), begin1(t, s, id, trials[1].Params.ID()), begin1(t, s, id, trials[2].Params.ID())
	for ref, worker := range map[sweep.AttemptRef]string{ended: "train@a:b:1:2", open: "train@a:b:3:4"} {
		if err := s.Collect(t.Context(), ref, sweep.Reading{Offset: 1, Worker: worker}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.EndAttempt(t.Context(), ended, sweep.Ending{Failure: sweep.Crashed, Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.OpenWorkers(t.Context()); err != nil || !slices.Equal(got, []string{"train@a:b:3:4"}) {
		t.Errorf("workers %v, error %v; want that of the attempt which is open, and nobody of %v", got, err, silent)
	}
}
