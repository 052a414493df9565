package trainertest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sweep"
	"sweep/trainerplugin"
)

func (s *suite) describes(t *testing.T) {
	tr := s.open(t)
	d, err := tr.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Devices) == 0 {
		t.Error("it names no kind of device that it can use")
	}
	if m := s.base.Params.Model; len(d.Models) > 0 && !slices.Contains(d.Models, m) {
		t.Errorf("it does not list the model %q, which it runs: %v", m, d.Models)
	}
	again, err := tr.Describe(t.Context())
	if err != nil || again.Program() != d.Program() {
		t.Errorf("it described itself as %q, then as %q (%v)", d.Program(), again.Program(), err)
	}
}

func (s *suite) reports(t *testing.T) {
	j := s.job(t, nil)
	r := s.finish(t, j)
	if got, want := steps(r), count(0, j.Params.Steps); !slices.Equal(got, want) {
		t.Errorf("progress of steps %v, want each of %v once", got, want)
	}
	if e := only[trainerplugin.Evaluation](r); len(e) != 1 {
		t.Errorf("%d evaluations, want the one of the last step: %+v", len(e), e)
	}
	if c := only[trainerplugin.Checkpoint](r); len(c) != 0 {
		t.Errorf("checkpoints that nobody asked for: %+v", c)
	}
	if start := r.started(t); start.Step != 0 || start.Checkpoint != "" {
		t.Errorf("it started an empty folder at %+v", start)
	}
}

func (s *suite) evaluates(t *testing.T) {
	j := s.job(t, func(j *trainerplugin.Job) { j.EvaluateEvery = 2 })
	var got, want []int
	for _, e := range only[trainerplugin.Evaluation](s.finish(t, j)) {
		got = append(got, e.Step)
	}
	for n := 2; n < j.Params.Steps; n += 2 {
		want = append(want, n)
	}
	if want = append(want, j.Params.Steps); !slices.Equal(got, want) {
		t.Errorf("evaluations of steps %v, want %v", got, want)
	}
}

// tests asks for the test figure, which a trainer may leave out. What it must not do
// is to take it for its outcome, or to make it before the end.
func (s *suite) tests(t *testing.T) {
	if s.base.Params.Data.Validation == 0 {
		t.Skip("the base job has no validation examples: its outcome is of the test part itself")
	}
	apart := s.finish(t, s.job(t, func(j *trainerplugin.Job) { j.EvaluateEvery, j.EvaluateTest = 2, true }))
	same(t, "a test figure", s.finish(t, s.job(t, nil)).outcome, apart.outcome)
	figures := slices.DeleteFunc(only[trainerplugin.Evaluation](apart), func(e trainerplugin.Evaluation) bool { return e.Split != sweep.Test })
	if len(figures) == 0 {
		t.Log("it measures no test figure")
	} else if e := figures[0]; len(figures) > 1 || e.Step != s.base.Params.Steps {
		t.Errorf("test figures %+v, want one of step %d", figures, s.base.Params.Steps)
	}
}

func (s *suite) repeats(t *testing.T) {
	a, b := s.finish(t, s.job(t, nil)), s.finish(t, s.job(t, nil))
	same(t, "running it again", a.outcome, b.outcome)
	if x, y := a.started(t).NoiseID, b.started(t).NoiseID; x != y {
		t.Errorf("one seed has the noise ids %s and %s", x, y)
	}
	pa, pb := only[trainerplugin.Progress](a), only[trainerplugin.Progress](b)
	for i := range pa {
		if pa[i].Loss != pb[i].Loss || pa[i].BatchSize != pb[i].BatchSize {
			t.Fatalf("step %d: loss %v and batch %d, then %v and %d", i+1, pa[i].Loss, pa[i].BatchSize, pb[i].Loss, pb[i].BatchSize)
		}
	}
	other := s.finish(t, s.job(t, func(j *trainerplugin.Job) { j.Params.Seed++ }))
	if other.outcome.WeightsDigest == a.outcome.WeightsDigest {
		t.Error("another seed gives the same weights")
	}
}

func (s *suite) threads(t *testing.T) {
	with := func(n int) record { return s.finish(t, s.job(t, func(j *trainerplugin.Job) { j.Threads = n })) }
	same(t, "the number of threads", with(1).outcome, with(3).outcome)
}

func (s *suite) microbatches(t *testing.T) {
	with := func(n int) record {
		return s.finish(t, s.job(t, func(j *trainerplugin.Job) { j.Threads, j.Microbatch = 2, n }))
	}
	same(t, "the microbatch", with(0).outcome, with(1).outcome)
}

func (s *suite) stops(t *testing.T) {
	j := s.job(t, nil)
	r := s.interrupt(t, j)
	c := r.checkpoint(t) // Guard has compared it with its file
	if made := steps(r); c.Step != made[len(made)-1] {
		t.Errorf("it stopped after step %d with a checkpoint of step %d", made[len(made)-1], c.Step)
	}
	info, err := os.Stat(filepath.Join(j.Dir, c.File))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		t.Errorf("checkpoint has mode %v; it holds the noise key, so others must not read it", mode)
	}
}

