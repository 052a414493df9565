package trainerplugin

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sweep"
)

const (
	maxText = 4 << 10 // bytes of a note; more is cut
	maxName = 256     // bytes of an identifier
)

// An audit holds one Train to its promises, event by event.
type audit struct {
	job    Job
	desc   Description
	limits Limits

	begun    time.Time
	events   int
	last     Event
	lastAt   time.Time
	step     int // of the last event; the next may not be below it
	progress int // step of the last Progress
	bad      int64
	final    *Evaluation // of the last step
	tested   bool        // whether the test part was measured, apart
	doubt    *Checkpoint // announced last, and not there as announced
}

func newAudit(j Job, d Description, l Limits) *audit {
	if l.Events == 0 {
		l.Events = 1000 + 5*j.Params.Steps
	}
	return &audit{job: j, desc: d, limits: l, begun: time.Now(), progress: -1}
}

// breach is an error that says what was seen, and after what.
func (a *audit) breach(format string, args ...any) error {
	return fmt.Errorf("%w: %s (after %s)", ErrProtocol, fmt.Sprintf(format, args...), a.lastSeen())
}

// lastSeen names the last event and its time.
func (a *audit) lastSeen() string {
	if a.last == nil {
		return "its start at " + a.begun.Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s of step %d at %s", kindOf(a.last), a.step, a.lastAt.Format(time.TimeOnly))
}

func kindOf(e Event) string {
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "trainerplugin."))
}

// event checks one event and returns it as it may be passed on.
func (a *audit) event(e Event) (Event, error) {
	a.events++
	if a.events > a.limits.Events {
		return nil, a.breach("more than %d events for %d steps", a.limits.Events, a.job.Params.Steps)
	}
	rate := a.limits.EventsPerSecond
	if allowed := rate * (time.Since(a.begun).Seconds() + burstSeconds); float64(a.events) > allowed {
		return nil, a.breach("%d events, more than %g a second", a.events, rate)
	}
	if err := a.order(e); err != nil {
		return nil, err
	}
	e, err := a.content(e)
	if err != nil {
		return nil, err
	}
	a.last, a.lastAt = e, time.Now()
	return e, nil
}

// order checks which event may follow which.
func (a *audit) order(e Event) error {
	step := stepOf(e)
	_, starts := e.(Started)
	switch {
	case e == nil:
		return a.breach("an event that is nothing")
	case starts != (a.last == nil):
		if starts {
			return a.breach("it started twice")
		}
		return a.breach("%s came before it started", kindOf(e))
	case step < 0 || step > a.job.Params.Steps:
		return a.breach("%s of step %d, and the trial has steps 0 to %d", kindOf(e), step, a.job.Params.Steps)
	case step < a.step:
		return a.breach("%s of step %d", kindOf(e), step)
	}
	a.step = step
	return nil
}

func stepOf(e Event) int {
	switch e := e.(type) {
	case Started:
		return e.Step
	case Progress:
		return e.Step
	case Evaluation:
		return e.Step
	case Checkpoint:
		return e.Step
	case Note:
		return e.Step
	}
	return 0
}

// content checks what one event says by itself and beside earlier ones.
func (a *audit) content(e Event) (Event, error) {
	switch e := e.(type) {
	case Started:
		return e, a.started(e)
	case Progress:
		return e, a.progressed(e)
	case Evaluation:
		return e, a.evaluated(e)
	case Checkpoint:
		return e, a.checkpointed(e)
	case Note:
		e.Text = string(appendHarmless(nil, []byte(cut(e.Text, maxText))))
		return e, nil
	}
	return nil, a.breach("an event of type %T", e)
}

func (a *audit) started(s Started) error {
	switch {
	case !isName(s.NoiseID):
		return a.breach("a noise id that is empty or unreadable: %q", cut(s.NoiseID, 80))
	case s.Checkpoint == "" && s.Step != 0:
		return a.breach("it started at step %d from no checkpoint", s.Step)
	case s.Checkpoint != "" && !isFileName(s.Checkpoint):
		return a.breach("it started from checkpoint %q, which is no name of a file in the trial's folder", cut(s.Checkpoint, 80))
	}
	a.progress = s.Step
	return nil
}

