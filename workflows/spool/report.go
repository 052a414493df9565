package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"sweep"
	"sweep/trainerplugin"
)

// maxRead bounds how much of a report one reading covers, so that a long
// report is taken over in several transactions of moderate size.
const maxRead = 1 << 20

// line is an event as it stands in a report. Exactly one field is set.
type line struct {
	Worker     string                    `json:"worker,omitempty"`
	Started    *trainerplugin.Started    `json:"started,omitempty"`
	Progress   *trainerplugin.Progress   `json:"progress,omitempty"`
	Evaluation *trainerplugin.Evaluation `json:"evaluation,omitempty"`
	Checkpoint *sweep.CheckpointRef      `json:"checkpoint,omitempty"` // as the worker keeps it
	Flaw       *sweep.Flaw               `json:"flaw,omitempty"`
	Note       *trainerplugin.Note       `json:"note,omitempty"`
}

// A Report takes down an attempt's events.
type Report struct{ file *os.File }

// Create starts the attempt's report with the identity of its worker, and makes
// the trial's folder if need be. An attempt's number is used once, so a report
// that exists is an error. The spool itself must be there: a worker that made
// one on a disk of its own would train for nobody.
func (f Folder) Create(ref sweep.AttemptRef, worker string) (*Report, error) {
	err := os.Mkdir(f.Trial(ref.Trial), 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the sweep's trials are kept in %s, which this worker does not see; share that folder with it: %w", f, err)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	file, err := os.OpenFile(f.report(ref), os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	r := &Report{file}
	return r, r.write(line{Worker: worker})
}

// Append adds e to the report in one write, so that a reader meets whole lines
// and at most one that is still being written. A checkpoint is announced by
// [Report.Kept], once it is.
func (r *Report) Append(e trainerplugin.Event) error {
	var l line
	switch e := e.(type) {
	case trainerplugin.Started:
		l.Started = &e
	case trainerplugin.Progress:
		l.Progress = &e
	case trainerplugin.Evaluation:
		l.Evaluation = &e
	case trainerplugin.Note:
		l.Note = &e
	default:
		return fmt.Errorf("append to report: unknown event %T", e)
	}
	return r.write(l)
}

// Kept announces a checkpoint that is durable in its store. Once it returns, so
// is what the report says: a key that is kept must not be lost for a lost line.
func (r *Report) Kept(c sweep.CheckpointRef) error {
	return errors.Join(r.write(line{Checkpoint: &c}), r.file.Sync())
}

// Flawed says that an earlier checkpoint is of no use.
func (r *Report) Flawed(f sweep.Flaw) error { return r.write(line{Flaw: &f}) }

func (r *Report) write(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("append to report: %w", err)
	}
	_, err = r.file.Write(append(text, '\n'))
	return err
}

// Silence is how long the attempt has reported nothing: a year if it never did.
//
// The worker's clock and this process's need not agree, and either may be set
// back: what is compared are two files' times, which the one file system of the
// folder gives them. A report from the future, as there is when that clock has
// been set back, is taken to be of now.
func (f Folder) Silence(ref sweep.AttemptRef) (time.Duration, error) {
	const never = 365 * 24 * time.Hour
	report, err := os.Stat(f.report(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return never, nil
	}
	if err != nil {
		return 0, err
	}
	probe, err := os.CreateTemp(f.Trial(ref.Trial), ".now.tmp*")
	if err != nil {
		return 0, err
	}
	now, err := probe.Stat()
	if err = errors.Join(err, probe.Close(), os.Remove(probe.Name())); err != nil {
		return 0, err
	}
	silence := now.ModTime().Sub(report.ModTime())
	if silence < 0 {
		return 0, os.Chtimes(f.report(ref), now.ModTime(), now.ModTime())
	}
	return silence, nil
}

// Close makes the report durable and closes it.
func (r *Report) Close() error { return errors.Join(r.file.Sync(), r.file.Close()) }

// Read returns what the attempt's report holds from byte offset from on, whole
// lines only. A reading that covers nothing has Offset == From.
func (f Folder) Read(ref sweep.AttemptRef, from int64) (sweep.Reading, error) {
	r := sweep.Reading{From: from, Offset: from}
	file, err := os.Open(f.report(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil // the attempt has begun and not yet reported
	}
	if err != nil {
		return r, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, from, maxRead))
	if err != nil {
		return r, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	for text := range bytes.Lines(text[:whole]) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			// A torn line from a crash of the machine: what it said is lost, the rest is not.
			r.Notes = append(r.Notes, sweep.Note{Step: r.Step, Text: "a line of the report was damaged and passed over"})
			continue
		}
		l.addTo(&r)
	}
	r.Offset += int64(whole)
	return r, nil
}

func (l line) addTo(r *sweep.Reading) {
	switch {
	case l.Worker != "":
		r.Worker = l.Worker
	case l.Started != nil:
		r.Started, r.FromStep, r.NoiseID = true, l.Started.Step, l.Started.NoiseID
		r.Step = max(r.Step, l.Started.Step)
	case l.Progress != nil:
		r.Step = max(r.Step, l.Progress.Step)
		r.Metrics = append(r.Metrics, progressMetrics(*l.Progress)...)
	case l.Evaluation != nil:
		r.Step = max(r.Step, l.Evaluation.Step)
		r.Metrics = append(r.Metrics, EvaluationMetrics(*l.Evaluation)...)
	case l.Checkpoint != nil:
		r.Checkpoints = append(r.Checkpoints, *l.Checkpoint)
	case l.Flaw != nil:
		r.Flaws = append(r.Flaws, *l.Flaw)
	case l.Note != nil:
		r.Notes = append(r.Notes, sweep.Note{Step: l.Note.Step, Text: l.Note.Text})
	}
}

func progressMetrics(p trainerplugin.Progress) []sweep.Metric {
	return []sweep.Metric{
		{Step: p.Step, Name: "batch_size", Value: float64(p.BatchSize)},
		{Step: p.Step, Name: "loss", Value: p.Loss},
		{Step: p.Step, Name: "grad_norm_mean", Value: p.GradNormMean},
		{Step: p.Step, Name: "grad_norm_max", Value: p.GradNormMax},
		{Step: p.Step, Name: "clipped_share", Value: p.ClippedShare},
		{Step: p.Step, Name: "signal_to_noise", Value: p.SignalToNoise},
		{Step: p.Step, Name: "learning_rate", Value: p.LearnRate},
		{Step: p.Step, Name: "examples_per_second", Value: p.ExamplesPerSec},
	}
}

// EvaluationMetrics are the numbers of an evaluation, under the name of its split.
func EvaluationMetrics(e trainerplugin.Evaluation) []sweep.Metric {
	at := string(e.Split) + "/"
	return []sweep.Metric{
		{Step: e.Step, Name: at + "accuracy", Value: e.Accuracy},
		{Step: e.Step, Name: at + "last_accuracy", Value: e.LastAccuracy},
		{Step: e.Step, Name: at + "loss", Value: e.Loss},
	}
}
