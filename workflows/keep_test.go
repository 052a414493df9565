package workflows

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/privacy"
	"sweep/results"
	"sweep/trainerplugin"
	"sweep/trainerplugin/builtin"
	"sweep/workflows/checkpoints/cloudtest"
	"sweep/workflows/spool"
)

// shared keeps the glyphs that all attempts read.
var shared builtin.Trainer

const testDelta = 1e-5

// A site is one trial in a real record, and a host that serves it.
type site struct {
	t      *testing.T
	store  *results.Store
	record *RecordActivities
	params sweep.Params
	sweep  sweep.SweepID
	at     string           // URL of the checkpoints' store
	cloud  *cloudtest.Store // nil if that is a folder
	done   sweep.Outcome
	test   float64 // its test figure
}

type testRecord struct{ *results.Store }

func (r testRecord) MarkSweep(ctx context.Context, id sweep.SweepID, state string) error {
	return r.SetSweepState(ctx, id, results.SweepState(state), "")
}

// newSite enters a trial of 40 steps of a linear model, and trains it beside
// without any of this machinery for what its outcome should be.
func newSite(t *testing.T, source sweep.NoiseSource) *site {
	t.Helper()
	t.Parallel()
	return enterSite(t, source)
}

func enterSite(t *testing.T, source sweep.NoiseSource) *site {
	t.Helper()
	p := sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 400, Validation: 100}, Model: "linear",
		Batch: 40, Clip: 1, Noise: 1, LearnRate: 0.5, Steps: 40, EMA: 0.9, NoiseFrom: source, Seed: 11,
	}
	store, err := results.Open(t.Context(), filepath.Join(t.TempDir(), "results.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s := &site{
		t: t, store: store, params: p, sweep: "s-0123456789ab", at: "file://" + t.TempDir(),
		record: &RecordActivities{Results: testRecord{store}, Spool: spool.Folder(t.TempDir())},
	}
	_, err = store.AddSweep(t.Context(), results.SweepRecord{
		ID: s.sweep, Name: "s", File: "s.yaml", Text: "name: s\n", Accountant: privacy.Certified, Delta: testDelta, Disclosure: "research",
	}, func(yield func(results.TrialRecord, error) bool) {
		yield(results.TrialRecord{Params: p, Delta: testDelta}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	j := trainerplugin.Job{Trial: p.ID(), Params: p, Dir: t.TempDir(), Threads: 1, EvaluateTest: true}
	if s.done, err = shared.Train(t.Context(), j, func(e trainerplugin.Event) error {
		if e, ok := e.(trainerplugin.Evaluation); ok && !e.Decides(p) {
			s.test = e.Accuracy
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// A host is one machine's part in a trial: threads, a folder of trials, and
// what happens to it after an event.
type host struct {
	threads int
	spool   spool.Folder
	after   func(trainerplugin.Event) error
}

// eager is the built-in trainer, reporting and checkpointing every step.
type eager struct {
	*builtin.Trainer
	after func(trainerplugin.Event) error
}

func (e eager) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	j.ReportEvery, j.CheckpointEvery = 0, 1
	return e.Trainer.Train(ctx, j, func(ev trainerplugin.Event) error {
		if err := report(ev); err != nil {
			return err
		}
		if e.after == nil {
			return nil
		}
		return e.after(ev)
	})
}

func (eager) Close() error { return nil }

// begin claims the trial's next attempt.
func (s *site) begin() (sweep.AttemptRef, sweep.Claim) {
	s.t.Helper()
	claim, err := s.record.Begin(s.t.Context(), s.sweep, s.params.ID())
	if err != nil || claim.State != sweep.Running {
		s.t.Fatalf("begin: %+v, %v", claim, err)
	}
	return sweep.AttemptRef{Sweep: s.sweep, Trial: s.params.ID(), Number: claim.Attempt}, claim
}

// run makes the attempt on h.
func (s *site) run(h host, ref sweep.AttemptRef, c sweep.Claim) error {
	if h.spool == "" {
		h.spool = s.record.Spool
	}
	a := &TrainActivities{
		Devices: NewDevices(nil, 500, h.threads), Worker: "w",
		Launch: func(context.Context, Trainer, trainerplugin.Job, io.Writer) (Launched, error) {
			return eager{&shared, h.after}, nil
		},
	}
	_, err := a.run(s.t.Context(), TrainInput{
		Ref: ref, Params: c.Params, From: c.Checkpoints, Spool: h.spool, Settings: Settings{Checkpoints: s.at, EvaluateTest: true},
	}, func(trainerplugin.Event) {})
	return err
}

// attempt claims and runs an attempt on h.
func (s *site) attempt(h host) (sweep.AttemptRef, error) {
	s.t.Helper()
	ref, claim := s.begin()
	return ref, s.run(h, ref, claim)
}

var errPulled = errors.New("somebody pulled the plug")

// diesAt ends an attempt after its update of the given step, without a word.
func diesAt(step int) func(trainerplugin.Event) error {
	return func(e trainerplugin.Event) error {
		if p, ok := e.(trainerplugin.Progress); ok && p.Step == step {
			return errPulled
		}
		return nil
	}
}

// dies makes an attempt that dies at a step, and records how it ended.
func (s *site) dies(h host, step int) {
	s.t.Helper()
	before := h.after
	h.after = func(e trainerplugin.Event) error {
		if before != nil {
			if err := before(e); err != nil {
				return err
			}
		}
		return diesAt(step)(e)
	}
	ref, err := s.attempt(h)
	if !errors.Is(err, errPulled) {
		s.t.Fatalf("attempt %d: %v; want it to die at step %d", ref.Number, err, step)
	}
	if h.spool == "" {
		if err := s.record.End(s.t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Reason: err.Error(), Next: sweep.Pending}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// trial is what the record says of it.
func (s *site) trial() results.Trial {
	s.t.Helper()
	got, err := s.store.Trial(s.t.Context(), string(s.params.ID()))
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

// completes makes the last attempt, records it, and compares its outcome with
// that of an undisturbed run.
func (s *site) completes(h host) results.Trial {
	s.t.Helper()
	ref, err := s.attempt(h)
	if err == nil {
		err = s.record.Record(s.t.Context(), ref)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	got := s.trial()
	if got.State != sweep.Completed || got.Outcome == nil {
		s.t.Fatalf("trial %+v; want it completed", got)
	}
	o := *got.Outcome
	o.Seconds = s.done.Seconds
	if s.params.NoiseFrom == sweep.Seeded && o != s.done {
		s.t.Errorf("outcome %+v; undisturbed %+v", o, s.done)
	}
	if got.Test == nil || s.params.NoiseFrom == sweep.Seeded && *got.Test != s.test {
		s.t.Errorf("test figure %v; undisturbed %v", got.Test, s.test)
	}
	return got
}

// kept lists what the store holds.
func (s *site) kept() (names []string) {
	s.t.Helper()
	if s.cloud != nil {
		for _, key := range s.cloud.Keys(s.t) {
			names = append(names, strings.TrimPrefix(key, string(s.params.ID())+"/checkpoints/"))
		}
		return names
	}
	root := strings.TrimPrefix(s.at, "file://")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(filepath.Join(root, string(s.params.ID()), "checkpoints"), path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

// A trial moves between three machines that share nothing but the store of
// checkpoints, with 1, 2 and 3 threads, and ends with the undisturbed bits. The
// last machine has the record, which was told what the others kept.
func TestResumesOnAnotherMachine(t *testing.T) {
	s := newSite(t, sweep.Seeded)
	for i, step := range []int{13, 27} {
		far := spool.Folder(t.TempDir())
		s.dies(host{threads: i + 1, spool: far}, step)
		ref := sweep.AttemptRef{Sweep: s.sweep, Trial: s.params.ID(), Number: i + 1}
		r, err := far.Read(ref, 0)
		if err == nil {
			err = errors.Join(s.store.Collect(t.Context(), ref, r), os.RemoveAll(string(far)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got := s.completes(host{threads: 3})
	var from []int
	for _, a := range got.Attempts {
		from = append(from, a.FromStep)
	}
	if want := []int{0, 12, 26}; !slices.Equal(from, want) || got.Steps != 40 {
		t.Errorf("attempts went on from %v, %d steps charged; want %v, 40", from, got.Steps, want)
	}
	if left := s.kept(); len(left) != 0 {
		t.Errorf("left in the store: %v", left)
	}
}

// The last two and the best are kept. What is damaged is passed over with a
// line in the record, and the one before it serves, with the same bits.
func TestDamagedCheckpointsArePassedOver(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"cut short": func(path string) error { return os.Truncate(path, 100) },
		"gone":      os.Remove,
		"one bit": func(path string) error {
			text, err := os.ReadFile(path)
			if err == nil {
				text[len(text)/2] ^= 4
				err = os.WriteFile(path, text, 0o600)
			}
			return err
		},
		"another's": func(path string) error {
			info, err := os.Stat(path)
			if err == nil {
				err = os.WriteFile(path, make([]byte, info.Size()), 0o600)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, sweep.Seeded)
			s.dies(host{threads: 1}, 20)
			kept := s.kept()
			if len(kept) < 2 || len(kept) > 3 || kept[len(kept)-1] != "1/step-000000019.ckpt" || kept[len(kept)-2] != "1/step-000000018.ckpt" {
				t.Fatalf("kept %v; want those of steps 18 and 19, and of the best step", kept)
			}
			newest := filepath.Join(strings.TrimPrefix(s.at, "file://"), string(s.params.ID()), "checkpoints", kept[len(kept)-1])
			if err := damage(newest); err != nil {
				t.Fatal(err)
			}
			got := s.completes(host{threads: 1})
			if from := got.Attempts[1].FromStep; from != 18 {
				t.Errorf("the second attempt went on from step %d, want 18", from)
			}
			flaws := 0
			for _, c := range got.Checkpoints {
				if c.Flaw != "" {
					flaws++
				}
			}
			noted := slices.ContainsFunc(got.Notes, func(n results.Note) bool {
				return n.Attempt == 2 && strings.Contains(n.Text, "checkpoint of step 19 by attempt 1 passed over")
			})
			if flaws != 1 || !noted {
				t.Errorf("%d checkpoints with a flaw, notes %+v; want one, and a note of the second attempt", flaws, got.Notes)
			}
		})
	}
}

// A secure trial that goes on from its checkpoint spends nothing twice; one that
// has lost all of them is charged for what it did before, with fresh noise.
func TestRepeatedStepsAreCharged(t *testing.T) {
	for _, c := range []struct {
		name  string
		lose  bool
		steps int
	}{{"resumed", false, 40}, {"started over", true, 40 + 20}} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, sweep.Secure)
			s.dies(host{threads: 1}, 20)
			if c.lose {
				if err := os.RemoveAll(filepath.Join(strings.TrimPrefix(s.at, "file://"), string(s.params.ID()))); err != nil {
					t.Fatal(err)
				}
			}
			got := s.completes(host{threads: 1})
			fresh := got.Attempts[0].NoiseID != got.Attempts[1].NoiseID
			if got.Steps != c.steps || fresh != c.lose {
				t.Errorf("%d steps charged, fresh noise: %t; want %d, %t", got.Steps, fresh, c.steps, c.lose)
			}
			want, err := privacy.Certified.Epsilon(privacy.DPSGD{SampleRate: 0.1, Noise: 1, Steps: c.steps}, testDelta)
			if err != nil || len(got.Costs) != 1 || float64(got.Costs[0].Epsilon) != want {
				t.Errorf("costs %+v; want epsilon %v (%v)", got.Costs, want, err)
			}
		})
	}
}

// A checkpoint that cannot be kept costs the way back, not the trial.
func TestTrainsOnWithoutAStoreThatWrites(t *testing.T) {
	s := newSite(t, sweep.Seeded)
	root := strings.TrimPrefix(s.at, "file://")
	if err := os.WriteFile(filepath.Join(root, string(s.params.ID())), nil, 0o600); err != nil { // where a folder should be
		t.Fatal(err)
	}
	defer os.Remove(filepath.Join(root, string(s.params.ID())))
	ref, err := s.attempt(host{threads: 1})
	if err == nil {
		_, err = s.record.Spool.Outcome(ref)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.record.takeOver(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	got := s.trial()
	if len(got.Checkpoints) != 0 || len(got.Notes) == 0 || !strings.Contains(got.Notes[0].Text, "training goes on without a checkpoint") {
		t.Errorf("checkpoints %v, notes %v; want none, and notes that say why", got.Checkpoints, got.Notes)
	}
}
