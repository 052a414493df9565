-- Schema version 3: the ledger of what was done to each data set, and budgets.

-- Why a sweep is in its state, for programs: '' is no particular reason; budget: the privacy budget has no room for
-- its next trial; failures: its first trials all failed in one way.
ALTER TABLE sweeps ADD COLUMN cause TEXT NOT NULL DEFAULT '' CHECK (cause IN ('', 'budget', 'failures'));

-- Seeds of its trials are its own, so that no other sweep's results count for it.
ALTER TABLE sweeps ADD COLUMN own_seeds INTEGER NOT NULL DEFAULT 0 CHECK (own_seeds IN (0, 1));

-- An attempt that was given up for lost may go on until then, for all that is known.
ALTER TABLE attempts ADD COLUMN doubtful_until TEXT;

CREATE INDEX attempts_doubtful ON attempts (doubtful_until) WHERE doubtful_until IS NOT NULL;

-- Whose privacy a budget bounds. All splits of a data set share one account, for one example may be in several of
-- them; and so do data sets of two names that turn out to hold the same content.
CREATE TABLE accounts (
	key      INTEGER PRIMARY KEY,        -- for joins within this file
	unit     TEXT NOT NULL,              -- what one unit of privacy is: example
	relation TEXT NOT NULL,              -- in what neighbouring data sets differ: add_remove
	version  INTEGER NOT NULL            -- rises with every change of what the account holds
) STRICT;

CREATE TABLE account_names (
	name    TEXT PRIMARY KEY,            -- of a data set, as sweep files give it
	account INTEGER NOT NULL REFERENCES accounts (key)  -- that it belongs to
) STRICT, WITHOUT ROWID;

CREATE INDEX account_names_by_account ON account_names (account);

-- Contents and splits of data sets that trials have seen.
CREATE TABLE fingerprints (
	digest              TEXT NOT NULL,     -- of examples, labels and split, as trainers report it
	name                TEXT NOT NULL REFERENCES account_names (name),  -- under which it was trained on
	train_examples      INTEGER NOT NULL,  -- examples trained on
	validation_examples INTEGER NOT NULL,  -- examples held out
	first_seen          TEXT NOT NULL,     -- when a trial on it was first recorded
	PRIMARY KEY (digest, name)
) STRICT, WITHOUT ROWID;