func (a *audit) progressed(p Progress) error {
	if p.Step <= a.progress {
		return a.breach("progress of step %d twice", p.Step)
	}
	if p.BatchSize < 0 || p.BatchSize > a.job.Params.Data.Train {
		return a.breach("a batch of %d examples of %d", p.BatchSize, a.job.Params.Data.Train)
	}
	if p.NonFinite < a.bad {
		return a.breach("%d gradients not finite, and %d before", p.NonFinite, a.bad)
	}
	inf := math.Inf(1)
	for _, q := range []quantity{
		{"loss", p.Loss, -inf, inf},
		{"mean gradient norm", p.GradNormMean, 0, inf},
		{"largest gradient norm", p.GradNormMax, 0, inf},
		{"clipped share", p.ClippedShare, 0, 1},
		{"signal to noise", p.SignalToNoise, 0, inf},
		{"learning rate", p.LearnRate, 0, inf},
		{"examples per second", p.ExamplesPerSec, 0, inf},
		{"seconds elapsed", p.SecondsElapsed, 0, inf},
		{"seconds to finish", p.SecondsToFinish, 0, inf},
	} {
		if !q.valid() {
			return a.breach("step %d: %s", p.Step, q)
		}
	}
	a.progress, a.bad = p.Step, p.NonFinite
	return nil
}

func (a *audit) evaluated(e Evaluation) error {
	if a.job.EvaluateTest && !e.Decides(a.job.Params) && e.Split == sweep.Test {
		return a.testFigure(e)
	}
	if err := a.measured(e); err != nil {
		return err
	}
	if e.Step == a.job.Params.Steps {
		if a.final != nil {
			return a.breach("a second evaluation of the last step")
		}
		a.final = &e
	}
	return nil
}

// testFigure checks an evaluation of the test part beside the one that decides.
func (a *audit) testFigure(e Evaluation) error {
	switch {
	case e.Step != a.job.Params.Steps:
		return a.breach("step %d: measured on the test split, which is measured once, after step %d", e.Step, a.job.Params.Steps)
	case a.tested:
		return a.breach("a second evaluation of the last step on the test split")
	case e.Examples <= 0:
		return a.breach("step %d: measured on %d examples of the test split", e.Step, e.Examples)
	}
	a.tested = true
	return a.scores(e)
}

// measured checks what evaluations that decide and outcomes share.
func (a *audit) measured(e Evaluation) error {
	want, held := a.job.Params.EvaluatedOn(), a.job.Params.Data.Validation
	switch {
	case e.Split != want:
		return a.breach("step %d: measured on the split %q, and the trial asks for %q", e.Step, cut(string(e.Split), 40), want)
	case e.Examples <= 0 || want == sweep.Validation && e.Examples > held:
		return a.breach("step %d: measured on %d examples of the %s split", e.Step, e.Examples, want)
	}
	return a.scores(e)
}

// scores checks that what was measured can be.
func (a *audit) scores(e Evaluation) error {
	for _, q := range []quantity{
		{"accuracy", e.Accuracy, 0, 1},
		{"last accuracy", e.LastAccuracy, 0, 1},
		{"loss", e.Loss, math.Inf(-1), math.Inf(1)},
	} {
		if !q.valid() {
			return a.breach("step %d: %s", e.Step, q)
		}
	}
	return nil
}

// A quantity is a number and its inclusive range; infinities are never valid.
type quantity struct {
	name            string
	value, min, max float64
}

func (q quantity) valid() bool {
	return q.value >= q.min && q.value <= q.max && !math.IsInf(q.value, 0) // NaN fails both
}

func (q quantity) String() string { return fmt.Sprintf("%s is %v", q.name, q.value) }

// isName accepts what can stand in a log or a table as it is.
func isName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
