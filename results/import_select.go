package results

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
)

// Private selections are matched by the id of their slot, since the trials that
// they end as are drawn. The same sweep may have drawn in both records: those are
// two selections, and both are charged, though only one can be shown here.

// matchSelections finds which private selections of the other record are new
// here, and which go on where one stands here already.
func (m *merger) matchSelections(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `
		CREATE TEMP TABLE both_selections AS
		SELECT o.slot, o.trial AS theirs, s.trial AS ours, t.state, o.draw AS their_draw, s.draw AS our_draw,
			EXISTS (SELECT 1 FROM other.attempts a WHERE a.trial = o.trial) AS begun_there,
			EXISTS (SELECT 1 FROM main.attempts a WHERE a.trial = s.trial) AS begun_here
		FROM other.selections o JOIN main.selections s ON s.slot = o.slot JOIN main.trials t ON t.key = s.trial;
		INSERT INTO took_trials SELECT o.key, (SELECT coalesce(max(key), 0) FROM main.trials) + (SELECT count(*) FROM took_trials WHERE fresh = 1) + row_number() OVER (ORDER BY o.key), 1
			FROM other.trials o JOIN other.selections x ON x.trial = o.key WHERE x.slot NOT IN (SELECT slot FROM main.selections);
		INSERT INTO took_trials SELECT theirs, ours, 0 FROM both_selections
			WHERE begun_there AND (NOT begun_here OR their_draw = our_draw AND state <> 'running')`); err != nil {
		return err
	}
	return m.conflicts(ctx, tx, `
		SELECT CASE WHEN their_draw = our_draw
			THEN 'private selection ' || slot || ' is running here, and was left out: import again when it has ended'
			ELSE 'private selection ' || slot || ' was drawn in both records: both are charged, and this record''s stays' END
		FROM both_selections WHERE theirs NOT IN (SELECT theirs FROM took_trials) AND begun_there`)
}

// takeSelections makes selections of what was entered as trials. One that
// nobody had begun here goes on as it is there.
func (m *merger) takeSelections(ctx context.Context, tx *sql.Tx) error {
	const draw = `coalesce(o.draw, 'in the folder of the results file that it was imported from')`
	if _, err := take(ctx, tx, "selections", map[string]string{"trial": "k.ours", "sweep": "s.ours", "draw": draw}, "",
		`other.selections o JOIN took_trials k ON k.theirs = o.trial AND k.fresh = 1 JOIN took_sweeps s ON s.theirs = o.sweep`); err != nil {
		return err
	}
	columns, err := columnsOf(ctx, tx, "trials")
	if err != nil {
		return err
	}
	columns = slices.DeleteFunc(columns, func(c string) bool { return c == "key" || c == "state" || c == "attempt" })
	names := strings.Join(columns, ", ")
	_, err = tx.ExecContext(ctx, `
		UPDATE main.selections AS s SET draw = `+draw+`
		FROM other.selections o WHERE o.slot = s.slot AND s.draw IS NULL AND s.trial IN (SELECT ours FROM took_trials);
		UPDATE main.sweep_trials AS st SET label = n.label
		FROM other.sweep_trials n JOIN took_trials k ON k.theirs = n.trial JOIN took_sweeps w ON w.theirs = n.sweep
			JOIN both_selections b ON b.theirs = k.theirs JOIN other.outcomes x ON x.trial = k.theirs
		WHERE st.trial = k.ours AND st.sweep = w.ours AND st.state <> 'completed';
		UPDATE main.trials AS t SET (`+names+`) = (SELECT `+names+` FROM other.trials o JOIN took_trials k ON k.theirs = o.key WHERE k.ours = t.key)
		WHERE state <> 'completed' AND key IN (SELECT k.ours FROM took_trials k JOIN both_selections b ON b.theirs = k.theirs JOIN other.outcomes x ON x.trial = k.theirs)`)
	return err
}

// chargeDraws charges, beside what each record charged its sweep with, the draws
// that were made there of selections that were drawn here too. They stand under
// the sweep's id and the draw's name, so that importing again changes nothing.
func (m *merger) chargeDraws(ctx context.Context, tx *sql.Tx, accounts string) error {
	_, err1 := tx.ExecContext(ctx, `
		INSERT INTO main.ledger_events (account, sweep, created, event)
		SELECT n.account, o.sweep, o.created, o.event FROM other.ledger_events o `+accounts+`
		WHERE NOT EXISTS (SELECT 1 FROM main.selections s JOIN main.sweeps w ON w.key = s.sweep WHERE o.sweep = w.id || ' ' || s.draw)
		ON CONFLICT DO NOTHING`)
	_, err2 := tx.ExecContext(ctx, `
		INSERT INTO main.ledger_events (account, sweep, created, event)
		SELECT n.account, w.id || ' ' || coalesce(b.their_draw, 'not told'), t.created, x.event
		FROM both_selections b JOIN other.selections x ON x.slot = b.slot JOIN other.sweeps w ON w.key = x.sweep JOIN other.trials d ON d.key = b.theirs
			JOIN main.account_names n ON n.name = d.data JOIN main.sweeps t ON t.id = w.id
		WHERE b.begun_there AND b.begun_here AND b.their_draw IS NOT b.our_draw
		ON CONFLICT DO NOTHING`)
	return errors.Join(err1, err2)
}
