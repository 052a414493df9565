package results

import (
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sweep"
)

// told is all that people see of trials: what must be the same wherever it lies.
func told(t *testing.T, s *Store) (all []string) {
	t.Helper()
	for _, query := range []string{
		`SELECT sweep, trial, position, label, state, epsilon, accuracy, attempts FROM trial_results ORDER BY sweep, trial`,
		`SELECT trial, name, step, value FROM curves ORDER BY trial, name, step`,
		`SELECT trial, spent FROM ledger ORDER BY trial`,
		`SELECT t.id, e.event, e.repeated FROM privacy_events e JOIN trials t ON t.key = e.trial ORDER BY t.id`,
	} {
		for _, row := range rowsOf(t, s.Reader, query) {
			all = append(all, fmt.Sprint(row...))
		}
	}
	return all
}

func imports(t *testing.T, s *Store, path string) Imported {
	t.Helper()
	i, err := s.Import(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// backup copies a record as people are told to.
func backup(t *testing.T, s *Store) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if _, err := s.db.ExecContext(t.Context(), `VACUUM INTO ?`, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// A record imported into an empty one is the same record, and importing it again
// changes nothing.
func TestImportWhole(t *testing.T) {
	from, _ := lived(t)
	for _, id := range []int{4, 5} {
		if err := completeOne(t.Context(), from, file("small").ID, sweep.TrialID(scalar[string](t, from, `SELECT id FROM trials WHERE key = ?`, id+1))); err != nil {
			t.Fatal(err)
		}
	}
	into := openTemp(t)
	add(t, into, file("other"), grid(2)[:3]) // takes some of the keys
	got := imports(t, into, backup(t, from))
	if got.Sweeps != 1 || got.Attempts != 7 || got.Outcomes != 4 || len(got.Conflicts) != 0 {
		t.Errorf("%+v", got)
	}
	want := slices.DeleteFunc(told(t, from), func(s string) bool { return strings.Contains(s, "running") })
	have := told(t, into)
	for _, line := range want {
		if !slices.Contains(have, line) {
			t.Errorf("missing: %s", line)
		}
	}
	if _, found := verify(t, into, func(id sweep.SweepID, own bool, text string) (SweepRecord, iter.Seq2[TrialRecord, error], error) {
		trials := grid(1)
		if id == file("other").ID {
			trials = grid(2)[:3]
		}
		return reads(trials)(id, own, text)
	}); len(found) > 0 {
		t.Errorf("disagreements: %q", found)
	}
	if again := imports(t, into, backup(t, from)); again.Sweeps+again.Trials+again.Attempts+again.Outcomes+len(again.Conflicts) != 0 {
		t.Errorf("again: %+v", again)
	}
	if after := told(t, into); !slices.Equal(after, have) {
		t.Errorf("importing again changed something:\n%q\n%q", have, after)
	}
}

// Two copies of one record went on by themselves. All noise counts, on both
// sides; outcomes that differ are conflicts.
func TestImportMerges(t *testing.T) {
	ours, id, trials := small(t)
	run(t, ours, id, trials[0].Params, 0.5)
	theirs := openAt(t, backup(t, ours))
	both, only, here := trials[1].Params, trials[2].Params, trials[3].Params
	for i, s := range []*Store{ours, theirs} {
		ref := begin1(t, s, id, both.ID())
		if err := s.Collect(t.Context(), ref, sweep.Reading{Offset: 1, Started: true, NoiseID: fmt.Sprint("noise ", i), Worker: fmt.Sprint(i), Step: both.Steps}); err != nil {
			t.Fatal(err)
		}
		if err := s.Record(t.Context(), ref, outcomeOf(both, 0.6+0.1*float64(i))); err != nil {
			t.Fatal(err)
		}
	}
	run(t, theirs, id, only, 0.9)
	run(t, theirs, id, here, 0.8)
	begin1(t, ours, id, here.ID())
	got := imports(t, ours, backup(t, theirs))
	if got.Sweeps != 0 || got.Trials != 0 || got.Outcomes != 1 || len(got.Conflicts) != 2 {
		t.Errorf("%+v", got)
	}
	conflicts := strings.Join(got.Conflicts, "\n")
	if !strings.Contains(conflicts, string(both.ID())+" has accuracy 0.6 ") || !strings.Contains(conflicts, string(here.ID())+" is running here") {
		t.Errorf("conflicts %s", conflicts)
	}
	charged, err := ours.Trial(t.Context(), string(both.ID()))
	if err != nil || charged.Steps != 2*both.Steps || charged.Outcome.Accuracy != 0.6 || len(charged.Attempts) != 2 {
		t.Errorf("%+v, error %v; want both attempts charged, and our outcome", charged, err)
	}
	taken, err := ours.Trial(t.Context(), string(only.ID()))
	if err != nil || taken.State != sweep.Completed || taken.Outcome.Accuracy != 0.9 {
		t.Errorf("%+v, error %v", taken, err)
	}
	if spent := scalar[int](t, ours, `SELECT spent FROM ledger WHERE trial = ?`, both.ID()); spent != 2*both.Steps {
		t.Errorf("the ledger counts %d steps", spent)
	}
	if running := scalar[string](t, ours, `SELECT state FROM trials WHERE id = ?`, here.ID()); running != "running" {
		t.Errorf("the trial that runs here is %s", running)
	}
	if _, found := verify(t, ours, nil); len(found) > 0 {
		t.Errorf("disagreements: %q", found)
	}
}

// What data sets turned out to hold is taken over: two names of one content, each
// known to one of the records, become one account under the tighter budget.
func TestImportLearnsContents(t *testing.T) {
	ours, id, trials := small(t)
	run(t, ours, id, trials[0].Params, 0.5)
	theirs, other := openTemp(t), grid(1)[1]
	other.Params.Data.Name = "folder:digits"
	add(t, theirs, file("other"), []TrialRecord{other})
	run(t, theirs, file("other").ID, other.Params, 0.6) // outcomeOf says that the content is the same
	if err := ours.SetBudget(t.Context(), "glyphs", Budget{Epsilon: 50, Delta: delta}); err != nil {
		t.Fatal(err)
	}
	imports(t, ours, backup(t, theirs))
	if n := scalar[int](t, ours, `SELECT count(*) FROM fingerprints`); n != 2 {
		t.Errorf("%d fingerprints, want one for each name", n)
	}
	if n := scalar[int](t, ours, `SELECT count(DISTINCT account) FROM account_names`); n != 1 {
		t.Errorf("%d accounts for one content", n)
	}
	if names := scalar[string](t, ours, `SELECT data FROM ledger_accounts WHERE budget_epsilon = 50 AND spent = 20`); !strings.Contains(names, "folder:digits") {
		t.Errorf("the budget is of %s", names)
	}
}

// A sweep whose file is another one there: what that file asks for beyond ours is
// taken over, and set aside.
func TestImportOfAnotherFile(t *testing.T) {
	ours, id, trials := small(t)
	theirs := openAt(t, backup(t, ours))
	longer := file("small")
	longer.Text += "# and more\n"
	add(t, theirs, longer, grid(2))
	if got := imports(t, ours, backup(t, theirs)); got.Trials != 6 || len(got.Conflicts) != 1 {
		t.Errorf("%+v", got)
	}
	if counts, err := ours.Sweep(t.Context(), string(id)); err != nil || counts.Counts.Trials != len(trials) || counts.Counts.Gone != 6 {
		t.Errorf("%+v, error %v; want the trials of our file, and six set aside", counts.Counts, err)
	}
	if _, found := verify(t, ours, nil); len(found) > 0 {
		t.Errorf("disagreements: %q", found)
	}
}

// A trial that runs here was run elsewhere too: what was noised twice is charged
// twice, what is imported twice once, and a stream that both went on with once.
func TestImportOfWhatRunsHere(t *testing.T) {
	ours, id, trials := small(t)
	theirs := openAt(t, backup(t, ours))
	p := trials[0].Params
	collect := func(s *Store, ref sweep.AttemptRef, offset int64, from, stream string, step int) {
		t.Helper()
		if err := s.Collect(t.Context(), ref, sweep.Reading{From: offset - 1, Offset: offset, Started: true, NoiseID: stream, Worker: from, Step: step}); err != nil {
			t.Fatal(err)
		}
	}
	spent := func(want int, after string) {
		t.Helper()
		if n := scalar[int](t, ours, `SELECT spent FROM ledger WHERE trial = ?`, p.ID()); n != want {
			t.Errorf("after %s the ledger counts %d steps, want %d", after, n, want)
		}
		if _, found := verify(t, ours, nil); len(found) > 0 {
			t.Errorf("after %s: %q", after, found)
		}
	}
	here, there := begin1(t, ours, id, p.ID()), begin1(t, theirs, id, p.ID())
	collect(ours, here, 1, "here", "a", 4)
	collect(theirs, there, 1, "there", "b", 6)
	imports(t, ours, backup(t, theirs))
	spent(4+6, "an import")
	imports(t, ours, backup(t, theirs))
	spent(4+6, "the same again")
	copied := backup(t, ours) // of itself, while its attempt runs
	collect(ours, here, 2, "here", "a", 5)
	imports(t, ours, copied)
	spent(5+6, "an import of itself")
	collect(theirs, there, 2, "there", "b", 8)
	imports(t, ours, backup(t, theirs))
	spent(5+8, "what was done there since")
	if n := scalar[int](t, ours, `SELECT steps FROM sweep_steps`); n != 5+8+p.Steps { // as if the attempt here made all its steps, and once more
		t.Errorf("the search as a whole is priced by %d steps, want %d", n, 5+8+p.Steps)
	}
	altered := openAt(t, backup(t, ours))
	if _, err := altered.db.ExecContext(t.Context(), `UPDATE imported_streams SET steps = 2 WHERE noise_id = 'b'`); err != nil {
		t.Fatal(err)
	}
	if _, found := verify(t, altered, nil); !strings.Contains(strings.Join(found, "\n"), "the ledger counts 13 steps, and its attempts here made 7") {
		t.Errorf("what was imported of a running trial was altered, and %q found", found)
	}
	if held := scalar[int](t, ours, `SELECT held FROM ledger WHERE trial = ?`, p.ID()); held != p.Steps-5 {
		t.Errorf("the attempt here holds %d steps, want %d", held, p.Steps-5)
	}
	if err := ours.Record(t.Context(), here, outcomeOf(p, 0.5)); err != nil {
		t.Fatal(err)
	}
	spent(p.Steps+8, "the end of the attempt here")
	got, err := ours.Trial(t.Context(), string(p.ID()))
	if err != nil || got.Steps != p.Steps+8 {
		t.Errorf("%d steps are priced, error %v; want %d", got.Steps, err, p.Steps+8)
	}
	third := openTemp(t) // hears of it at second hand
	imports(t, third, backup(t, ours))
	if n := scalar[int](t, third, `SELECT spent FROM ledger WHERE trial = ?`, p.ID()); n != p.Steps+8 {
		t.Errorf("a third record counts %d steps, want %d", n, p.Steps+8)
	}
	if err := theirs.Record(t.Context(), there, outcomeOf(p, 0.6)); err != nil {
		t.Fatal(err)
	}
	imports(t, ours, backup(t, theirs)) // now with its attempts, whose stream is known
	spent(2*p.Steps, "an import of the whole")
}

// What was under way there is lost here, with the steps that it had made.
func TestImportOfWhatWasRunning(t *testing.T) {
	from, id, trials := small(t)
	ref := begin1(t, from, id, trials[0].Params.ID())
	if err := from.Collect(t.Context(), ref, sweep.Reading{Offset: 1, Started: true, NoiseID: "n", Worker: "w", Step: 3}); err != nil {
		t.Fatal(err)
	}
	into := openTemp(t)
	imports(t, into, backup(t, from))
	got, err := into.Trial(t.Context(), string(ref.Trial))
	if err != nil || got.State != sweep.Pending || got.Attempts[0].Failure != sweep.Lost || got.Steps != 3 {
		t.Errorf("%+v, error %v; want it pending, its attempt lost, 3 steps charged", got, err)
	}
	if err := completeOne(t.Context(), into, id, ref.Trial); err != nil {
		t.Errorf("it cannot be run here: %v", err)
	}
}

// Records of every earlier schema can be imported, and are left as they are.
func TestImportOfOlderSchemas(t *testing.T) {
	for version := 1; version < len(migrations); version++ {
		path := filepath.Join(t.TempDir(), "old.db")
		older(t, path, version)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		into := openTemp(t)
		if got := imports(t, into, path); got.Sweeps != 1 || got.Trials != 1 || got.Outcomes != 1 {
			t.Errorf("schema %d: %+v", version, got)
		}
		if after, err := os.ReadFile(path); err != nil || !slices.Equal(before, after) {
			t.Errorf("schema %d: the file was changed, error %v", version, err)
		}
	}
}

// older writes a record of an earlier schema with one completed trial.
func older(t *testing.T, path string, version int) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a := access{"mode": "rwc", "_foreign_keys": "1"}
	db := openPool(path, a)
	defer db.Close()
	for _, text := range migrations[:version] {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	p := grid(1)[0].Params
	fingerprint := "" // of which the migration to 3 makes a row
	if version >= 3 {
		fingerprint = fmt.Sprintf(`;
		INSERT INTO accounts VALUES (1, 'example', 'add_remove', 0);
		INSERT INTO account_names VALUES ('%[1]s', 1);
		INSERT INTO fingerprints VALUES ('d', '%[1]s', %[2]d, %[3]d, '2026-01-01T00:01:00.000Z')`, p.Data.Name, p.Data.Train, p.Data.Validation)
	}
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d;
		INSERT INTO sweeps (id, name, created, revision, state, reason, changed, accountant, delta, disclosure)
			VALUES ('old-1', 'old', '2026-01-01T00:00:00.000Z', 1, 'completed', '', '2026-01-01T00:00:00.000Z', 'rdp', 1e-5, 'research');
		INSERT INTO revisions VALUES (1, 1, '2026-01-01T00:00:00.000Z', 'old.yaml', 'name: old', 'rdp', 1e-5, 'research', '{}');
		INSERT INTO trials (id, point, state, attempt, data, train_examples, validation_examples, model, batch_size, clip_norm,
			noise_multiplier, learning_rate, augmult, augment, steps, ema, noise, trainer, seed, params)
			VALUES ('%s', '%s', 'completed', 1, '%s', %d, %d, '%s', %d, %v, %v, %v, %d, '%s', %d, %v, '%s', '', %d, '%s');
		INSERT INTO sweep_trials (sweep, trial, position, repeat, label, target_epsilon, delta, revision, gone, forgiven, state) VALUES (1, 1, 0, 0, 'x', NULL, 1e-5, 1, 0, 0, 'completed');
		INSERT INTO attempts (trial, number, sweep, worker, started, ended, from_step, last_step, noise_id, failure, reason, log_tail, report_bytes)
			VALUES (1, 1, 1, 'w', '2026-01-01T00:00:00.000Z', '2026-01-01T00:01:00.000Z', 0, %d, 'n', NULL, '', '', 9);
		INSERT INTO outcomes VALUES (1, 1, '2026-01-01T00:01:00.000Z', 0.5, 0.5, 1, 'validation', %d, %d, 0, 'd', 'w', 'fake 1', 1);
		INSERT INTO privacy_events SELECT 1, %d, 0, '{}';
		INSERT INTO costs VALUES (1, 1e-5, 'rdp', 'rdp/0', 99)`+fingerprint,
		applicationID, version, p.ID(), p.Point(), p.Data.Name, p.Data.Train, p.Data.Validation, p.Model, p.Batch, p.Clip, p.Noise, p.LearnRate, p.AugMult,
		p.Augment, p.Steps, p.EMA, p.NoiseFrom, p.Seed, strings.ReplaceAll(textOf(t, p), "'", "''"), p.Steps, p.Data.Validation, p.Steps, p.Steps)); err != nil {
		t.Fatal(err)
	}
}

func textOf(t *testing.T, p sweep.Params) string {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A record that an older version wrote is brought up to date with what it holds.
func TestMigratesFromEverySchema(t *testing.T) {
	for version := 1; version < len(migrations); version++ {
		path := filepath.Join(t.TempDir(), "old.db")
		older(t, path, version)
		s := openAt(t, path)
		if n := disagreements(t, s); n != 0 || scalar[int](t, s, `SELECT count(*) FROM points JOIN point_totals JOIN sweep_counts JOIN sweep_steps`) != 1 {
			t.Errorf("from schema %d: %d sums are not what trials add up to, or are missing", version, n)
		}
		if _, err := s.Recount(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if _, found := verify(t, s, func(sweep.SweepID, bool, string) (SweepRecord, iter.Seq2[TrialRecord, error], error) {
			r := file("old")
			r.ID = "old-1"
			return r, nil, nil
		}); len(found) > 0 {
			t.Errorf("from schema %d: %q", version, found)
		}
		f, err := s.Frontier(t.Context(), "old-1")
		if err != nil || len(f.Points) != 1 || f.Points[0].Accuracy != 0.5 {
			t.Errorf("from schema %d: frontier %+v, error %v", version, f, err)
		}
	}
}
