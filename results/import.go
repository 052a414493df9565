package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sweep"
)

// Imported says what another record held that this one did not, and where the
// two disagree.
type Imported struct {
	Sweeps    int      `json:"sweeps"`   // new here
	Trials    int      `json:"trials"`   // new here
	Attempts  int      `json:"attempts"` // new here
	Outcomes  int      `json:"outcomes"` // new here
	Conflicts []string `json:"conflicts"`
}

// Import takes over what the record at path holds and this one does not: sweeps
// and trials by their ids, attempts by when and by whom they were made, with
// what they measured. All of it is one transaction. The other file is only read.
//
// What was done to the data counts here from now on, in every trial's epsilon and
// in the ledger, also where the two records disagree about what came of it. Then
// this record's outcome stays, and the conflict is reported. A trial that is
// running here is left out but for what was done to the data, and reported too:
// noise that was drawn there counts beside that of the attempt here, once for each
// stream however often its record is imported. Sweeps and attempts that were under
// way there are stopped and lost here: nobody works on them for this record.
// Budgets stay this record's own. Private selections that both records drew are
// both charged, and reported.
func (s *Store) Import(ctx context.Context, path string) (Imported, error) {
	i, err := s.importFrom(ctx, path)
	if err != nil {
		return Imported{}, fmt.Errorf("import %s: %w", path, explain(err))
	}
	return i, nil
}

func (s *Store) importFrom(ctx context.Context, path string) (Imported, error) {
	path, done, err := current(ctx, path)
	if err != nil {
		return Imported{}, err
	}
	defer done()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return Imported{}, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `ATTACH ? AS other`, access{"mode": "ro"}.dsn(path)); err != nil {
		return Imported{}, err
	}
	m := merger{prices: s.prices, imported: Imported{Conflicts: []string{}}}
	err = m.run(ctx, conn)
	_, detached := conn.ExecContext(context.WithoutCancel(ctx), `DETACH other`)
	clear(s.rooms)
	return m.imported, errors.Join(err, detached)
}

// current is path, or a copy of it that was brought up to date if its schema is older.
func current(ctx context.Context, path string) (string, func(), error) {
	nothing := func() {}
	if err := inspect(ctx, path, checkedToWrite); err != nil {
		return "", nothing, err
	}
	db := openPool(path, access{"mode": "ro"}) // without query_only, which forbids copying too
	defer db.Close()
	version, err := schemaVersion(ctx, db)
	if err != nil || version == len(migrations) {
		return path, nothing, err
	}
	dir, err := os.MkdirTemp("", "sweep-import-")
	if err != nil {
		return "", nothing, err
	}
	done := func() { os.RemoveAll(dir) }
	copied := filepath.Join(dir, "results.db")
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, copied); err != nil {
		done()
		return "", nothing, err
	}
	newer := openPool(copied, writing)
	if err := errors.Join(migrate(ctx, newer), newer.Close()); err != nil {
		done()
		return "", nothing, err
	}
	return copied, done, nil
}

// A merger takes over what the attached record holds.
type merger struct {
	prices   priceList
	imported Imported
}

