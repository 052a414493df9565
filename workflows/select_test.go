package workflows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
	"sweep/workflows/spool"
)

// fickle is a trainer whose trials come to what a function says.
type fickle struct {
	trainertest.Fake
	came func(p sweep.Params) error
	on   func(devices []string) (done func())
}

func (f fickle) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	if f.on != nil {
		defer f.on(j.Devices)()
	}
	if err := f.came(j.Params); err != nil {
		return sweep.Outcome{}, err
	}
	last := 0.0 // on test examples the best is worst
	return f.Fake.Train(ctx, j, func(e trainerplugin.Event) error {
		if e, ok := e.(trainerplugin.Evaluation); ok {
			if e.Decides(j.Params) {
				last = e.Accuracy
			} else {
				e.Accuracy = 1 - last
				return report(e)
			}
		}
		return report(e)
	})
}

func (fickle) Close() error { return nil }

// A selecting is a private selection of five trials.
type selecting struct {
	t     *testing.T
	spool spool.Folder
	in    TrainInput
	draws int
	mu    sync.Mutex
	ran   map[uint64]int // by seed, how often a trainer was asked
	gpus  []string
	on    func(devices []string) (done func()) // if set, while a trial trains
}

func newSelecting(t *testing.T) *selecting {
	s := &selecting{t: t, spool: spool.Folder(t.TempDir()), ran: map[uint64]int{}}
	s.in = TrainInput{
		Ref: sweep.AttemptRef{Sweep: "s", Trial: "slot", Number: 1}, Params: selectedParams(0), Spool: s.spool,
		Selection: &sweep.Selection{Text: "name: s"}, Settings: Settings{AtOnce: 2, EvaluateTest: true},
	}
	return s
}

func selectedParams(seed uint64) sweep.Params {
	return sweep.Params{
		Data: sweep.Data{Name: "fake", Train: 1000, Validation: 1000}, Model: "fake", Batch: 10, Clip: 1, Noise: 1, LearnRate: 0.25 * float64(seed+1), Steps: 4, NoiseFrom: sweep.Secure, Seed: seed,
	}
}

// attempt makes the next attempt, of a process of its own.
func (s *selecting) attempt(came func(sweep.Params) error) (TrainDone, error) {
	s.t.Helper()
	a := &TrainActivities{
		Devices: NewDevices(s.gpus, 2, 1), Worker: "w",
		Launch: func(context.Context, Trainer, trainerplugin.Job, io.Writer) (Launched, error) {
			return fickle{on: s.on, came: func(p sweep.Params) error {
				s.mu.Lock()
				s.ran[p.Seed]++
				s.mu.Unlock()
				return came(p)
			}}, nil
		},
		Draw: func(sweep.Selection) ([]spool.Drawn, error) {
			s.draws++
			var drawn []spool.Drawn
			for seed := range uint64(5) {
				drawn = append(drawn, spool.Drawn{Params: selectedParams(seed), Label: fmt.Sprint("seed ", seed)})
			}
			return drawn, nil
		},
	}
	done, err := a.selectBest(s.t.Context(), s.in)
	s.in.Ref.Number++
	return done, err
}

func (s *selecting) win() *sweep.Win {
	s.t.Helper()
	win, decided, err := s.spool.Win("slot")
	if err != nil || !decided {
		s.t.Fatalf("decided: %t, %v", decided, err)
	}
	return win
}

func fine(sweep.Params) error { return nil }

// The best is left, and nothing else; a second attempt says the same.
func TestSelectBest(t *testing.T) {
	s := newSelecting(t)
	done, err := s.attempt(fine)
	if err != nil {
		t.Fatal(err)
	}
	win, want := s.win(), 0.0
	for seed := range uint64(5) {
		want = max(want, trainertest.Accuracy(selectedParams(seed)))
	}
	if win.Outcome.Accuracy < want-0.05 || done.Accuracy != win.Outcome.Accuracy || win.Label != fmt.Sprint("seed ", win.Params.Seed) || win.Outcome.Seconds != 0 {
		t.Errorf("winner %+v; the best is near %v", win, want)
	}
	if want := (sweep.Metric{Step: 4, Name: "test/accuracy", Value: 1 - win.Outcome.Accuracy}); win.Test[0] != want {
		t.Errorf("its test figure is %+v, want %+v first", win.Test, want)
	}
	if _, err := os.Stat(filepath.Join(s.spool.Trial("slot"), "selection")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the selection's folder: %v; want it gone", err)
	}
	again, err := s.attempt(func(sweep.Params) error { t.Error("a trial ran after the decision"); return nil })
	if err != nil || again != done || s.draws != 1 {
		t.Errorf("again: %+v, %v after %d draws; want %+v", again, err, s.draws, done)
	}
}