func (s *suite) resumes(t *testing.T) {
	whole := s.finish(t, s.job(t, nil))
	j := s.job(t, nil)
	c := s.interrupt(t, j).checkpoint(t)
	rest := s.finish(t, j)
	if start := rest.started(t); start.Step != c.Step || start.Checkpoint != c.File {
		t.Errorf("it went on from %+v, and the checkpoint was %+v", start, c)
	}
	if got, want := steps(rest), count(c.Step, j.Params.Steps); !slices.Equal(got, want) {
		t.Errorf("after resuming: progress of steps %v, want %v", got, want)
	}
	same(t, "stopping and resuming", whole.outcome, rest.outcome)
}

func (s *suite) passesOver(t *testing.T) {
	whole := s.finish(t, s.job(t, nil))
	stopped := s.job(t, nil)
	c := s.interrupt(t, stopped).checkpoint(t)
	for name, damage := range map[string]func([]byte) []byte{
		"one bit flipped": func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"cut in half":     func(b []byte) []byte { return b[:len(b)/2] },
		"emptied":         func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			j := s.job(t, nil)
			if err := os.CopyFS(j.Dir, os.DirFS(stopped.Dir)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(j.Dir, c.File)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
			rest := s.finish(t, j)
			if start := rest.started(t); start.Step >= c.Step {
				t.Errorf("it went on from %+v, which is damaged", start)
			}
			if len(only[trainerplugin.Note](rest)) == 0 {
				t.Error("it said nothing of the damaged checkpoint")
			}
			same(t, "a damaged checkpoint", whole.outcome, rest.outcome)
		})
	}
}

func (s *suite) ignoresForeign(t *testing.T) {
	j := s.job(t, nil)
	s.interrupt(t, j)
	j.Params.Seed++
	j.Trial = j.Params.ID()
	if start := s.finish(t, j).started(t); start.Step != 0 {
		t.Errorf("it went on from another trial's checkpoint: %+v", start)
	}
}

func (s *suite) checkpointsWhenDue(t *testing.T) {
	j := s.job(t, func(j *trainerplugin.Job) { j.CheckpointEvery = time.Nanosecond })
	if len(only[trainerplugin.Checkpoint](s.finish(t, j))) == 0 {
		t.Error("no checkpoint, though one was due after every step")
	}
}

func (s *suite) stopsOnReport(t *testing.T) {
	r := train(t.Context(), s.open(t), s.job(t, nil), func(e trainerplugin.Event) error {
		if _, ok := e.(trainerplugin.Progress); ok {
			return errEnough
		}
		return nil
	})
	if !errors.Is(r.err, errEnough) {
		t.Errorf("error %v, want that of report", r.err)
	}
}

func (s *suite) refuses(t *testing.T) {
	tr := s.open(t)
	for name, change := range map[string]func(*sweep.Params){
		"unknown model":             func(p *sweep.Params) { p.Model = "no-such-model" },
		"unknown data set":          func(p *sweep.Params) { p.Data.Name = "no-such-data" },
		"batch larger than data":    func(p *sweep.Params) { p.Batch = p.Data.Train + 1 },
		"more examples than it has": func(p *sweep.Params) { p.Data.Train = 1 << 40 },
		"no steps":                  func(p *sweep.Params) { p.Steps = 0 },
		"clipping norm of 0":        func(p *sweep.Params) { p.Clip = 0 },
		"negative noise":            func(p *sweep.Params) { p.Noise = -1 },
		"unknown noise source":      func(p *sweep.Params) { p.NoiseFrom = "dice" },
		"unknown augmentation":      func(p *sweep.Params) { p.AugMult, p.Augment = 2, "upside-down" },
	} {
		t.Run(name, func(t *testing.T) {
			j := s.job(t, func(j *trainerplugin.Job) { change(&j.Params) })
			if _, err := tr.Check(t.Context(), j); !errors.Is(err, trainerplugin.ErrRefused) {
				t.Errorf("check: error %v, want one that wraps ErrRefused", err)
			}
			if r := train(t.Context(), tr, j, nil); !errors.Is(r.err, trainerplugin.ErrRefused) {
				t.Errorf("train: error %v, want one that wraps ErrRefused", r.err)
			}
		})
	}
}

func (s *suite) checkAgrees(t *testing.T) {
	tr, j := s.open(t), s.job(t, nil)
	e, err := tr.Check(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	r := train(t.Context(), tr, j, nil)
	if r.err != nil {
		t.Fatalf("checked, then: %v", r.err)
	}
	if e.DataDigest != r.outcome.DataDigest {
		t.Errorf("check: data %s; outcome: data %s", e.DataDigest, r.outcome.DataDigest)
	}
	if e.TrainExamples < j.Params.Data.Train || e.MemoryBytes <= 0 || e.Parameters <= 0 || e.Microbatch <= 0 {
		t.Errorf("an estimate that cannot be: %+v", e)
	}
}

func (s *suite) secure(t *testing.T) {
	job := func() trainerplugin.Job {
		return s.job(t, func(j *trainerplugin.Job) { j.Params.NoiseFrom = sweep.Secure })
	}
	j := job()
	first := s.interrupt(t, j)
	rest := s.finish(t, j)
	other := s.finish(t, job())
	if a, b := first.started(t).NoiseID, rest.started(t).NoiseID; a != b {
		t.Errorf("noise %s became %s over a resumption", a, b)
	}
	if a, b := rest.started(t).NoiseID, other.started(t).NoiseID; a == b {
		t.Errorf("two trials share the noise %s", a)
	}
	if rest.outcome.WeightsDigest == other.outcome.WeightsDigest {
		t.Error("fresh noise gives the same weights")
	}
}
