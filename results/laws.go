package results

import (
	"context"
	"database/sql"
)

// laws are what holds between rows of the record whatever has happened to its
// sweeps. Each query finds the rows that break one: where, and what is wrong.
var laws = []string{
	// What is copied, or counted, is what it is copied and counted from.
	`SELECT 'trial ' || t.id, 'it is ' || t.state || ', and sweep ' || s.id || ' counts it as ' || st.state
	 FROM sweep_trials st JOIN trials t ON t.key = st.trial JOIN sweeps s ON s.key = st.sweep WHERE st.state <> t.state`,
	`SELECT 'sweep ' || s.id, 'its newest file is said to be number ' || s.revision || ', and the record has ' || count(r.number) || ', up to number ' || coalesce(max(r.number), 0)
	 FROM sweeps s LEFT JOIN revisions r ON r.sweep = s.key GROUP BY s.key HAVING count(r.number) <> s.revision OR coalesce(max(r.number), 0) <> s.revision`,
	`SELECT 'sweep ' || s.id, 'delta and disclosure are ' || s.delta || ' and ' || s.disclosure || ', and of its newest file ' || r.delta || ' and ' || r.disclosure
	 FROM sweeps s JOIN revisions r ON r.sweep = s.key AND r.number = s.revision WHERE r.delta <> s.delta OR r.disclosure <> s.disclosure`,
	`SELECT 'sweep ' || s.id, 'trial ' || t.id || ' is ' || CASE st.gone WHEN 1 THEN 'set aside' ELSE 'asked for' END || ', and the newest file that lists it is number '
		|| st.revision || ' of ' || s.revision
	 FROM sweep_trials st JOIN trials t ON t.key = st.trial JOIN sweeps s ON s.key = st.sweep WHERE (st.gone = 0) <> (st.revision = s.revision) OR st.revision > s.revision`,
	`SELECT 'sweep ' || s.id, 'repeat ' || st.repeat || ' of point ' || t.point || ' is there ' || count(*) || ' times'
	 FROM sweep_trials st JOIN trials t ON t.key = st.trial JOIN sweeps s ON s.key = st.sweep WHERE st.gone = 0
	 GROUP BY st.sweep, t.point, st.target_epsilon, st.delta, st.repeat, st.proxy HAVING count(*) > 1`,

	// A sweep is completed when all its trials are. (Its file may have got others since; and trials that failed may have been repaired by another sweep.)
	`SELECT 'sweep ' || s.id, 'it is ' || s.state || ', and of its trials ' || p.completed || ' of ' || p.trials || ' are completed'
	 FROM sweeps s JOIN sweep_progress p ON p.sweep = s.id JOIN revisions r ON r.sweep = s.key AND r.number = s.revision
	 WHERE r.created <= s.changed AND (s.state = 'completed' AND p.completed < p.trials OR s.state = 'failed' AND p.completed = p.trials AND NOT EXISTS (
		SELECT 1 FROM sweep_trials a JOIN sweep_trials b ON b.trial = a.trial AND b.sweep <> a.sweep WHERE a.sweep = s.key))`,

	// Rows belong to what is there.
	`SELECT 'trial ' || t.id, 'no sweep lists it' FROM trials t WHERE NOT EXISTS (SELECT 1 FROM sweep_trials st WHERE st.trial = t.key)`,
	`SELECT 'trial ' || t.id, 'attempt ' || a.number || ' is on behalf of sweep ' || s.id || ', which does not list it'
	 FROM attempts a JOIN trials t ON t.key = a.trial JOIN sweeps s ON s.key = a.sweep
	 WHERE NOT EXISTS (SELECT 1 FROM sweep_trials st WHERE st.sweep = a.sweep AND st.trial = a.trial)`,
	`SELECT 'trial ' || t.id, count(*) || ' attempts are recorded, up to number ' || max(a.number)
	 FROM attempts a JOIN trials t ON t.key = a.trial GROUP BY a.trial HAVING max(a.number) <> count(*)`,
	`SELECT 'trial ' || t.id, 'metrics of attempt ' || m.attempt || ' go to step ' || m.furthest || CASE WHEN a.number IS NULL THEN ', and there is no such attempt' ELSE ', and it came to step ' || a.last_step END
	 FROM (SELECT trial, attempt, max(step) AS furthest FROM metrics GROUP BY trial, attempt) m
	 JOIN trials t ON t.key = m.trial LEFT JOIN attempts a ON a.trial = m.trial AND a.number = m.attempt WHERE a.number IS NULL OR m.furthest > a.last_step`,
	`SELECT 'trial ' || t.id, 'a checkpoint of attempt ' || c.attempt || ' is of step ' || c.step || CASE WHEN a.number IS NULL THEN ', and there is no such attempt' ELSE ', and it came to step ' || a.last_step END
	 FROM checkpoints c JOIN trials t ON t.key = c.trial LEFT JOIN attempts a ON a.trial = c.trial AND a.number = c.attempt WHERE a.number IS NULL OR c.step > a.last_step`,
	`SELECT 'trial ' || t.id, 'a note is about attempt ' || n.attempt || ', which is not there'
	 FROM notes n JOIN trials t ON t.key = n.trial WHERE NOT EXISTS (SELECT 1 FROM attempts a WHERE a.trial = n.trial AND a.number = n.attempt)`,
	`SELECT 'trial ' || t.id, 'it stands for a private selection of sweep ' || s.id || ', which does not list it'
	 FROM selections x JOIN trials t ON t.key = x.trial JOIN sweeps s ON s.key = x.sweep
	 WHERE NOT EXISTS (SELECT 1 FROM sweep_trials st WHERE st.sweep = x.sweep AND st.trial = x.trial)`,

	// An attempt runs, or has completed its trial, or failed for a reason.
	`SELECT 'trial ' || t.id, 'attempt ' || a.number || CASE
		WHEN a.ended IS NULL THEN ' has not ended, and failed as ' || a.failure
		WHEN t.state <> 'completed' THEN ' ended without a failure, and the trial is ' || t.state
		ELSE ' did not fail, and has words of a failure' END
	 FROM attempts a JOIN trials t ON t.key = a.trial
	 WHERE a.ended IS NULL AND a.failure IS NOT NULL OR a.ended IS NOT NULL AND a.failure IS NULL AND t.state <> 'completed'
		OR a.failure IS NULL AND (a.reason <> '' OR a.log_tail <> '' OR a.doubtful_until IS NOT NULL)`,
	`SELECT 'trial ' || t.id, 'its first attempt went on from step ' || a.from_step || ', where nothing was before'
	 FROM attempts a JOIN trials t ON t.key = a.trial WHERE a.number = 1 AND a.from_step > 0`,

	// An outcome is of its trial's data, and what its attempt said last.
	`SELECT 'trial ' || t.id, 'its outcome is of the ' || o.split || ' split, and it holds ' || t.validation_examples || ' examples out'
	 FROM outcomes o JOIN trials t ON t.key = o.trial WHERE o.split <> CASE WHEN t.validation_examples > 0 THEN 'validation' ELSE 'test' END`,
	`SELECT 'trial ' || t.id, 'its outcome is of ' || o.examples || ' examples, and it holds out ' || t.validation_examples
	 FROM outcomes o JOIN trials t ON t.key = o.trial WHERE t.trainer = '' AND o.split = 'validation' AND o.examples <> t.validation_examples`,
	`SELECT 'trial ' || t.id, 'its outcome was recorded at ' || o.recorded || ', and the attempt that it is of ended at ' || a.ended
	 FROM outcomes o JOIN trials t ON t.key = o.trial JOIN attempts a ON a.trial = o.trial AND a.number = o.attempt
	 WHERE abs(julianday(o.recorded) - julianday(a.ended)) * 1440 > 1`,
	`SELECT 'trial ' || t.id, 'its ' || substr(n.name, length(o.split) + 2) || ' is ' || CASE n.name WHEN o.split || '/loss' THEN o.loss WHEN o.split || '/accuracy' THEN o.accuracy ELSE o.last_accuracy END
		|| ', and the last that its attempt measured ' || m.value
	 FROM outcomes o JOIN trials t ON t.key = o.trial AND t.trainer = ''
	 CROSS JOIN metric_names n ON n.name IN (o.split || '/accuracy', o.split || '/last_accuracy', o.split || '/loss')
	 CROSS JOIN metrics m ON m.trial = o.trial AND m.name = n.key AND m.attempt = o.attempt AND m.step = o.steps
	 WHERE abs(m.value - CASE n.name WHEN o.split || '/loss' THEN o.loss WHEN o.split || '/accuracy' THEN o.accuracy ELSE o.last_accuracy END) > 1e-9 * max(1, abs(m.value))`,
	`SELECT 'trial ' || t.id, 'its data was ' || o.data_digest || ' (' || t.train_examples || '+' || t.validation_examples || ' examples), and the ledger has not seen that'
	 FROM outcomes o JOIN trials t ON t.key = o.trial WHERE o.data_digest <> '' AND NOT EXISTS (SELECT 1 FROM fingerprints f
		WHERE f.digest = o.data_digest AND f.name = t.data AND f.train_examples = t.train_examples AND f.validation_examples = t.validation_examples)`,
	`SELECT DISTINCT 'data ' || f.name, 'it has the content of ' || g.name || ', and an account of its own'
	 FROM fingerprints f JOIN fingerprints g ON g.digest = f.digest AND g.name < f.name
	 JOIN account_names n ON n.name = f.name JOIN account_names m ON m.name = g.name WHERE n.account <> m.account`,

	// The ledger adds up.
	`SELECT 'trial ' || t.id, 'the ledger has it in account ' || l.account || ' at q ' || l.sample_rate || ' and sigma ' || l.noise_multiplier || ', and it is of '
		|| coalesce((SELECT account FROM account_names n WHERE n.name = t.data), 'none') || ' at ' || t.sampling_rate || ' and ' || t.noise_multiplier
	 FROM ledger l JOIN trials t ON t.id = l.trial
	 WHERE l.account IS NOT (SELECT account FROM account_names n WHERE n.name = t.data) OR l.sample_rate <> t.sampling_rate OR l.noise_multiplier <> t.noise_multiplier`,
	`SELECT 'trial ' || l.trial, 'the ledger holds ' || l.held || ' steps for it, and its attempts ' || coalesce((SELECT sum(steps) FROM holds h WHERE h.trial = l.trial), 0)
	 FROM ledger l WHERE l.held <> coalesce((SELECT sum(steps) FROM holds h WHERE h.trial = l.trial), 0)`,
	`SELECT 'trial ' || h.trial, 'steps are held for attempt ' || h.attempt || ', which has ended'
	 FROM holds h JOIN trials t ON t.id = h.trial LEFT JOIN attempts a ON a.trial = t.key AND a.number = h.attempt
	 WHERE h.until IS NULL AND (a.number IS NULL OR a.ended IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM selections x WHERE x.trial = t.key)`,
	`SELECT 'account ' || a.key, 'its version is ' || a.version || ', and its totals changed in ' || max(t.changed)
	 FROM accounts a JOIN ledger_totals t ON t.account = a.key GROUP BY a.key HAVING max(t.changed) > a.version`,
	`SELECT 'account ' || key, 'it is of the unit ' || unit || ' and the relation ' || relation || ', which no trial is accounted for'
	 FROM accounts WHERE unit <> '` + ledgerUnit + `' OR relation <> '` + ledgerRelation + `'`,
	`SELECT 'account ' || account, count(*) || ' budgets were set, up to number ' || max(number) FROM budgets GROUP BY account HAVING max(number) <> count(*)`,
	`SELECT 'sweep ' || s.id, 'it is charged for private selections, of which it has none'
	 FROM ledger_events e JOIN sweeps s ON s.id = e.sweep WHERE NOT EXISTS (SELECT 1 FROM selections x WHERE x.sweep = s.key)`,

	// A point has one row. (What the row says, and other sums, are checked by [verifier.sums].)
	`SELECT 'point ' || p.point, 'in sweep ' || s.id || ' it has ' || count(*) || ' rows: ` + "`sweep recount` writes them anew" + `'
	 FROM points p JOIN sweeps s ON s.key = p.sweep GROUP BY p.sweep, p.point, p.target_epsilon, p.delta HAVING count(*) > 1`,
}

// laws tells of every row that breaks one.
func (v *verifier) laws(ctx context.Context) error {
	for _, law := range laws {
		broken, err := gather(ctx, v.tx, func(rows *sql.Rows) (f Finding, err error) { return f, rows.Scan(&f.Where, &f.What) }, law)
		if err != nil {
			return err
		}
		for _, f := range broken {
			v.found(f)
		}
	}
	return nil
}