func (m *merger) run(ctx context.Context, conn *sql.Conn) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	work := context.WithoutCancel(ctx) // as in transact
	for _, step := range []func(context.Context, *sql.Tx) error{
		m.match, m.matchSelections, m.takeSweeps, m.takeTrials, m.takeSelections, m.takeAttempts, m.takeMeasurements, m.takeOutcomes, m.takeStreams, m.takeLedger, m.charge,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(work, tx); err != nil {
			return err
		}
	}
	for _, table := range []string{"took_sweeps", "took_trials", "took_attempts", "both_selections"} {
		if _, err := tx.ExecContext(work, `DROP TABLE temp.`+table); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// match finds what both records have and which keys things will have here.
func (m *merger) match(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `
		CREATE TEMP TABLE took_sweeps (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL, fresh INTEGER NOT NULL);
		CREATE TEMP TABLE took_trials (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL UNIQUE, fresh INTEGER NOT NULL);
		CREATE TEMP TABLE took_attempts (trial INTEGER, number INTEGER, ours INTEGER NOT NULL, mine INTEGER NOT NULL, fresh INTEGER NOT NULL, PRIMARY KEY (trial, number));
		INSERT INTO took_sweeps SELECT o.key, s.key, 0 FROM other.sweeps o JOIN main.sweeps s ON s.id = o.id;
		INSERT INTO took_sweeps SELECT o.key, (SELECT coalesce(max(key), 0) FROM main.sweeps) + row_number() OVER (ORDER BY o.key), 1
			FROM other.sweeps o WHERE o.id NOT IN (SELECT id FROM main.sweeps);
		INSERT INTO took_trials SELECT o.key, t.key, 0 FROM other.trials o JOIN main.trials t ON t.id = o.id
			WHERE t.state <> 'running' AND o.key NOT IN (SELECT trial FROM other.selections);
		INSERT INTO took_trials SELECT o.key, (SELECT coalesce(max(key), 0) FROM main.trials) + row_number() OVER (ORDER BY o.key), 1
			FROM other.trials o WHERE o.id NOT IN (SELECT id FROM main.trials) AND o.key NOT IN (SELECT trial FROM other.selections)`); err != nil {
		return err
	}
	return m.conflicts(ctx, tx, `
		SELECT 'trial ' || t.id || ' is running here: of what was done there only the noise was counted; import again when it has ended'
		FROM other.trials o JOIN main.trials t ON t.id = o.id
		WHERE t.state = 'running' AND EXISTS (SELECT 1 FROM other.attempts a WHERE a.trial = o.key) AND o.key NOT IN (SELECT trial FROM other.selections)
		UNION ALL
		SELECT 'sweep ' || s.id || ': its newest file is another one there; this record''s stays'
		FROM took_sweeps k JOIN main.sweeps s ON s.key = k.ours JOIN other.sweeps o ON o.key = k.theirs
		JOIN main.revisions r ON r.sweep = s.key AND r.number = s.revision JOIN other.revisions q ON q.sweep = o.key AND q.number = o.revision
		WHERE k.fresh = 0 AND r.text <> q.text`)
}

func (m *merger) conflicts(ctx context.Context, tx *sql.Tx, query string) error {
	found, err := gather(ctx, tx, func(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) }, query)
	m.imported.Conflicts = append(m.imported.Conflicts, found...)
	return err
}

// columnsOf lists a table's columns, so that those added by later schemas are copied too.
func columnsOf(ctx context.Context, tx *sql.Tx, table string) ([]string, error) {
	return gather(ctx, tx, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) },
		`SELECT name FROM pragma_table_info(?)`, table)
}

