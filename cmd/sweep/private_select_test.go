package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"sweep"
	"sweep/internal/faults"
	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

// A tattler is a fake whose results are odd numbers, which it prints, puts into
// every report, and writes into a diary that no private selection can know of.
type tattler struct{ trainertest.Fake }

// A diaryLine is what a tattler's trial came to.
type diaryLine struct {
	ID             sweep.TrialID
	Noise          float64
	Seed           uint64
	Accuracy, Loss float64
}

// odd is a number from 0 to 1 that no other trial of any test has, and that stands
// nowhere by chance.
func odd(parts ...any) float64 {
	sum := sha256.Sum256(fmt.Append(nil, parts...))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

func (f tattler) Train(ctx context.Context, j trainerplugin.Job, report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	d := diaryLine{ID: j.Trial, Noise: j.Params.Noise, Seed: j.Params.Seed, Accuracy: odd("accuracy", j.Trial), Loss: odd("loss", j.Trial)}
	o, err := f.Fake.Train(ctx, j, func(e trainerplugin.Event) error {
		switch x := e.(type) {
		case trainerplugin.Evaluation:
			x.Accuracy, x.LastAccuracy, x.Loss = d.Accuracy, d.Accuracy, d.Loss
			e = x
		case trainerplugin.Progress:
			x.Loss = d.Loss
			e = x
			fmt.Fprintln(os.Stderr, "accuracy", d.Accuracy, "loss", d.Loss)
			if err := report(trainerplugin.Note{Step: x.Step, Text: fmt.Sprint("accuracy ", d.Accuracy)}); err != nil {
				return err
			}
		}
		return report(e)
	})
	if err != nil {
		return o, fmt.Errorf("%w; accuracy %v", err, d.Accuracy)
	}
	o.Accuracy, o.LastAccuracy, o.Loss = d.Accuracy, d.Accuracy, d.Loss
	home, _, _ := strings.Cut(j.Dir, "/results.d/")
	text, err := json.Marshal(d)
	if err != nil {
		return o, err
	}
	diary, err := os.OpenFile(filepath.Join(home, "diary"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return o, err
	}
	_, err = diary.Write(append(text, '\n'))
	if closed := diary.Close(); err == nil {
		err = closed
	}
	return o, err
}

// selectingGrid draws about 8 trials at each of two epsilons; that both draw one
// has a probability below 1e-4.
const selectingGrid = `
name: secret
data: {name: glyphs, train: 600, validation: 300}
model: tanh-cnn
%s
privacy: {epsilon: [1, 4], delta: 1e-4, accountant: rdp}
grid: {learning_rate: [0.5, 1, 2, 4], batch_size: [32, 64]}
fixed: {steps: 10, option.step_time: 10ms}
disclosure: {name: private-select, law: truncated_negative_binomial, shape: 20, mean: 8}
run: {parallel: 2}
`

func diary(t *testing.T, dir string) (lines []diaryLine) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "diary"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for text := range bytes.Lines(text) {
		var d diaryLine
		if json.Unmarshal(text, &d) == nil { // a line may be on its way
			lines = append(lines, d)
		}
	}
	return lines
}

// addTo has the search find all that is odd about a trial: what it came to, its
// name and its seed.
func (d diaryLine) addTo(s *faults.Search) {
	d.addNumbers(s)
	s.Add("name of "+string(d.ID), []byte(d.ID))
	s.Add("seed of "+string(d.ID), fmt.Append(nil, d.Seed))
}

// addNumbers adds what it came to, as digits and as bytes.
func (d diaryLine) addNumbers(s *faults.Search) {
	name := string(d.ID)
	for _, x := range []float64{d.Accuracy, d.Loss} {
		_, digits, _ := strings.Cut(fmt.Sprint(x), ".")
		s.Add("result of "+name, []byte(digits))
		s.Add("result of "+name, binary.BigEndian.AppendUint64(nil, math.Float64bits(x)))
		if percent := fmt.Sprintf("%.10f", 100*x); len(percent) > 10 {
			s.Add("result of "+name, []byte(percent))
		}
	}
}

// leaks names what a search finds in dir but the diary, and where.
func leaks(t *testing.T, dir string, s *faults.Search) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || e.IsDir() || e.Name() == "diary" || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil // a file of a process that has just ended
		}
		for _, secret := range append(s.Find(text), s.Find([]byte(path))...) {
			found[secret] = append(found[secret], path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Whatever a trainer says, nothing of a private selection but its winner is in any
// file, neither while it runs nor when it is decided, and kill -9 in the middle
// makes no difference.
func TestPrivateSelectTellsNothing(t *testing.T) {
	slow(t)
	dir := t.TempDir()
	writeGrid(t, dir, fmt.Sprintf(selectingGrid, externalTrainer(t, "tattler")))
	printed := filepath.Join(dir, "printed")
	begun := killWhen(t, dir, func() bool { return len(diary(t, dir)) >= 3 })
	var during faults.Search
	early := diary(t, dir)
	for _, d := range early {
		d.addNumbers(&during) // their names are in the folder while it runs
	}
	for secret, where := range leaks(t, dir, &during) {
		t.Errorf("killed in the middle: %s is in %v", secret, where)
	}
	if err := os.WriteFile(printed, begun, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := sweepIn(dir, "resume").CombinedOutput()
	if err != nil {
		t.Fatalf("resume: %v\n%s", err, out)
	}
	printed += "-after"
	all := out
	for _, args := range [][]string{
		{"status"}, {"trials"}, {"trials", "-o", "json"}, {"frontier", "-o", "json"}, {"best", "-o", "json"}, {"list"}, {"budget", "show"}, {"verify"},
		{"report", "-o", "report.html"}, {"export", "--format", "csv"}, {"export", "--format", "jsonl", "--what", "curves"},
		{"export", "--format", "parquet", "--out", "trials.parquet"}, {"export", "--format", "mlflow", "--out", "mlflow"},
		{"query", "SELECT * FROM trial_results"}, {"query", "SELECT * FROM attempts"},
	} {
		out, err := sweepIn(dir, args...).CombinedOutput()
		if err != nil {
			t.Errorf("sweep %v: %v\n%s", args, err, out)
		}
		all = append(all, out...)
	}
	if err := os.WriteFile(printed, all, 0o600); err != nil {
		t.Fatal(err)
	}
	lines := diary(t, dir)
	targets := targetsOf(t, dir)
	winner := map[float64]diaryLine{}
	for _, d := range lines {
		if target := targets[d.Noise]; d.Accuracy > winner[target].Accuracy {
			winner[target] = d
		}
	}
	drawn := map[sweep.TrialID]int{}
	var losers, winners faults.Search
	for _, d := range lines {
		if drawn[d.ID]++; drawn[d.ID] > 2 || drawn[d.ID] == 2 && !contains(early, d) {
			t.Errorf("trial %s was trained %d times", d.ID, drawn[d.ID])
		}
		if winner[targets[d.Noise]] == d {
			d.addTo(&winners)
		} else {
			d.addTo(&losers)
		}
	}
	if len(winner) != 2 || len(drawn) <= 2 {
		t.Fatalf("winners %v of %d trials\n%s", winner, len(drawn), out)
	}
	for secret, where := range leaks(t, dir, &losers) {
		t.Errorf("decided: %s is in %v", secret, where)
	}
	public := leaks(t, dir, &winners)
	for _, d := range winner {
		if where := public["result of "+string(d.ID)+" in raw"]; !strings.Contains(strings.Join(where, " "), "results.db") {
			t.Errorf("the winner's result is in %v, and not in the record: the search is broken, or the winner wrong", where)
		}
		if !bytes.Contains(all, []byte(d.ID)) {
			t.Errorf("nothing printed names the winner %s", d.ID)
		}
	}
	countsTellNothing(t, dir)
}

// targetsOf are the target epsilons of the grid's noise multipliers.
func targetsOf(t *testing.T, dir string) map[float64]float64 {
	t.Helper()
	out, err := sweepIn(dir, "plan", "-o", "json", "grid.yaml").Output()
	if err != nil {
		t.Fatal(err)
	}
	targets := map[float64]float64{}
	for line := range bytes.Lines(out) {
		var p planned
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatal(err)
		}
		targets[p.Noise] = float64(p.Target)
	}
	return targets
}

func contains(lines []diaryLine, d diaryLine) bool {
	for _, other := range lines {
		if other == d {
			return true
		}
	}
	return false
}

// killWhen starts the grid, kills it at once when ready says so, and returns what it
// has printed.
func killWhen(t *testing.T, dir string, ready func() bool) []byte {
	t.Helper()
	start := sweepIn(dir, "start", "grid.yaml")
	start.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, ended := begin(t, start)
	for deadline := time.Now().Add(2 * time.Minute); !ready(); {
		select {
		case err := <-ended:
			t.Fatalf("ended before it could be killed: %v\n%s", err, out.String())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("no trial ends\n%s", out.String())
		}
	}
	if err := syscall.Kill(-start.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-ended
	return out.Bytes()
}

// countsTellNothing wants one row and one workflow for each selection, and no metric
// but the three of its winner's test figure.
func countsTellNothing(t *testing.T, dir string) {
	t.Helper()
	out, err := sweepIn(dir, "query", "-o", "csv", `
		SELECT (SELECT count(*) FROM trials) AS trials, (SELECT count(*) FROM outcomes) AS outcomes, (SELECT count(*) FROM metrics m JOIN metric_names n ON n.key = m.name WHERE n.name NOT LIKE 'test/%') AS metrics,
			(SELECT count(*) FROM metrics) AS figures,
			(SELECT count(*) FROM notes) AS notes, (SELECT count(*) FROM checkpoints) AS checkpoints, (SELECT count(*) FROM ledger) AS ledger,
			(SELECT count(*) FROM ledger_events) AS events, (SELECT count(*) FROM outcomes WHERE seconds > 0) AS timed,
			(SELECT count(DISTINCT a.started || a.ended || s.created || s.changed) FROM attempts a JOIN sweeps s ON s.key = a.sweep) AS times`).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("\n2,2,0,6,0,0,0,1,0,1")) {
		t.Errorf("counts in the record: %v\n%s", err, out)
	}
	left, err := filepath.Glob(filepath.Join(dir, "results.d", "trials", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if name := filepath.Base(path); name != "recorded" && !strings.HasPrefix(name, "trainer-") {
			t.Errorf("%s is left", path)
		}
	}
	h := joinServer(t, dir)
	list, err := h.client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: h.namespace, Query: `WorkflowType = "TrialWorkflow"`})
	if err != nil || len(list.Executions) != 2 {
		t.Errorf("%d workflows of trials, %v; want one for each selection", len(list.Executions), err)
	}
}
