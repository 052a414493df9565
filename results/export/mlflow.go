package export

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sweep"
	"sweep/results"
)

// MLflow writes the sweep as an experiment into dir, a folder that becomes an
// MLflow tracking store (`mlflow ui --backend-store-uri dir`): a run for each trial
// that was begun, with its hyper-parameters, curves, and what came of it, and what the
// search as a whole cost as the experiment's description. home is
// where the folder will lie in the end, which the files say.
func MLflow(ctx context.Context, from Source, info results.SweepInfo, dir, home string) error {
	experiment := experimentID(info.ID)
	root := filepath.Join(dir, experiment)
	at := millis(info.Created)
	search, err := from.SearchCost(ctx, info.ID)
	if err != nil {
		return err
	}
	if err := writeYAML(filepath.Join(root, "meta.yaml"), map[string]any{
		"artifact_location": fileURL(home, experiment), "creation_time": at, "experiment_id": experiment,
		"last_update_time": at, "lifecycle_stage": "active", "name": string(info.ID),
	}); err != nil {
		return err
	}
	if err := writeText(filepath.Join(root, "tags", "mlflow.note.content"), search.String()); err != nil {
		return err
	}
	for t, err := range trials(ctx, from, info.ID) {
		if err != nil {
			return err
		}
		if t.Attempts == 0 {
			continue
		}
		if err := mlflowRun(ctx, from, info, search, t, root, home); err != nil {
			return fmt.Errorf("trial %s: %w", t.ID, err)
		}
	}
	return nil
}

// experimentID is a number that MLflow takes for one of its own.
func experimentID(id sweep.SweepID) string {
	sum := sha256.Sum256([]byte(id))
	return strconv.FormatUint(binary.BigEndian.Uint64(sum[:8])>>4, 10)
}

// runID is 32 hexadecimal digits, as MLflow's are.
func runID(s sweep.SweepID, t sweep.TrialID) string {
	sum := sha256.Sum256([]byte(string(s) + "\x00" + string(t)))
	return hex.EncodeToString(sum[:16])
}

// MLflow's numbers for the state of a run.
var mlflowStatus = map[sweep.State]int{sweep.Running: 1, sweep.Pending: 2, sweep.Completed: 3, sweep.Failed: 4, sweep.Stopped: 5}

func mlflowRun(ctx context.Context, from Source, info results.SweepInfo, search results.SearchCost, t results.TrialRow, root, home string) error {
	full, err := from.Trial(ctx, string(t.ID))
	if err != nil {
		return err
	}
	when := clockOf(full)
	id := runID(info.ID, t.ID)
	dir := filepath.Join(root, id)
	meta := map[string]any{
		"artifact_uri": fileURL(home, filepath.Base(root), id, "artifacts"), "entry_point_name": "", "experiment_id": filepath.Base(root),
		"lifecycle_stage": "active", "run_id": id, "run_uuid": id, "run_name": t.Label, "source_name": "sweep", "source_type": 4, "source_version": "",
		"start_time": millis(when.began), "end_time": nil, "status": mlflowStatus[t.State], "tags": []string{}, "user_id": "",
	}
	if t.State != sweep.Running {
		meta["end_time"] = millis(when.ended)
	}
	if err := writeYAML(filepath.Join(dir, "meta.yaml"), meta); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "artifacts"), 0o700); err != nil {
		return err
	}
	for _, p := range params(t, search) {
		if err := writeText(filepath.Join(dir, "params", p.name), p.String()); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"mlflow.runName": t.Label, "sweep.trial": string(t.ID), "sweep.sweep": string(info.ID), "sweep.accountant": string(t.Accountant),
		"sweep.noise": string(t.Params.NoiseFrom), "sweep.worker": t.Worker,
	} {
		if err := writeText(filepath.Join(dir, "tags", name), text); err != nil {
			return err
		}
	}
	return mlflowMetrics(ctx, from, t, when, filepath.Join(dir, "metrics"))
}

// mlflowMetrics writes a file for each metric, a line for each value: the time in
// milliseconds, the value and the step.
func mlflowMetrics(ctx context.Context, from Source, t results.TrialRow, when clock, dir string) error {
	var name string
	var lines strings.Builder
	flush := func() error {
		if name == "" {
			return nil
		}
		err := writeText(filepath.Join(dir, filepath.FromSlash(name)), lines.String())
		lines.Reset()
		return err
	}
	for m, err := range curves(ctx, from, t.ID) {
		if err != nil {
			return err
		}
		if m.Name != name {
			if err := flush(); err != nil {
				return err
			}
			name = m.Name
		}
		value := math.NaN()
		if m.Value != nil {
			value = *m.Value
		}
		fmt.Fprintf(&lines, "%d %v %d\n", millis(when.at(m.Step)), value, m.Step)
	}
	if err := flush(); err != nil {
		return err
	}
	last := []param{}
	if o := t.Outcome; o != nil {
		last = append(last, param{"accuracy", o.Accuracy}, param{"last_accuracy", o.LastAccuracy})
	}
	if t.TestAccuracy != nil {
		last = append(last, param{"test_accuracy", *t.TestAccuracy})
	}
	if t.Epsilon != 0 {
		last = append(last, param{"epsilon", float64(t.Epsilon)})
	}
	for _, p := range last {
		value := strings.Replace(p.String(), "+Inf", "inf", 1) // as Python spells it
		if err := writeText(filepath.Join(dir, "outcome", p.name), fmt.Sprintf("%d %s %d\n", millis(when.ended), value, t.Params.Steps)); err != nil {
			return err
		}
	}
	return nil
}

func fileURL(elements ...string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(elements...))}).String()
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func writeYAML(path string, v any) error {
	text, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	return writeText(path, string(text))
}

func writeText(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