// take inserts rows of the other record's table o, with some columns given anew
// and some left to their defaults. from is what follows FROM. It returns how many.
func take(ctx context.Context, tx *sql.Tx, table string, anew map[string]string, omit, from string) (int, error) {
	columns, err := columnsOf(ctx, tx, table)
	if err != nil {
		return 0, err
	}
	var names, values []string
	for _, c := range columns {
		if c == omit {
			continue
		}
		value, given := anew[c]
		if !given {
			value = "o." + c
		}
		names, values = append(names, c), append(values, value)
	}
	res, err := tx.ExecContext(ctx, fmt.Sprintf(`INSERT INTO main.%s (%s) SELECT %s FROM %s`, table, strings.Join(names, ", "), strings.Join(values, ", "), from))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", table, err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}

func (m *merger) takeSweeps(ctx context.Context, tx *sql.Tx) (err error) {
	const fresh = `other.sweeps o JOIN took_sweeps k ON k.theirs = o.key AND k.fresh = 1`
	m.imported.Sweeps, err = take(ctx, tx, "sweeps", map[string]string{
		"key":    "k.ours",
		"state":  "CASE WHEN o.state IN ('completed', 'failed') THEN o.state ELSE 'stopped' END",
		"reason": "CASE WHEN o.state IN ('completed', 'failed') THEN o.reason ELSE 'imported: resume goes on with it here' END",
	}, "", fresh)
	if err != nil {
		return err
	}
	_, err = take(ctx, tx, "revisions", map[string]string{"sweep": "k.ours"}, "", `other.revisions o JOIN took_sweeps k ON k.theirs = o.sweep AND k.fresh = 1`)
	return err
}

// takeTrials enters trials as if they had not been begun; what came of them follows.
func (m *merger) takeTrials(ctx context.Context, tx *sql.Tx) (err error) {
	m.imported.Trials, err = take(ctx, tx, "trials", map[string]string{"key": "k.ours", "state": "'pending'", "attempt": "0"}, "",
		`other.trials o JOIN took_trials k ON k.theirs = o.key AND k.fresh = 1`)
	if err != nil {
		return err
	}
	// Of a sweep whose file is another one here, that file would list them if it asked for them.
	const aside = `(o.gone = 1 OR s.fresh = 0 AND o.asked = '' AND (SELECT text FROM main.revisions WHERE sweep = n.key AND number = n.revision)
		<> (SELECT r.text FROM other.revisions r JOIN other.sweeps x ON x.key = r.sweep AND x.revision = r.number WHERE x.key = o.sweep))`
	_, err = take(ctx, tx, "sweep_trials", map[string]string{
		"sweep": "s.ours", "trial": "t.key", "state": "t.state", "forgiven": "0", "gone": aside,
		"revision": "CASE WHEN s.fresh = 1 THEN o.revision WHEN " + aside + " THEN min(o.revision, n.revision - 1) ELSE n.revision END",
	}, "", `other.sweep_trials o JOIN took_sweeps s ON s.theirs = o.sweep JOIN main.sweeps n ON n.key = s.ours
		JOIN other.trials ot ON ot.key = o.trial JOIN main.trials t ON t.id = ot.id
		WHERE NOT EXISTS (SELECT 1 FROM main.sweep_trials st WHERE st.sweep = s.ours AND st.trial = t.key)`)
	return err
}

// takeAttempts numbers attempts that this record does not know after those that
// it does. An attempt that both know is the same by its start and its worker;
// those of a private selection all start when its sweep did, and come in their order.
func (m *merger) takeAttempts(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO took_attempts
		SELECT o.trial, o.number, k.ours, a.number, 0
		FROM (SELECT trial, number, started, worker, row_number() OVER (PARTITION BY trial, started, worker ORDER BY number) AS nth FROM other.attempts) o
		JOIN took_trials k ON k.theirs = o.trial
		JOIN (SELECT trial, number, started, worker, row_number() OVER (PARTITION BY trial, started, worker ORDER BY number) AS nth FROM main.attempts) a
			ON a.trial = k.ours AND a.started = o.started AND a.worker = o.worker AND a.nth = o.nth;
		INSERT INTO took_attempts
		SELECT o.trial, o.number, k.ours,
			(SELECT coalesce(max(number), 0) FROM main.attempts WHERE trial = k.ours) + row_number() OVER (PARTITION BY o.trial ORDER BY o.number), 1
		FROM other.attempts o JOIN took_trials k ON k.theirs = o.trial
		WHERE NOT EXISTS (SELECT 1 FROM took_attempts n WHERE n.trial = o.trial AND n.number = o.number);
		UPDATE main.attempts AS a SET last_step = max(a.last_step, o.last_step), noise_id = coalesce(a.noise_id, o.noise_id)
		FROM other.attempts o JOIN took_attempts k ON k.trial = o.trial AND k.number = o.number AND k.fresh = 0
		WHERE a.trial = k.ours AND a.number = k.mine;
		UPDATE main.attempts AS a SET ended = o.ended, failure = NULL, reason = '', log_tail = '', doubtful_until = NULL -- it was lost to this record alone
		FROM other.attempts o JOIN took_attempts k ON k.trial = o.trial AND k.number = o.number AND k.fresh = 0
		WHERE a.trial = k.ours AND a.number = k.mine AND a.failure IS NOT NULL AND o.ended IS NOT NULL AND o.failure IS NULL`); err != nil {
		return err
	}
	n, err := take(ctx, tx, "attempts", map[string]string{
		"trial": "k.ours", "number": "k.mine", "sweep": "s.ours", "ended": "coalesce(o.ended, '" + now() + "')",
		"failure": "CASE WHEN o.ended IS NULL THEN '" + string(sweep.Lost) + "' ELSE o.failure END",
		"reason":  "CASE WHEN o.ended IS NULL THEN 'it was running when its record was imported' ELSE o.reason END",
	}, "", `other.attempts o JOIN took_attempts k ON k.trial = o.trial AND k.number = o.number AND k.fresh = 1 JOIN took_sweeps s ON s.theirs = o.sweep`)
	m.imported.Attempts = n
	return err
}

func (m *merger) takeMeasurements(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO main.metric_names (name) SELECT name FROM other.metric_names WHERE name NOT IN (SELECT name FROM main.metric_names)`); err != nil {
		return err
	}
	const attempts = ` o JOIN took_attempts k ON k.trial = o.trial AND k.number = o.attempt AND k.fresh = 1`
	here := map[string]string{"trial": "k.ours", "attempt": "k.mine"}
	if _, err := take(ctx, tx, "metrics", map[string]string{"trial": "k.ours", "attempt": "k.mine", "name": "n.key"}, "",
		`other.metrics`+attempts+` JOIN other.metric_names q ON q.key = o.name JOIN main.metric_names n ON n.name = q.name`); err != nil {
		return err
	}
	if _, err := take(ctx, tx, "notes", here, "key", `other.notes`+attempts+` ORDER BY o.key`); err != nil {
		return err
	}
	// Files in another record's folder are out of reach; those in a store are not.
	_, err := take(ctx, tx, "checkpoints", here, "", `other.checkpoints`+attempts+` WHERE o.store <> ''`)
	return err
}

