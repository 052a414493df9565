package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/privacy"
)

func verify(t *testing.T, s *Store, read ReadFile) (seen Verified, all []string) {
	t.Helper()
	if read == nil {
		read = reads(grid(1))
	}
	seen, err := s.Verify(t.Context(), read, func(f Finding) { all = append(all, f.Where+": "+f.What) })
	if err != nil {
		t.Fatal(err)
	}
	return seen, all
}

// reads reads any text as a made-up file that lists the trials.
func reads(trials []TrialRecord) ReadFile {
	return func(_ sweep.SweepID, _ bool, text string) (SweepRecord, iter.Seq2[TrialRecord, error], error) {
		return file(strings.TrimSpace(strings.TrimPrefix(text, "name: "))), seq(trials), nil
	}
}

// lived is a small sweep with a completed, a restarted, a failed and a running trial.
func lived(t *testing.T) (*Store, []TrialRecord) {
	s, id, trials := small(t)
	run(t, s, id, trials[0].Params, 0.5)
	lost := begin1(t, s, id, trials[1].Params.ID())
	if err := s.Collect(t.Context(), lost, sweep.Reading{Offset: 1, Started: true, NoiseID: "first", Step: 4}); err != nil {
		t.Fatal(err)
	}
	if err := s.EndAttempt(t.Context(), lost, sweep.Ending{Failure: sweep.Crashed, Reason: "killed", Next: sweep.Pending}); err != nil {
		t.Fatal(err)
	}
	run(t, s, id, trials[1].Params, 0.6)
	failed := begin1(t, s, id, trials[2].Params.ID())
	if err := s.EndAttempt(t.Context(), failed, sweep.Ending{Failure: sweep.Diverged, Reason: "loss is NaN", Next: sweep.Failed}); err != nil {
		t.Fatal(err)
	}
	begin1(t, s, id, trials[3].Params.ID())
	return s, trials
}

func TestVerifyWhole(t *testing.T) {
	s, _ := lived(t)
	seen, found := verify(t, s, nil)
	if len(found) > 0 || seen.Sweeps != 1 || seen.Trials != 6 || seen.Prices != 2 {
		t.Errorf("%+v, disagreements %q; want 1 sweep, 6 trials, 2 prices and none", seen, found)
	}
}

// Whatever is altered behind the program's back is found.
func TestVerifyFinds(t *testing.T) {
	for _, tt := range []struct{ alter, want string }{
		{`UPDATE trials SET params = json_set(params, '$.seed', 7) WHERE key = 1`, "its params are those of trial"},
		{`UPDATE trials SET noise_multiplier = 9 WHERE key = 1`, "its columns do not say what its params say"},
		{`UPDATE trials SET point = 'x' WHERE key = 1`, "its row says x"},
		{`UPDATE trials SET params = '[]' WHERE key = 1`, "its params are no JSON"},
		{`DELETE FROM outcomes WHERE trial = 1`, "it is completed, and has 0 outcomes"},
		{`UPDATE outcomes SET steps = steps - 1 WHERE trial = 1`, "it is completed after"},
		{`UPDATE attempts SET failure = 'crashed' WHERE trial = 1`, "the attempt that its outcome is of"},
		{`UPDATE trials SET attempt = 3 WHERE key = 1`, "its newest attempt is number 1, and its row says 3"},
		{`UPDATE attempts SET ended = NULL WHERE trial = 3`, "it is failed, and 1 attempts have not ended"},
		{`UPDATE privacy_events SET steps = 1 WHERE trial = 1`, "`sweep recount` writes it anew"},
		{`UPDATE privacy_events SET event = replace(event, '0.8', '0.9') WHERE trial = 1`, "`sweep recount` writes it anew"},
		{`DELETE FROM privacy_events WHERE trial = 2`, "recorded is"},
		{`UPDATE costs SET epsilon = epsilon * 0.999 WHERE trial = 1`, "`sweep recount` writes it anew"},
		{`UPDATE costs SET epsilon = epsilon * 0.5, version = 'rdp/0' WHERE trial = 1`, "by rdp/0: `sweep recount` writes it anew"},
		{`UPDATE attempts SET last_step = last_step + 3 WHERE trial = 2 AND number = 1`, "and the ledger counts"},
		{`UPDATE sweep_counts SET n = n + 1 WHERE state = 'completed'`, "sweep_counts has n 3 of gone 0, state completed, and the facts say n 2: `sweep recount`"},
		{`DELETE FROM sweep_counts WHERE state = 'running'`, "sweep_counts says nothing of gone 0, state running, and the facts say n 1"},
		{`UPDATE sweep_steps SET steps = steps + 1`, "sweep_steps has steps"},
		{`INSERT INTO sweep_steps VALUES (1, 0.5, 0.5, 3)`, "sweep_steps has steps 3 of sample_rate 0.5, noise_multiplier 0.5, and the facts say nothing of it"},
		{`UPDATE points SET accuracy = accuracy + 1e-6 WHERE trial = 1`, "points has accuracy"},
		{`UPDATE points SET epsilon_cell = 7`, "points has epsilon_cell 7 of point"},
		{`UPDATE point_totals SET points = points + 1`, "point_totals has points"},
		{`UPDATE ledger_totals SET spent = spent - 1`, "ledger_totals has spent"},
		{`PRAGMA foreign_keys = 0; UPDATE metrics SET trial = 99; INSERT INTO notes (trial, attempt, step, text) VALUES (99, 1, 1, 'x'); PRAGMA foreign_keys = 1`, "refers to a row of"},
	} {
		s, _ := lived(t)
		if _, err := s.db.ExecContext(t.Context(), tt.alter); err != nil {
			t.Fatal(err)
		}
		if _, found := verify(t, s, nil); !strings.Contains(strings.Join(found, "\n"), tt.want) {
			t.Errorf("%s: found %q, want %q", tt.alter, found, tt.want)
		}
	}
}

