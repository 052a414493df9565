package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
)

func TestTrialsFilteredSortedAndPaged(t *testing.T) {
	s, id, trials := small(t)
	for i, accuracy := range []float64{0.3, 0.9, 0.6} {
		run(t, s, id, trials[i].Params, accuracy)
	}
	begin1(t, s, id, trials[3].Params.ID())
	for _, c := range []struct {
		name   string
		filter Filter
		want   []int // positions in the grid
	}{
		{"all", Filter{}, []int{0, 1, 2, 3, 4, 5}},
		{"second page of two", Filter{Limit: 2, Offset: 2}, []int{2, 3}},
		{"completed", Filter{States: []sweep.State{sweep.Completed}}, []int{0, 1, 2}},
		{"pending or running", Filter{States: []sweep.State{sweep.Pending, sweep.Running}}, []int{3, 4, 5}},
		{"most accurate first, unknown last", Filter{Sort: "-accuracy"}, []int{1, 2, 0, 3, 4, 5}},
		{"least accurate first, unknown last", Filter{Sort: "accuracy"}, []int{0, 2, 1, 3, 4, 5}},
		{"by a tie", Filter{Sort: "-learning_rate"}, []int{2, 5, 1, 4, 0, 3}},
		{"best two of the completed", Filter{States: []sweep.State{sweep.Completed}, Sort: "-accuracy", Limit: 2}, []int{1, 2}},
		{"past the end", Filter{Offset: 10}, nil},
	} {
		rows, err := s.Trials(t.Context(), id, c.filter)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, r := range rows {
			got = append(got, r.Index)
			if r.Params.ID() != r.ID || r.ID != trials[r.Index].Params.ID() || (r.Outcome != nil) != (r.Index < 3) {
				t.Errorf("%s: row %+v does not fit trial %d", c.name, r, r.Index)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: trials %v, want %v", c.name, got, c.want)
		}
	}
	if _, err := s.Trials(t.Context(), id, Filter{Sort: "beauty; DROP TABLE trials"}); err == nil || !strings.Contains(err.Error(), "learning_rate") {
		t.Errorf("error %v, want one that lists what can be sorted by", err)
	}
	for _, key := range SortKeys() {
		if rows, err := s.Trials(t.Context(), id, Filter{Sort: key}); err != nil || len(rows) != 6 {
			t.Errorf("sorted by %s: %d trials, error %v; want 6", key, len(rows), err)
		}
	}
	_, err := s.Trials(t.Context(), "nobody", Filter{})
	want(t, err, sweep.ErrNotFound)
}

func TestTrialTellsItsStory(t *testing.T) {
	s, id, trials := small(t)
	p := trials[0].Params
	first := begin1(t, s, id, p.ID())
	reading := sweep.Reading{
		Offset: 5, Started: true, NoiseID: "n", Worker: "w1", Step: 4,
		Checkpoints: []sweep.CheckpointRef{{Step: 4, File: "step-4", Digest: "sha256:c", Bytes: 7}}, Notes: []sweep.Note{{Step: 4, Text: "slow disk"}},
	}
	if err := s.Collect(t.Context(), first, reading); err != nil {
		t.Fatal(err)
	}
	if err := s.EndAttempt(t.Context(), first, sweep.Ending{Failure: sweep.Crashed, Reason: "signal: killed", LogTail: "out of memory", Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	second := begin1(t, s, id, p.ID())
	if err := s.Collect(t.Context(), second, sweep.Reading{Offset: 5, Started: true, FromStep: 4, NoiseID: "n", Step: 10}); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(t.Context(), second, outcomeOf(p, 0.5)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Trial(t.Context(), string(p.ID())[:8])
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != p.ID() || got.State != sweep.Completed || *got.Outcome != outcomeOf(p, 0.5) || got.Steps != 10 || len(got.Sweeps) != 1 {
		t.Errorf("trial %+v", got)
	}
	a, b := got.Attempts[0], got.Attempts[1]
	if a.Failure != sweep.Crashed || a.Reason != "signal: killed" || a.LogTail != "out of memory" || a.LastStep != 4 || a.Worker != "w1" || a.Ended.Before(a.Started) {
		t.Errorf("first attempt %+v", a)
	}
	if b.Failure != "" || b.FromStep != 4 || b.LastStep != 10 || b.Ended.IsZero() {
		t.Errorf("second attempt %+v", b)
	}
	if want := (Checkpoint{Attempt: 1, Step: 4, File: "step-4", Digest: "sha256:c", Bytes: 7, Removed: true}); len(got.Checkpoints) != 1 || got.Checkpoints[0] != want {
		t.Errorf("checkpoints %+v, want %+v", got.Checkpoints, want)
	}
	if want := (Note{1, 4, "slow disk"}); len(got.Notes) != 1 || got.Notes[0] != want {
		t.Errorf("notes %+v, want %+v", got.Notes, want)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
}

func TestTrialByPrefix(t *testing.T) {
	s, trials := openTemp(t), grid(10) // 60 ids, so that some begin alike
	add(t, s, file("a"), trials)
	first := map[string]int{}
	for _, tr := range trials {
		first[string(tr.Params.ID())[:1]]++
	}
	for prefix, n := range first {
		_, err := s.Trial(t.Context(), prefix)
		e, ok := errors.AsType[*AmbiguousError](err)
		if n > 1 && (!ok || len(e.Candidates)+e.More != n || len(e.Candidates) > 10) {
			t.Errorf("%d trials begin with %s: error %v", n, prefix, err)
		}
	}
	for _, given := range []string{"", "feedfacefeedface", "%", "g"} {
		_, err := s.Trial(t.Context(), given)
		want(t, err, sweep.ErrNotFound)
	}
}

// The promise of the design: the sqlite3 command answers without our code.
func TestSQLiteCommandReadsTheViews(t *testing.T) {
	command, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("there is no sqlite3 command here")
	}
	s, id, _ := trained(t)
	path := scalar[string](t, s, `SELECT file FROM pragma_database_list WHERE name = 'main'`)
	f := frontierOf(t, s, id)
	out, err := exec.CommandContext(t.Context(), command, "-readonly", path, `SELECT point || ' ' || printf('%.6f', accuracy_std) FROM frontier`).CombinedOutput()
	if want := string(f.Points[0].ID) + " 0.010000\n" + string(f.Points[1].ID) + " 0.010000\n"; err != nil || string(out) != want {
		t.Errorf("sqlite3 says %s (%v), want %s", out, err, want)
	}
	for _, view := range []string{"trial_results", "sweep_progress", "curves", "point_results"} {
		if out, err := exec.CommandContext(t.Context(), command, path, `SELECT * FROM `+view).CombinedOutput(); err != nil {
			t.Errorf("%s: %s (%v)", view, out, err)
		}
	}
}

// sqlBlocks are the queries in README.md.
func sqlBlocks(t *testing.T) []string {
	t.Helper()
	var queries []string
	for i, part := range strings.Split(string(readFile(t, "README.md")), "```sql\n") {
		if i > 0 {
			query, _, _ := strings.Cut(part, "```")
			queries = append(queries, query)
		}
	}
	return queries
}

// Each query of README.md answers something on a record with a bit of everything.
func TestQueriesOfTheREADME(t *testing.T) {
	s, id, _ := trained(t)
	more := grid(4)
	extended := file("trained")
	extended.Text += "# a fourth repeat\n"
	add(t, s, extended, more)
	p := more[3].Params
	ref := begin1(t, s, id, p.ID())
	metrics := []sweep.Metric{{Step: 1, Name: "loss", Value: 2}, {Step: 1, Name: "clipped_share", Value: 0.9}, {Step: 1, Name: "validation/accuracy", Value: 0.2}}
	if err := s.Collect(t.Context(), ref, sweep.Reading{Offset: 1, Started: true, NoiseID: "a", Worker: "w", Step: 1, Metrics: metrics}); err != nil {
		t.Fatal(err)
	}
	if err := s.EndAttempt(t.Context(), ref, sweep.Ending{Failure: sweep.Crashed, Reason: "signal: killed", Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	again := begin1(t, s, id, p.ID())
	metrics = append(metrics, sweep.Metric{Step: p.Steps, Name: "test/accuracy", Value: 0.48})
	if err := s.Collect(t.Context(), again, sweep.Reading{Offset: 1, Started: true, NoiseID: "b", Worker: "w", Step: 10, Metrics: metrics}); err != nil {
		t.Fatal(err)
	}
	judged := outcomeOf(p, 0.99)
	judged.Split = sweep.Validation
	if err := s.Record(t.Context(), again, judged); err != nil {
		t.Fatal(err)
	}
	begin1(t, s, id, more[7].Params.ID())
	queries := sqlBlocks(t)
	if len(queries) != 13 {
		t.Fatalf("README.md has %d queries, want 13", len(queries))
	}
	for _, query := range queries {
		rows, err := s.Reader.db.QueryContext(context.Background(), query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if !rows.Next() {
			t.Errorf("no answer to %s(error %v)", query, rows.Err())
		}
		rows.Close()
	}
}

// README.md describes every column there is.
func TestREADMEDescribesEveryColumn(t *testing.T) {
	s := openTemp(t)
	text := string(readFile(t, "README.md"))
	columns, err := gather(t.Context(), s.db, func(rows *sql.Rows) (c [2]string, err error) {
		return c, rows.Scan(&c[0], &c[1])
	}, `SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%'`)
	if err != nil || len(columns) < 100 {
		t.Fatalf("%d columns, error %v; want over 100", len(columns), err)
	}
	for _, c := range columns {
		_, section, ok := strings.Cut(text, "\n### "+c[0]+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		if !ok || !strings.Contains(section, "`"+c[1]+"`") {
			t.Errorf("column %s of %s is not described", c[1], c[0])
		}
	}
	if version := fmt.Sprintf("the schema's version: %d.", len(migrations)); !strings.Contains(text, version) {
		t.Errorf("README.md does not say %q", version)
	}
	if names, err := filepath.Glob("schema/*.sql"); err != nil || len(names) != len(migrations) {
		t.Errorf("schema files %v, error %v; want %d", names, err, len(migrations))
	}
}