// takeOutcomes completes what was completed there, and fails what failed there
// and is new here.
func (m *merger) takeOutcomes(ctx context.Context, tx *sql.Tx) error {
	if err := m.conflicts(ctx, tx, `
		SELECT 'trial ' || t.id || ' has accuracy ' || a.accuracy || ' and weights ' || a.weights_digest || ' here, and '
			|| o.accuracy || ' and ' || o.weights_digest || ' there; this record''s stays'
		FROM took_trials k JOIN main.trials t ON t.key = k.ours JOIN main.outcomes a ON a.trial = k.ours JOIN other.outcomes o ON o.trial = k.theirs
		WHERE a.weights_digest <> o.weights_digest OR a.accuracy <> o.accuracy OR a.data_digest <> o.data_digest`); err != nil {
		return err
	}
	const open = ` o JOIN took_trials t ON t.theirs = o.trial JOIN took_attempts k ON k.trial = o.trial AND k.number = o.attempt
		WHERE NOT EXISTS (SELECT 1 FROM main.outcomes a WHERE a.trial = t.ours)`
	n, err := take(ctx, tx, "outcomes", map[string]string{"trial": "t.ours", "attempt": "k.mine"}, "", `other.outcomes`+open)
	if err != nil {
		return err
	}
	m.imported.Outcomes = n
	_, err = tx.ExecContext(ctx, `
		UPDATE main.trials AS t SET
			attempt = (SELECT coalesce(max(number), 0) FROM main.attempts WHERE trial = t.key),
			state = CASE
				WHEN EXISTS (SELECT 1 FROM main.outcomes WHERE trial = t.key) THEN 'completed'
				WHEN k.fresh = 1 AND o.state = 'failed' THEN 'failed'
				ELSE t.state END
		FROM took_trials k JOIN other.trials o ON o.key = k.theirs WHERE t.key = k.ours`)
	return err
}

