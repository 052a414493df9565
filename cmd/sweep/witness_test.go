package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep"
	"sweep/trainerplugin"
	"sweep/trainerplugin/builtin"
)

// stepTime is how long the witness rests after a step, so that a trial lasts
// long enough to be disturbed.
const stepTime = 15 * time.Millisecond

// A witness is the built-in trainer, which also writes down elsewhere which step
// it has noised with which stream, before it tells its host.
type witness struct{ *builtin.Trainer }

func serveWitness() { trainerplugin.Serve(witness{&builtin.Trainer{}}) }

// witnessed is the file that all witnesses of a test append to. HOME is one of
// the few variables that a trainer inherits.
func witnessed(home string) string { return filepath.Join(home, "witnessed") }

func (w witness) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	log, err := os.OpenFile(witnessed(os.Getenv("HOME")), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return sweep.Outcome{}, err
	}
	defer log.Close()
	j.ReportEvery, j.CheckpointEvery = 0, 50*time.Millisecond
	noise := ""
	return w.Trainer.Train(ctx, j, func(e trainerplugin.Event) error {
		switch e := e.(type) {
		case trainerplugin.Started:
			noise = e.NoiseID
		case trainerplugin.Progress:
			time.Sleep(stepTime)
			if _, err := fmt.Fprintf(log, "%s %s %d\n", j.Trial, noise, e.Step); err != nil {
				return err
			}
		}
		return report(e)
	})
}

// testimony is, for each trial and noise stream, the furthest step that was
// noised.
func testimony(t *testing.T, home string) map[sweep.TrialID]map[string]int {
	t.Helper()
	text, err := os.ReadFile(witnessed(home))
	if err != nil {
		t.Fatal(err)
	}
	all := map[sweep.TrialID]map[string]int{}
	for line := range strings.Lines(string(text)) {
		var trial sweep.TrialID
		var noise string
		var step int
		if _, err := fmt.Sscanf(line, "%s %s %d\n", &trial, &noise, &step); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if all[trial] == nil {
			all[trial] = map[string]int{}
		}
		all[trial][noise] = max(all[trial][noise], step)
	}
	return all
}