// Drawn trials get GPUs of their own, however many are to run side by side, and give
// them back.
func TestSelectBestOnGPUs(t *testing.T) {
	s := newSelecting(t)
	s.gpus, s.in.Settings.GPUs, s.in.Settings.AtOnce = []string{"3", "7"}, 1, 5
	var mu sync.Mutex
	busy, used := map[string]bool{}, map[string]int{}
	s.on = func(devices []string) func() {
		mu.Lock()
		defer mu.Unlock()
		if len(devices) != 1 || busy[devices[0]] {
			t.Errorf("a trial has the GPUs %v while %v are busy; want one of its own", devices, busy)
			return func() {}
		}
		busy[devices[0]] = true
		used[devices[0]]++
		return func() {
			mu.Lock()
			defer mu.Unlock()
			delete(busy, devices[0])
		}
	}
	for range 2 { // the second finds it decided
		if _, err := s.attempt(fine); err != nil || s.win() == nil {
			t.Fatal(err)
		}
	}
	if used["3"]+used["7"] != 5 || len(used) > 2 {
		t.Errorf("trials on GPUs: %v; want five on 3 and 7", used)
	}
}

// An attempt that dies leaves its draw and what has ended; the next one goes on.
func TestSelectBestGoesOn(t *testing.T) {
	s := newSelecting(t)
	s.in.Settings.AtOnce = 1
	_, err := s.attempt(func(p sweep.Params) error {
		if p.Seed == 3 {
			return ErrKilled
		}
		return nil
	})
	if !errors.Is(err, ErrKilled) {
		t.Fatalf("killed: %v", err)
	}
	vault, err := s.spool.OpenVault("slot")
	if err != nil {
		t.Fatal(err)
	}
	s.in.Stream = vault.Name()
	if _, err := s.attempt(fine); err != nil {
		t.Fatal(err)
	}
	for seed, want := range map[uint64]int{0: 1, 1: 1, 2: 1, 3: 2, 4: 1} {
		if s.ran[seed] != want {
			t.Errorf("trial %d ran %d times, want %d", seed, s.ran[seed], want)
		}
	}
	if s.draws != 1 {
		t.Errorf("%d draws, want 1", s.draws)
	}
}

// A trial that fails for good is the worst, and its words go nowhere; if all do,
// there is no winner, and no second draw.
func TestSelectBestOfFailures(t *testing.T) {
	const words = "loss 0.7182818"
	s := newSelecting(t)
	_, err := s.attempt(func(p sweep.Params) error {
		if p.Seed != 0 {
			return fmt.Errorf("%w: %s", trainerplugin.ErrDiverged, words)
		}
		return nil
	})
	if err != nil || s.win().Params.Seed != 0 {
		t.Errorf("winner %+v, %v; want the one that came to a result", s.win(), err)
	}
	s = newSelecting(t)
	for range 2 {
		_, err = s.attempt(func(sweep.Params) error { return fmt.Errorf("boom: %s", words) })
		if !errors.Is(err, errNoWinner) || strings.Contains(err.Error(), words) || s.draws != 1 {
			t.Errorf("all failed: %v after %d draws", err, s.draws)
		}
	}
	if s.win() != nil {
		t.Errorf("winner %+v", s.win())
	}
}

// A draw that was heard of and is gone is not made again.
func TestSelectBestIsDrawnOnce(t *testing.T) {
	s := newSelecting(t)
	s.in.Stream = "draw:0123"
	if _, err := s.attempt(fine); !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), "second selection") || s.draws != 0 {
		t.Errorf("lost draw: %v after %d draws", err, s.draws)
	}
	s.in.Stream = ""
	if _, err := s.attempt(func(sweep.Params) error { return ErrKilled }); !errors.Is(err, ErrKilled) {
		t.Fatal(err)
	}
	s.in.Stream = "draw:0123"
	if _, err := s.attempt(fine); !errors.Is(err, trainerplugin.ErrRefused) || s.draws != 1 {
		t.Errorf("another draw in its place: %v after %d draws", err, s.draws)
	}
}

// What is wrong with the set-up is told in full, before anything is drawn.
func TestSelectBestTellsOfTheSetUp(t *testing.T) {
	s := newSelecting(t)
	s.in.Params.Model = "no-such"
	if _, err := s.attempt(fine); !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), "no-such") || s.draws != 0 {
		t.Errorf("%v after %d draws", err, s.draws)
	}
}
