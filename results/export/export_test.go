package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"sweep"
	"sweep/privacy"
	"sweep/results"
)

const id sweep.SweepID = "small-0123456789ab"

// record is three trials: completed with 20 losses, of which one is no number,
// completed without noise, and pending.
func record(t *testing.T) *results.Store {
	t.Helper()
	s, err := results.Open(t.Context(), filepath.Join(t.TempDir(), "results.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var all []results.TrialRecord
	for i, noise := range []float64{1.5, 0, 2} {
		p := sweep.Params{
			Data: sweep.Data{Name: "glyphs", Train: 1000, Validation: 100}, Model: "linear", Batch: 100, Clip: 1, Noise: noise,
			LearnRate: 0.25, Steps: 20, EMA: 0.9, NoiseFrom: sweep.Secure,
		}
		all = append(all, results.TrialRecord{Params: p.WithRepeat(0), Index: i, Label: fmt.Sprintf(`σ=%g, "η"=0.25`, noise), Delta: 1e-5})
	}
	r := results.SweepRecord{ID: id, Name: "small", File: "small.yaml", Text: "name: small\n", Accountant: privacy.RDP, Delta: 1e-5, Disclosure: "research", Versions: map[string]string{}}
	if _, err := s.AddSweep(t.Context(), r, iter.Seq2[results.TrialRecord, error](func(yield func(results.TrialRecord, error) bool) {
		for _, one := range all {
			if !yield(one, nil) {
				return
			}
		}
	})); err != nil {
		t.Fatal(err)
	}
	complete(t, s, all[0].Params, 0.75, 0.625)
	complete(t, s, all[1].Params, 0.875)
	return s
}

// complete runs a trial, which measures a test figure if one is given.
func complete(t *testing.T, s *results.Store, p sweep.Params, accuracy float64, test ...float64) {
	t.Helper()
	c, err := s.Begin(t.Context(), id, p.ID())
	if err != nil {
		t.Fatal(err)
	}
	ref := sweep.AttemptRef{Sweep: id, Trial: p.ID(), Number: c.Attempt}
	reading := sweep.Reading{Offset: 1, Started: true, NoiseID: "n" + string(p.ID()), Worker: "w", Step: p.Steps}
	for step := 1; step <= p.Steps; step++ {
		loss := 2 / float64(step)
		if step == 7 {
			loss = math.NaN()
		}
		reading.Metrics = append(reading.Metrics, sweep.Metric{Name: "loss", Step: step, Value: loss})
	}
	reading.Metrics = append(reading.Metrics, sweep.Metric{Name: "validation/accuracy", Step: 20, Value: accuracy})
	for _, x := range test {
		reading.Metrics = append(reading.Metrics, sweep.Metric{Name: "test/accuracy", Step: p.Steps, Value: x})
	}
	if err := s.Collect(t.Context(), ref, reading); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(t.Context(), ref, sweep.Outcome{
		Accuracy: accuracy, LastAccuracy: 0.5, Loss: 0.1, Split: sweep.Validation, Examples: 100, Steps: p.Steps,
		DataDigest: "sha256:d", WeightsDigest: "sha256:w", Trainer: "fake 1", Seconds: 2,
	}); err != nil {
		t.Fatal(err)
	}
}

func TestCSV(t *testing.T) {
	s := record(t)
	var out bytes.Buffer
	if err := CSV(&out, Rows(t.Context(), s, id)); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 4 {
		t.Fatalf("%d lines, error %v", len(lines), err)
	}
	at := map[string]int{}
	for i, name := range lines[0] {
		at[name] = i
	}
	for _, tt := range []struct {
		row          int
		column, want string
	}{
		{1, "accuracy", "0.75"}, {1, "test_accuracy", "0.625"}, {2, "test_accuracy", ""}, {2, "epsilon", "inf"}, {3, "epsilon", ""}, {3, "state", "pending"}, {1, "label", `σ=1.5, "η"=0.25`}, {1, "batch_size", "100"},
		{1, "disclosure", "research"}, {3, "search_composed_epsilon", "inf"}, {1, "search_selection_epsilon", ""},
	} {
		if got := lines[tt.row][at[tt.column]]; got != tt.want {
			t.Errorf("row %d has %s %q, want %q", tt.row, tt.column, got, tt.want)
		}
	}
}

// An experiment of MLflow has what the search cost as its description.
func TestMLflowTellsOfTheSearch(t *testing.T) {
	s := record(t)
	info, err := s.Sweep(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := MLflow(t.Context(), s, info, dir, dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, experimentID(id), "tags", "mlflow.note.content"))
	if err != nil || !strings.Contains(string(text), "all trials of the search together, composed, cost epsilon ∞") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestJSONLines(t *testing.T) {
	s := record(t)
	var out bytes.Buffer
	if err := JSONLines(&out, Curves(t.Context(), s, id)); err != nil {
		t.Fatal(err)
	}
	missing, n := 0, 0
	for d := json.NewDecoder(&out); ; n++ {
		var m Measurement
		if err := d.Decode(&m); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if m.Value == nil {
			missing++
		} else if m.Name == "loss" && *m.Value != 2/float64(m.Step) {
			t.Errorf("%+v", m)
		}
	}
	if n != 43 || missing != 2 {
		t.Errorf("%d measurements, %d of them not a number; want 43 and 2", n, missing)
	}
}

func TestParquet(t *testing.T) {
	s := record(t)
	var out bytes.Buffer
	if err := Parquet(&out, Rows(t.Context(), s, id)); err != nil {
		t.Fatal(err)
	}
	rows, err := parquet.Read[Row](bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	if *rows[0].Accuracy != 0.75 || !math.IsInf(float64(*rows[1].Epsilon), 1) || rows[2].Accuracy != nil || rows[2].State != "pending" {
		t.Errorf("%+v", rows)
	}
}

// python is an interpreter with the packages named, and the test is skipped
// where there is none: SWEEP_EXPORT_PYTHON names one, or the project's .venv is it.
func python(t *testing.T, packages ...string) string {
	t.Helper()
	path := os.Getenv("SWEEP_EXPORT_PYTHON")
	if path == "" {
		path = filepath.Join("..", "..", ".venv", "bin", "python")
	}
	if out, err := exec.Command(path, "-c", "import "+strings.Join(packages, ", ")).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no Python with %v, which would open what was exported: %v %s", packages, err, out)
	}
	return path
}

func runPython(t *testing.T, program, dir string, packages ...string) string {
	t.Helper()
	cmd := exec.Command(python(t, packages...), "-c", program, dir)
	cmd.Env = append(os.Environ(), "MLFLOW_ALLOW_FILE_STORE=true", "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return string(out)
}

// TensorBoard's own reader.
func TestTensorBoardOpensIt(t *testing.T) {
	const program = `
import sys, glob
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
for d in sorted(glob.glob(sys.argv[1] + '/*')):
    a = EventAccumulator(d, size_guidance={'scalars': 0}).Reload()
    s = a.Scalars('loss')
    content = plugin_data_pb2.HParamsPluginData.FromString(a.summary_metadata['_hparams_/session_start_info'].plugin_data.content)
    h = content.session_start_info.hparams
    end = plugin_data_pb2.HParamsPluginData.FromString(a.summary_metadata['_hparams_/session_end_info'].plugin_data.content)
    print(len(s), s[0].step, s[0].value, a.Scalars('outcome/accuracy')[0].value, [x.value for t in a.Tags()['scalars'] if t == 'outcome/test_accuracy' for x in a.Scalars(t)], h['batch_size'].number_value, h['model'].string_value, end.session_end_info.status)
`
	dir := t.TempDir()
	if err := TensorBoard(t.Context(), record(t), id, dir); err != nil {
		t.Fatal(err)
	}
	got := runPython(t, program, dir, "tensorboard")
	if !strings.Contains(got, "19 1 2.0 0.75 [0.625] 100.0 linear 1\n") || !strings.Contains(got, "0.875 [] 100.0") || strings.Count(got, "\n") != 2 {
		t.Errorf("it reads %s", got)
	}
}

// MLflow's own client.
func TestMLflowOpensIt(t *testing.T) {
	const program = `
import sys
from mlflow.tracking import MlflowClient
c = MlflowClient('file://' + sys.argv[1])
e = c.search_experiments()[0]
print(e.name)
for r in c.search_runs([e.experiment_id], order_by=['params.noise_multiplier']):
    h = c.get_metric_history(r.info.run_id, 'loss')
    print(r.info.run_name, r.info.status, r.data.params['batch_size'], r.data.metrics['outcome/accuracy'], r.data.metrics.get('outcome/test_accuracy'), r.data.metrics['outcome/epsilon'], len(h), h[0].value)
`
	s, dir := record(t), t.TempDir()
	info, err := s.Sweep(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	if err := MLflow(t.Context(), s, info, dir, dir); err != nil {
		t.Fatal(err)
	}
	got := runPython(t, program, dir, "mlflow")
	for _, want := range []string{string(id), `σ=0, "η"=0.25 FINISHED 100 0.875 None inf 20 2.0`, `σ=1.5, "η"=0.25 FINISHED 100 0.75 0.625 `} {
		if !strings.Contains(got, want) {
			t.Errorf("it reads %s\nwant %s", got, want)
		}
	}
}
