-- Private selections: of a random number of trials, drawn when they begin, only the best is ever shown or kept.
CREATE TABLE selections (
	slot  TEXT PRIMARY KEY,              -- id under which it entered the record, and by which attempts at it go on being known
	trial INTEGER NOT NULL UNIQUE REFERENCES trials (key),  -- that stands for it; once it is decided, its best trial
	sweep INTEGER NOT NULL REFERENCES sweeps (key),  -- whose it is
	event TEXT NOT NULL CHECK (json_valid(event)),   -- what it does to the data, whatever number is drawn; as package privacy writes it
	draw  TEXT                           -- public name of its draw of trials, of which there is one for ever; NULL until an attempt has reported it
) STRICT, WITHOUT ROWID;

CREATE INDEX selections_by_sweep ON selections (sweep);

CREATE TRIGGER selections_drawn BEFORE UPDATE OF draw ON selections WHEN old.draw IS NOT NULL AND new.draw IS NOT old.draw BEGIN
	SELECT RAISE(ABORT, 'a private selection is drawn once: a second draw would be another selection');
END;

CREATE TRIGGER ledger_events_stay BEFORE UPDATE OF event ON ledger_events BEGIN
	SELECT RAISE(ABORT, 'the ledger refunds nothing: what was done to the data stays done');
END;

-- The ledger's journal: every reservation, and how it ended. A private selection is charged once, as a whole.
DROP VIEW ledger_history;
CREATE VIEW ledger_history AS
SELECT a.started AS at, t.data, t.id AS trial, a.number AS attempt, 'reserve' AS entry, t.steps AS steps, s.id AS sweep
FROM attempts a JOIN trials t ON t.key = a.trial JOIN sweeps s ON s.key = a.sweep WHERE t.key NOT IN (SELECT trial FROM selections)
UNION ALL
SELECT a.ended, t.data, t.id, a.number, CASE WHEN a.failure IS NULL THEN 'commit' ELSE 'abandon' END, a.last_step, s.id
FROM attempts a JOIN trials t ON t.key = a.trial JOIN sweeps s ON s.key = a.sweep WHERE a.ended IS NOT NULL AND t.key NOT IN (SELECT trial FROM selections)
UNION ALL
SELECT e.created, (SELECT group_concat(name, ', ') FROM account_names n WHERE n.account = e.account), NULL, NULL, 'selection', NULL, e.sweep
FROM ledger_events e;