-- Every budget that was ever set; of each account the newest stands.
CREATE TABLE budgets (
	account INTEGER NOT NULL REFERENCES accounts (key),  -- whose spending it bounds
	number  INTEGER NOT NULL CHECK (number >= 1),  -- counts from 1; the highest stands
	created TEXT NOT NULL,               -- when it was set
	epsilon REAL CHECK (epsilon >= 0),   -- all that is done to the data together may cost so much; NULL takes the budget away
	delta   REAL NOT NULL CHECK (delta > 0 AND delta < 1),  -- at this delta
	note    TEXT NOT NULL,               -- why, for people
	PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- What each trial has done to its data. A row outlives the trial: what was seen cannot be unseen.
CREATE TABLE ledger (
	trial            TEXT PRIMARY KEY,   -- id of the trial, which may be gone from this file
	account          INTEGER NOT NULL REFERENCES accounts (key),  -- that is charged
	sample_rate      REAL NOT NULL,      -- q of its steps
	noise_multiplier REAL NOT NULL,      -- sigma of its steps
	spent            INTEGER NOT NULL CHECK (spent >= 0),  -- steps really noised, over all noise streams
	held             INTEGER NOT NULL CHECK (held >= 0),   -- steps that attempts at it may yet make: reserved before the first gradient
	opened           TEXT NOT NULL,      -- when it first reserved
	changed          TEXT NOT NULL       -- when spent or held last changed
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_by_account ON ledger (account, changed);

CREATE TRIGGER ledger_keeps BEFORE DELETE ON ledger BEGIN
	SELECT RAISE(ABORT, 'the ledger refunds nothing: what was done to the data stays done');
END;

CREATE TRIGGER ledger_rises BEFORE UPDATE OF spent ON ledger WHEN new.spent < old.spent BEGIN
	SELECT RAISE(ABORT, 'the ledger refunds nothing: steps that were made stay made');
END;

-- Steps that one attempt may yet make. Ends with the attempt; that of a lost one when it can no longer be alive.
CREATE TABLE holds (
	trial   TEXT NOT NULL REFERENCES ledger (trial),  -- it is at
	attempt INTEGER NOT NULL,            -- its number: the token by which it may write
	steps   INTEGER NOT NULL CHECK (steps >= 0),  -- beyond those its noise stream is charged with
	until   TEXT,                        -- NULL while it runs; when a lost one is certainly over
	PRIMARY KEY (trial, attempt)
) STRICT, WITHOUT ROWID;

CREATE INDEX holds_until ON holds (until) WHERE until IS NOT NULL;

-- The sums of ledger by kind of step, kept by triggers, so that a claim need not add up all trials.
CREATE TABLE ledger_totals (
	account          INTEGER NOT NULL REFERENCES accounts (key),  -- whose
	sample_rate      REAL NOT NULL,      -- q of these steps
	noise_multiplier REAL NOT NULL,      -- sigma of these steps
	spent            INTEGER NOT NULL,   -- steps made
	held             INTEGER NOT NULL,   -- steps reserved
	changed          INTEGER NOT NULL,   -- accounts.version at the last change
	PRIMARY KEY (account, sample_rate, noise_multiplier)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_totals_changed ON ledger_totals (account, changed);

CREATE TRIGGER ledger_opened AFTER INSERT ON ledger BEGIN
	UPDATE accounts SET version = version + 1 WHERE key = new.account;
	INSERT INTO ledger_totals VALUES (new.account, new.sample_rate, new.noise_multiplier, new.spent, new.held,
		(SELECT version FROM accounts WHERE key = new.account))
	ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, held = held + excluded.held, changed = excluded.changed;
END;

CREATE TRIGGER ledger_changed AFTER UPDATE ON ledger
WHEN old.account <> new.account OR old.spent <> new.spent OR old.held <> new.held BEGIN
	UPDATE accounts SET version = version + 1 WHERE key IN (old.account, new.account);
	UPDATE ledger_totals SET spent = spent - old.spent, held = held - old.held, changed = (SELECT version FROM accounts WHERE key = old.account)
	WHERE account = old.account AND sample_rate = old.sample_rate AND noise_multiplier = old.noise_multiplier;
	INSERT INTO ledger_totals VALUES (new.account, new.sample_rate, new.noise_multiplier, new.spent, new.held,
		(SELECT version FROM accounts WHERE key = new.account))
	ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, held = held + excluded.held, changed = excluded.changed;
END;

-- What accounts are charged with besides trials' steps: private selections, of which only the winner is ever seen.
CREATE TABLE ledger_events (
	account INTEGER NOT NULL REFERENCES accounts (key),  -- that is charged
	sweep   TEXT NOT NULL,               -- id of the sweep, which may be gone from this file
	created TEXT NOT NULL,               -- when it was charged: before the first run
	event   TEXT NOT NULL CHECK (json_valid(event)),  -- as package privacy writes it
	PRIMARY KEY (account, sweep)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER ledger_events_keep BEFORE DELETE ON ledger_events BEGIN
	SELECT RAISE(ABORT, 'the ledger refunds nothing: what was done to the data stays done');
END;

CREATE TRIGGER ledger_events_opened AFTER INSERT ON ledger_events BEGIN
	UPDATE accounts SET version = version + 1 WHERE key = new.account;
END;

-- Trials that are to be run again, which come first.
CREATE INDEX sweep_trials_again ON sweep_trials (sweep, state, position) WHERE forgiven > 0;

-- What each data set's account holds, and the budget that stands.
CREATE VIEW ledger_accounts AS
SELECT
	a.key AS account, (SELECT group_concat(name, ', ') FROM account_names n WHERE n.account = a.key) AS data, a.unit, a.relation,
	coalesce((SELECT sum(spent) FROM ledger_totals t WHERE t.account = a.key), 0) AS spent,
	coalesce((SELECT sum(held) FROM ledger_totals t WHERE t.account = a.key), 0) AS held,
	(SELECT count(*) FROM ledger_events e WHERE e.account = a.key) AS selections,
	(SELECT epsilon FROM budgets b WHERE b.account = a.key ORDER BY number DESC LIMIT 1) AS budget_epsilon,
	(SELECT delta FROM budgets b WHERE b.account = a.key ORDER BY number DESC LIMIT 1) AS budget_delta
FROM accounts a;

-- The ledger's journal: every reservation, and how it ended.
CREATE VIEW ledger_history AS
SELECT a.started AS at, t.data, t.id AS trial, a.number AS attempt, 'reserve' AS entry, t.steps AS steps, s.id AS sweep
FROM attempts a JOIN trials t ON t.key = a.trial JOIN sweeps s ON s.key = a.sweep
UNION ALL
SELECT a.ended, t.data, t.id, a.number, CASE WHEN a.failure IS NULL THEN 'commit' ELSE 'abandon' END, a.last_step, s.id
FROM attempts a JOIN trials t ON t.key = a.trial JOIN sweeps s ON s.key = a.sweep WHERE a.ended IS NOT NULL;

-- What trials did before there was a ledger.
INSERT INTO accounts (key, unit, relation, version)
SELECT row_number() OVER (ORDER BY data), 'example', 'add_remove', 0 FROM (SELECT DISTINCT data FROM trials);
INSERT INTO account_names (name, account) SELECT data, row_number() OVER (ORDER BY data) FROM (SELECT DISTINCT data FROM trials);
INSERT INTO fingerprints (digest, name, train_examples, validation_examples, first_seen)
SELECT o.data_digest, t.data, min(t.train_examples), min(t.validation_examples), min(o.recorded)
FROM outcomes o JOIN trials t ON t.key = o.trial GROUP BY o.data_digest, t.data;
INSERT INTO ledger (trial, account, sample_rate, noise_multiplier, spent, held, opened, changed)
SELECT t.id, n.account, t.sampling_rate, t.noise_multiplier, e.steps, 0, a.opened, a.changed
FROM privacy_events e JOIN trials t ON t.key = e.trial JOIN account_names n ON n.name = t.data
JOIN (SELECT trial, min(started) AS opened, max(coalesce(ended, started)) AS changed FROM attempts GROUP BY trial) a ON a.trial = t.key;