// Sums that were altered are right again after a recount.
func TestRecountRefillsSums(t *testing.T) {
	s, _ := lived(t)
	if _, err := s.db.ExecContext(t.Context(), `
		UPDATE sweep_counts SET n = n + 1; DELETE FROM sweep_steps; UPDATE points SET n = 9; UPDATE points SET trial = 2 WHERE key = 1;
		DELETE FROM point_totals; INSERT INTO point_totals VALUES (1, 0.5, 3, 1, 'x', 5, 0, 0); UPDATE ledger_totals SET spent = spent - 1, held = held + 5`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recount(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, found := verify(t, s, nil); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}

func TestVerifyOfSweeps(t *testing.T) {
	listed := grid(1)
	for _, tt := range []struct {
		read ReadFile
		want string // "" is nothing
	}{
		{func(sweep.SweepID, bool, string) (SweepRecord, iter.Seq2[TrialRecord, error], error) {
			return SweepRecord{}, nil, errors.New("line 3")
		}, "its file number 1 cannot be read any more: line 3"},
		{altered(func(r *SweepRecord) { r.ID = "other-1" }), "its first file is that of other-1"},
		{altered(func(r *SweepRecord) { r.Name = "other" }), "its name is small, and by its file number 1 other"},
		{altered(func(r *SweepRecord) { r.Delta = 1e-6 }), "and says rdp, 1e-06 and research"},
		{altered(func(r *SweepRecord) { r.Most = 9 }), "said to come to 0 trials, and by its file to 9"},
		{altered(func(r *SweepRecord) { r.Versions = map[string]string{"accountant": "rdp/9"} }), ""},
		{reads(listed[:5]), "and its newest file does not"},
		{reads(append(listed[:6:6], grid(2)[1])), "and the sweep does not"},
		{reads(slices.Repeat([]TrialRecord{{Params: params(0.5, 3), Delta: delta}}, 30)), "and 16 more of its trials"},
	} {
		s, _ := lived(t)
		_, found := verify(t, s, tt.read)
		if text := strings.Join(found, "\n"); tt.want == "" && text != "" || !strings.Contains(text, tt.want) {
			t.Errorf("found %q, want %q", found, tt.want)
		}
	}
}

// altered reads files that say something else, and list what they should.
func altered(alter func(*SweepRecord)) ReadFile {
	return func(id sweep.SweepID, own bool, text string) (SweepRecord, iter.Seq2[TrialRecord, error], error) {
		r, trials, err := reads(grid(1))(id, own, text)
		alter(&r)
		return r, trials, err
	}
}

// Where a strategy decides which trials there are, their noise has to meet what
// it was calibrated for.
func TestVerifyOfCalibration(t *testing.T) {
	s, _ := lived(t)
	adaptive := func(sweep.SweepID, bool, string) (SweepRecord, iter.Seq2[TrialRecord, error], error) {
		return file("small"), nil, nil
	}
	if seen, found := verify(t, s, adaptive); len(found) > 0 || seen.Listed != 0 {
		t.Errorf("%+v, disagreements %q", seen, found)
	}
	if _, err := s.db.ExecContext(t.Context(), `UPDATE sweep_trials SET target_epsilon = 0.3 WHERE trial = 1`); err != nil {
		t.Fatal(err)
	}
	if _, found := verify(t, s, adaptive); len(found) != 1 || !strings.Contains(found[0], "its noise is to meet epsilon 0.3") {
		t.Errorf("found %q", found)
	}
}

// single lists the columns that say something which stands nowhere else in the
// record and follows from nothing in it. All others are checked.
var single = []string{
	"sweeps.created", "sweeps.changed", "sweeps.reason",
	"revisions.created", "revisions.file", "revisions.versions",
	"sweep_trials.forgiven",
	"attempts.worker", "attempts.started", "attempts.noise_id", "attempts.report_bytes",
	"metrics", "metric_names.name", "notes", "notes.key", "notes.step", "notes.text",
	"outcomes.non_finite", "outcomes.weights_digest", "outcomes.trainer", "outcomes.seconds",
	"costs.version",
	"checkpoints.file", "checkpoints.digest", "checkpoints.bytes", "checkpoints.accuracy", "checkpoints.store", "checkpoints.flaw",
	"checkpoints", "accounts.version", "budgets",
	"fingerprints.first_seen", "budgets.created", "budgets.epsilon", "budgets.delta", "budgets.note",
	"ledger.opened", "ledger.changed", "ledger_events.created", "holds.until",
	"selections.draw", "points.key", "imported_streams.noise_id",
}

// Of each column of each table one value is altered, and each table loses a row:
// whatever the record says twice, or derives, is found out.
func TestVerifyFindsEveryColumn(t *testing.T) {
	s, read := rich(t)
	loose := openPool(scalar[string](t, s, `SELECT file FROM pragma_database_list WHERE name = 'main'`), access{"mode": "rw"}) // no foreign keys
	defer loose.Close()
	tx, err := loose.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for _, trigger := range namesOf(t, tx, `SELECT name FROM sqlite_schema WHERE type = 'trigger'`) {
		execute(t, tx, `DROP TRIGGER `+trigger)
	}
	prices := priceList{}
	findings := func() (found []string) {
		v := &verifier{tx: tx, prices: prices, read: read, found: func(f Finding) { found = append(found, f.Where+": "+f.What) }}
		for _, step := range []func(context.Context) error{v.file, v.sweeps, v.trials, v.laws, v.sums} {
			if err := step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return found
	}
	if found := findings(); len(found) > 0 {
		t.Fatalf("disagreements before anything was altered: %q", found)
	}
	for _, a := range alterations(t, tx) {
		execute(t, tx, `SAVEPOINT before; PRAGMA ignore_check_constraints = 1`)
		if n, _ := execute(t, tx, a.statement).RowsAffected(); n != 1 {
			t.Fatalf("%s alters %d rows", a.statement, n)
		}
		execute(t, tx, `PRAGMA ignore_check_constraints = 0`)
		found, alone := findings(), slices.Contains(single, a.name)
		switch {
		case len(found) == 0 && !alone:
			t.Errorf("%s: nobody finds out", a.name)
		case len(found) > 0 && alone:
			t.Errorf("%s is said to stand alone, and is found: %s", a.name, found[0])
		}
		execute(t, tx, `ROLLBACK TO before`)
	}
}

func execute(t *testing.T, tx *sql.Tx, statement string) sql.Result {
	t.Helper()
	res, err := tx.ExecContext(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return res
}

func namesOf(t *testing.T, tx *sql.Tx, query string, args ...any) []string {
	t.Helper()
	names, err := gather(t.Context(), tx, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) }, query, args...)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %q, error %v", query, names, err)
	}
	return names
}

// rich is a record in which every table has rows.
func rich(t *testing.T) (*Store, ReadFile) {
	s, trials := lived(t)
	ctx, id := t.Context(), file("small").ID
	ref := begin1(t, s, id, trials[4].Params.ID())
	err := s.Collect(ctx, ref, sweep.Reading{
		Offset: 9, Started: true, NoiseID: "n", Worker: "w", Step: 10, Notes: []sweep.Note{{Step: 3, Text: "slow"}},
		Metrics:     []sweep.Metric{{Step: 10, Name: "validation/accuracy", Value: 0.7}, {Step: 10, Name: "validation/last_accuracy", Value: 0.35}, {Step: 10, Name: "validation/loss", Value: 0.3}},
		Checkpoints: []sweep.CheckpointRef{{Step: 10, File: "c", Digest: "sha256:c", Bytes: 3}},
	})
	if err == nil {
		err = s.Record(ctx, ref, outcomeOf(trials[4].Params, 0.7))
	}
	if err == nil {
		err = s.SetBudget(ctx, "glyphs", Budget{Epsilon: 1000, Delta: delta})
	}
	if err != nil {
		t.Fatal(err)
	}
	both := begin1(t, s, id, trials[5].Params.ID()) // which a copy of the record goes on with too
	there := openAt(t, backup(t, s))
	if err := there.Collect(ctx, both, sweep.Reading{Offset: 1, Started: true, NoiseID: "there", Step: 3}); err != nil {
		t.Fatal(err)
	}
	imports(t, s, backup(t, there))
	if err := s.EndAttempt(ctx, both, sweep.Ending{Failure: sweep.Crashed, Reason: "killed", Next: sweep.Failed}); err != nil {
		t.Fatal(err)
	}
	picked := file("picked")
	picked.Disclosure = sweep.PrivateSelect
	slot := TrialRecord{Params: params(3, 1).WithRepeat(1), TargetEpsilon: 8, Delta: delta, Label: "private selection"}
	won := params(3, 2).WithRepeat(2)
	slot.Select = &privacy.Select{Run: privacy.DPSGD{SampleRate: 0.1, Noise: 3, Steps: 10}, Count: privacy.Geometric, Mean: 3}
	add(t, s, picked, []TrialRecord{slot})
	draws := begin1(t, s, picked.ID, slot.Params.ID())
	if err := s.RecordWin(ctx, draws, sweep.Win{Params: won, Label: "η=2", Outcome: outcomeOf(won, 0.8)}); err != nil {
		t.Fatal(err)
	}
	return s, func(id sweep.SweepID, own bool, text string) (SweepRecord, iter.Seq2[TrialRecord, error], error) {
		if own { // its trials would be others
			return reads(grid(2))(id, own, text)
		}
		if id == picked.ID {
			return picked, seq([]TrialRecord{slot}), nil
		}
		return reads(trials)(id, own, text)
	}
}

type alteration struct {
	name      string // "table.column", or "table" which loses a row
	statement string
}

// alterations alter a row of each table in each of its columns.
func alterations(t *testing.T, tx *sql.Tx) (all []alteration) {
	columns, err := gather(t.Context(), tx, func(rows *sql.Rows) (c [3]string, err error) {
		return c, rows.Scan(&c[0], &c[1], &c[2])
	}, `SELECT t.name, c.name, c.type FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c
		WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.hidden = 0`)
	if err != nil || len(columns) < 100 {
		t.Fatalf("%d columns, error %v", len(columns), err)
	}
	for i, c := range columns {
		table, column := c[0], c[1]
		change := map[string]string{ // to a key that nothing has, another number, another time, name or JSON
			"INTEGER": `CASE WHEN '%[1]s' IN ('gone', 'proxy', 'own_seeds') THEN 1 - %[1]s ELSE coalesce(%[1]s, 0) + 1000 END`,
			"REAL":    `coalesce(%[1]s * 0.97, 0.5)`,
			"TEXT": `CASE WHEN %[1]s LIKE '20%%Z' THEN strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', %[1]s, '-1 hour')
				WHEN json_valid(%[1]s) AND %[1]s LIKE '{%%' THEN replace(%[1]s, '1', '2') ELSE coalesce(%[1]s, '') || 'x' END`,
		}[c[2]]
		row := "" // any will do, but where a trial has all there is
		if slices.Contains([]string{"attempts", "sweep_trials", "outcomes"}, table) {
			row = " WHERE trial = 5"
		}
		key := strings.Join(namesOf(t, tx, `SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`, table), ", ")
		where := fmt.Sprintf(`(%[1]s) = (SELECT %[1]s FROM %[2]s%[3]s LIMIT 1)`, key, table, row)
		all = append(all, alteration{table + "." + column, fmt.Sprintf(`UPDATE %s SET %s = %s WHERE %s`, table, column, fmt.Sprintf(change, column), where)})
		if i == 0 || columns[i-1][0] != table {
			all = append(all, alteration{table, fmt.Sprintf(`DELETE FROM %s WHERE %s`, table, where)})
		}
	}
	return all
}

// What the schema says is checked as well: a view tells everybody what it says.
func TestVerifyOfTheSchema(t *testing.T) {
	s, _ := lived(t)
	for statement, want := range map[string]string{
		`DROP VIEW frontier`:           "view frontier is missing",
		`DROP INDEX trials_by_point`:   "index trials_by_point is missing",
		`DROP TRIGGER ledger_keeps`:    "trigger ledger_keeps is missing",
		`CREATE VIEW mine AS SELECT 1`: "",
		`CREATE TRIGGER mine AFTER INSERT ON outcomes BEGIN UPDATE outcomes SET accuracy = 1; END`:                                      "trigger mine is none of this version's",
		`DROP VIEW curves; CREATE VIEW curves AS SELECT t.id AS trial, '' AS name, 1 AS attempt, 1 AS step, 1.0 AS value FROM trials t`: "view curves is not as this version makes it",
	} {
		tx, err := s.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		execute(t, tx, statement)
		found := ""
		v := &verifier{tx: tx, found: func(f Finding) { found += f.What }}
		if err := v.schema(t.Context()); err != nil || want != found {
			t.Errorf("%s: found %q, error %v, want %q", statement, found, err, want)
		}
		tx.Rollback()
	}
}
