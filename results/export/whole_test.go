package export

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sweep"
	"sweep/results"
)

// What other tools read is compared with what SQL reads, as sorted lines of words
// between tabs. Numbers are written as Go writes doubles, and nothing is missing on
// either side.

// lines sorts lines of words, with numbers in one spelling.
func lines(text string) []string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range all {
		words := strings.Split(line, "\t")
		for j, word := range words {
			if j == 0 {
				continue
			}
			if n, err := strconv.ParseInt(word, 10, 64); err == nil && int64(float64(n)) != n {
				continue // a seed, which no double holds
			}
			if x, err := strconv.ParseFloat(word, 64); err == nil {
				words[j] = strconv.FormatFloat(x, 'g', -1, 64)
			}
		}
		all[i] = strings.Join(words, "\t")
	}
	slices.Sort(all)
	return all
}

// asked is what a query over the record finds, NULLs as nothing.
func asked(t *testing.T, s *results.Store, query string) (text string) {
	t.Helper()
	table, err := s.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range table.Rows {
		if err != nil {
			t.Fatal(err)
		}
		words := make([]string, len(row))
		for i, value := range row {
			if value != nil {
				words[i] = fmt.Sprint(value)
			}
		}
		text += strings.Join(words, "\t") + "\n"
	}
	return text
}

func sameLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(want) < 10 {
		t.Fatalf("%s: only %q to compare with", what, want)
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s: it does not read %q", what, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s: it reads %q, which the record does not say", what, line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: it reads %d lines, want %d", what, len(got), len(want))
	}
}