// takeStreams notes what other attempts did at trials that run here, whose attempts
// were left out, and what the other record had noted of others again. Private
// selections are charged as what they are, by takeLedger.
func (m *merger) takeStreams(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO main.imported_streams (trial, noise_id, steps)
		SELECT t.key, q.noise_id, max(q.steps) FROM (
			SELECT trial, coalesce(noise_id, '') AS noise_id, last_step AS steps FROM other.attempts
			WHERE trial NOT IN (SELECT theirs FROM took_trials) AND trial NOT IN (SELECT trial FROM other.selections)
			UNION ALL SELECT trial, noise_id, steps FROM other.imported_streams
		) q JOIN other.trials o ON o.key = q.trial JOIN main.trials t ON t.id = o.id
		WHERE q.steps > 0 AND t.key NOT IN (SELECT trial FROM main.selections) GROUP BY t.key, q.noise_id
		ON CONFLICT DO UPDATE SET steps = max(steps, excluded.steps)`)
	return err
}

// takeLedger takes over what the other ledger knows of trials that are gone, and
// its private selections. Of trials that both know the streams of noise tell what
// they come to together; charge adds them up.
func (m *merger) takeLedger(ctx context.Context, tx *sql.Tx) error {
	names, err := gather(ctx, tx, func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) }, `SELECT name FROM other.account_names ORDER BY name`)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := accountOf(ctx, tx, name); err != nil {
			return err
		}
	}
	const accounts = `JOIN (SELECT account, min(name) AS name FROM other.account_names GROUP BY account) q ON q.account = o.account
		JOIN main.account_names n ON n.name = q.name`
	if _, err = tx.ExecContext(ctx, `
		INSERT OR IGNORE INTO main.fingerprints SELECT * FROM other.fingerprints;
		INSERT INTO main.ledger (trial, account, sample_rate, noise_multiplier, spent, held, opened, changed)
		SELECT o.trial, n.account, o.sample_rate, o.noise_multiplier, o.spent, 0, o.opened, o.changed
		FROM other.ledger o `+accounts+`
		WHERE true ON CONFLICT (trial) DO UPDATE SET spent = max(spent, excluded.spent)`); err != nil {
		return err
	}
	if err := m.chargeDraws(ctx, tx, accounts); err != nil {
		return err
	}
	return m.unite(ctx, tx)
}

// unite makes one account of two whose data sets turned out to hold the same.
func (m *merger) unite(ctx context.Context, tx *sql.Tx) error {
	pairs, err := gather(ctx, tx, func(rows *sql.Rows) (p [2]int64, err error) { return p, rows.Scan(&p[0], &p[1]) }, `
		SELECT DISTINCT b.account, a.account FROM main.fingerprints f JOIN main.fingerprints g ON g.digest = f.digest
		JOIN main.account_names a ON a.name = f.name JOIN main.account_names b ON b.name = g.name WHERE a.account < b.account`)
	into := map[int64]int64{}
	for _, p := range pairs {
		from, to := p[0], p[1]
		for into[from] != 0 {
			from = into[from]
		}
		for into[to] != 0 {
			to = into[to]
		}
		if err == nil && from != to {
			into[from] = to
			err = merge(ctx, tx, from, to)
		}
	}
	return err
}

// charge writes down what all trials that were taken, and those that run here and
// were run elsewhere, have done by now, and prices it.
func (m *merger) charge(ctx context.Context, tx *sql.Tx) error {
	trials, err := gather(ctx, tx, func(rows *sql.Rows) (key int64, err error) { return key, rows.Scan(&key) }, `
		SELECT ours FROM took_trials WHERE EXISTS (SELECT 1 FROM main.attempts a WHERE a.trial = ours)
		UNION SELECT i.trial FROM main.imported_streams i JOIN main.trials t ON t.key = i.trial WHERE t.state = 'running'
		ORDER BY 1`)
	if err != nil {
		return err
	}
	for _, t := range trials {
		if err := charge(ctx, tx, m.prices, t); err != nil {
			return err
		}
	}
	return nil
}