// many is [record] with a trial that went on from a checkpoint, and then failed.
func many(t *testing.T) *results.Store {
	t.Helper()
	s := record(t)
	next, err := s.Next(t.Context(), id, 1, nil)
	if err != nil || len(next) != 1 {
		t.Fatalf("%v, error %v", next, err)
	}
	for number, steps := range [][]int{{1, 2, 3, 4}, {3, 4, 5}} {
		c, err := s.Begin(t.Context(), id, next[0].Trial)
		if err != nil {
			t.Fatal(err)
		}
		ref := sweep.AttemptRef{Sweep: id, Trial: next[0].Trial, Number: c.Attempt}
		r := sweep.Reading{Offset: 1, Started: true, NoiseID: "again", Worker: "w2", FromStep: steps[0] - 1, Step: steps[len(steps)-1]}
		for _, step := range steps {
			r.Metrics = append(r.Metrics, sweep.Metric{Name: "grad_norm_mean", Step: step, Value: float64(number) + 1/float64(3*step)})
		}
		if err := s.Collect(t.Context(), ref, r); err != nil {
			t.Fatal(err)
		}
		if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Reason: "killed", Next: []sweep.State{sweep.Pending, sweep.Failed}[number]}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// hyperParameters are those of trials that were begun, as the record's columns have them.
const hyperParameters = `
	WITH t AS (SELECT * FROM trial_results WHERE attempts > 0)
	SELECT 'param', trial, 'data', data FROM t UNION ALL SELECT 'param', trial, 'model', model FROM t UNION ALL SELECT 'param', trial, 'batch_size', batch_size FROM t
	UNION ALL SELECT 'param', trial, 'clip_norm', clip_norm FROM t UNION ALL SELECT 'param', trial, 'noise_multiplier', noise_multiplier FROM t
	UNION ALL SELECT 'param', trial, 'learning_rate', learning_rate FROM t UNION ALL SELECT 'param', trial, 'augmult', augmult FROM t
	UNION ALL SELECT 'param', trial, 'steps', steps FROM t UNION ALL SELECT 'param', trial, 'ema', ema FROM t UNION ALL SELECT 'param', trial, 'train_examples', train_examples FROM t
	UNION ALL SELECT 'param', trial, 'seed', seed FROM t UNION ALL SELECT 'param', trial, 'repeat', repeat FROM t UNION ALL SELECT 'param', trial, 'delta', delta FROM t
	UNION ALL SELECT 'param', t.trial, 'disclosure', s.disclosure FROM t JOIN sweeps s ON s.id = t.sweep`

// ends are the figures of trials that ended, beside their curves.
const ends = `
	SELECT 'scalar', trial, 'outcome/accuracy', steps, accuracy FROM trial_results WHERE accuracy IS NOT NULL
	UNION ALL SELECT 'scalar', trial, 'outcome/last_accuracy', steps, last_accuracy FROM trial_results WHERE last_accuracy IS NOT NULL
	UNION ALL SELECT 'scalar', trial, 'outcome/test_accuracy', steps, test_accuracy FROM trial_results WHERE test_accuracy IS NOT NULL
	UNION ALL SELECT 'scalar', trial, 'outcome/epsilon', steps, epsilon FROM trial_results WHERE epsilon IS NOT NULL`

// composed is a line of what the search cost for each trial that was begun.
func composed(t *testing.T, s *results.Store) (text string) {
	t.Helper()
	cost, err := s.SearchCost(t.Context(), id)
	if err != nil || cost.Composed == 0 {
		t.Fatalf("%+v, error %v", cost, err)
	}
	for trial := range strings.SplitSeq(strings.TrimSpace(asked(t, s, `SELECT trial FROM trial_results WHERE attempts > 0`)), "\n") {
		text += fmt.Sprintf("param\t%s\tsearch_composed_epsilon\t%v\n", trial, float64(cost.Composed))
	}
	return text
}

// Every scalar, hyper-parameter and state, by TensorBoard's own reader.
func TestTensorBoardOpensItWhole(t *testing.T) {
	const program = `
import sys, glob
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
for d in glob.glob(sys.argv[1] + '/*'):
    run = d.split()[-1]
    a = EventAccumulator(d, size_guidance={'scalars': 0}).Reload()
    for tag in a.Tags()['scalars']:
        for s in a.Scalars(tag):
            print('scalar', run, tag, s.step, repr(s.value), sep='\t')
    read = lambda key: plugin_data_pb2.HParamsPluginData.FromString(a.summary_metadata[key].plugin_data.content)
    start = read('_hparams_/session_start_info').session_start_info
    for name, v in start.hparams.items():
        print('param', run, name, getattr(v, v.WhichOneof('kind')), sep='\t')
    print('state', run, read('_hparams_/session_end_info').session_end_info.status, start.group_name, sep='\t')
`
	s, dir := many(t), t.TempDir()
	if err := TensorBoard(t.Context(), s, id, dir); err != nil {
		t.Fatal(err)
	}
	want := asked(t, s, `SELECT 'scalar', c.trial, c.name, c.step, c.value FROM curves c WHERE c.value IS NOT NULL UNION ALL `+ends) +
		asked(t, s, hyperParameters) + composed(t, s) +
		asked(t, s, `SELECT 'state', trial, CASE state WHEN 'completed' THEN 1 WHEN 'failed' THEN 2 END, point FROM trial_results WHERE attempts > 0`)
	all := lines(want)
	for i, line := range all { // runs are named by the first letters of the trial's id, and scalars are singles
		words := strings.Split(line, "\t")
		words[1] = words[1][:8]
		if x, err := strconv.ParseFloat(words[len(words)-1], 64); words[0] == "scalar" && err == nil {
			words[len(words)-1] = strconv.FormatFloat(float64(float32(x)), 'g', -1, 64)
		}
		all[i] = strings.Join(words, "\t")
	}
	sameLines(t, "TensorBoard", lines(runPython(t, program, dir, "tensorboard")), all)
}

// Every metric, parameter and state, by MLflow's own client.
func TestMLflowOpensItWhole(t *testing.T) {
	const program = `
import sys
from mlflow.tracking import MlflowClient
c = MlflowClient('file://' + sys.argv[1])
e = c.search_experiments()[0]
for r in c.search_runs([e.experiment_id]):
    run = r.data.tags['sweep.trial']
    for name in r.data.metrics:
        for m in c.get_metric_history(r.info.run_id, name):
            print('scalar', run, name, m.step, repr(m.value), sep='\t')
    for name, value in r.data.params.items():
        print('param', run, name, value, sep='\t')
    print('state', run, r.info.status, r.info.run_name, r.data.tags['sweep.worker'], r.data.tags['sweep.accountant'], sep='\t')
    print('time', run, r.info.start_time, r.info.end_time, sep='\t')
`
	s, dir := many(t), t.TempDir()
	info, err := s.Sweep(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	if err := MLflow(t.Context(), s, info, dir, dir); err != nil {
		t.Fatal(err)
	}
	want := asked(t, s, `SELECT 'scalar', trial, name, step, coalesce(value, 'NaN') FROM curves UNION ALL `+ends) +
		asked(t, s, hyperParameters) + composed(t, s) +
		asked(t, s, `SELECT 'state', trial, CASE state WHEN 'completed' THEN 'FINISHED' WHEN 'failed' THEN 'FAILED' END, label, worker, accountant FROM trial_results WHERE attempts > 0
			UNION ALL SELECT 'time', t.id, CAST(round((julianday(a.started) - 2440587.5) * 86400000) AS INTEGER), CAST(round((julianday(a.ended) - 2440587.5) * 86400000) AS INTEGER), NULL, NULL
			FROM trials t JOIN attempts a ON a.trial = t.key AND a.number = t.attempt`)
	want = strings.ReplaceAll(want, "\t\t\n", "\n") // times are shorter
	sameLines(t, "MLflow", lines(runPython(t, program, dir, "mlflow")), lines(want))
}

// Every value of both tables, by pyarrow.
func TestParquetOpensItWhole(t *testing.T) {
	const program = `
import sys
import pyarrow.parquet as pq
for name in 'trials', 'curves':
    table = pq.read_table(sys.argv[1] + '/' + name)
    for i, row in enumerate(table.to_pylist()):
        for column, value in row.items():
            if isinstance(value, bytes):
                value = value.decode()
            if value is not None and value != '':
                print(name, row['trial'], column, *([row['name'], row['step']] if name == 'curves' else []), value if isinstance(value, str) else repr(value), sep='\t')
`
	s, dir := many(t), t.TempDir()
	for name, write := range map[string]func(*os.File) error{
		"trials": func(f *os.File) error { return Parquet(f, Rows(t.Context(), s, id)) },
		"curves": func(f *os.File) error { return Parquet(f, Curves(t.Context(), s, id)) },
	} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := write(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cost, err := s.SearchCost(t.Context(), id)
	if err != nil || !math.IsInf(float64(cost.Composed), 1) {
		t.Fatalf("%+v, error %v", cost, err)
	}
	want := strings.Builder{}
	for _, column := range []string{ // as the view names them
		"sweep", "trial", "point", "position", "repeat", "label", "state", "attempts", "target_epsilon", "epsilon", "delta", "accountant", "accuracy", "last_accuracy", "loss", "test_accuracy",
		"split", "seconds", "data", "train_examples", "model", "batch_size", "clip_norm", "noise_multiplier", "learning_rate", "augmult", "augment", "steps", "ema", "sampling_rate",
		"noise", "seed", "worker", "failure",
	} {
		want.WriteString(asked(t, s, fmt.Sprintf(`SELECT 'trials', trial, '%s', %[1]s FROM trial_results WHERE %[1]s IS NOT NULL AND %[1]s <> ''`, column)))
	}
	want.WriteString(asked(t, s, `
		SELECT 'trials', trial, 'failure_reason', reason FROM trial_results WHERE reason <> ''
		UNION ALL SELECT 'trials', r.trial, 'disclosure', s.disclosure FROM trial_results r JOIN sweeps s ON s.id = r.sweep
		UNION ALL SELECT 'trials', trial, 'search_composed_epsilon', 'inf' FROM trial_results
		UNION ALL SELECT 'trials', id, 'params', params FROM trials
		UNION ALL SELECT 'trials', t.id, 'data_digest', o.data_digest FROM trials t JOIN outcomes o ON o.trial = t.key
		UNION ALL SELECT 'trials', t.id, 'weights_digest', o.weights_digest FROM trials t JOIN outcomes o ON o.trial = t.key
		UNION ALL SELECT 'trials', t.id, 'trainer', o.trainer FROM trials t JOIN outcomes o ON o.trial = t.key`))
	for _, column := range []string{"trial", "name", "step", "value"} {
		want.WriteString(asked(t, s, fmt.Sprintf(`SELECT 'curves', trial, '%s', name, step, %[1]s FROM curves WHERE %[1]s IS NOT NULL`, column)))
	}
	sameLines(t, "pyarrow", lines(runPython(t, program, dir, "pyarrow")), lines(want.String()))
}
