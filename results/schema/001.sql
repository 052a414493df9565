-- The record of sweeps, schema version 1. What was done stands in tables, one
-- fact in one place; what follows from it is a view, or a table that says so.
-- Times are UTC, ISO 8601 to the millisecond. Accuracies and shares are 0 to 1.

CREATE TABLE sweeps (
	key        INTEGER PRIMARY KEY,      -- for joins within this file; names nothing outside it
	id         TEXT NOT NULL UNIQUE,     -- its name and the start of its first file's digest
	name       TEXT NOT NULL,            -- as its file gives it
	created    TEXT NOT NULL,            -- when it entered the record
	revision   INTEGER NOT NULL,         -- number of the newest of its files; see revisions
	state      TEXT NOT NULL CHECK (state IN ('created', 'running', 'paused', 'stopping', 'stopped', 'completed', 'failed')),
	                                     -- created: not started; stopped: trials are left; failed: none is left, and some failed
	reason     TEXT NOT NULL,            -- why it is in that state, for people; '' if that needs no words
	changed    TEXT NOT NULL,            -- when the state last changed
	accountant TEXT NOT NULL,            -- whose epsilon is shown; at first the one its file names
	delta      REAL NOT NULL CHECK (delta > 0 AND delta < 1),  -- of the newest file
	disclosure TEXT NOT NULL             -- research: epsilon does not count the search; composed: it counts every trial
) STRICT;

CREATE INDEX sweeps_by_name ON sweeps (name, created);

-- Every text a sweep's file ever had: a changed file under the same name extends the sweep.
CREATE TABLE revisions (
	sweep      INTEGER NOT NULL REFERENCES sweeps (key),  -- whose file it is
	number     INTEGER NOT NULL CHECK (number >= 1),  -- 1 is the file the sweep began with
	created    TEXT NOT NULL,            -- when it entered the record
	file       TEXT NOT NULL,            -- path it was read from, as it was given
	text       TEXT NOT NULL,            -- the whole file
	accountant TEXT NOT NULL,            -- the accountant it names
	delta      REAL NOT NULL,            -- the delta it asks for
	disclosure TEXT NOT NULL,            -- what it says of the search's cost
	versions   TEXT NOT NULL CHECK (json_valid(versions)),  -- JSON object: version of each program and library that read it
	PRIMARY KEY (sweep, number)
) STRICT;

-- One row for each set of parameters with one seed, whichever sweeps ask for it.
CREATE TABLE trials (
	key                 INTEGER PRIMARY KEY,   -- for joins within this file
	id                  TEXT NOT NULL UNIQUE,  -- digest of params: its name for ever
	point               TEXT NOT NULL,         -- digest of params without seed: repeats share it
	state               TEXT NOT NULL CHECK (state IN ('pending', 'running', 'completed', 'failed', 'stopped')),  -- where it stands; stopped: cancelled, goes on from its checkpoint
	attempt             INTEGER NOT NULL CHECK (attempt >= 0),  -- number of its newest attempt, the only one that may write; 0 before the first
	data                TEXT NOT NULL,         -- data set
	train_examples      INTEGER NOT NULL,      -- N: examples trained on
	validation_examples INTEGER NOT NULL,      -- held out to measure accuracy; 0 measures on the test part
	model               TEXT NOT NULL,         -- architecture
	batch_size          INTEGER NOT NULL,      -- B: expected Poisson batch, in examples before augmentation
	clip_norm           REAL NOT NULL,         -- C: bound on the L2 norm of one example's gradient
	noise_multiplier    REAL NOT NULL,         -- sigma: noise standard deviation over clip_norm; 0 is not private
	learning_rate       REAL NOT NULL,         -- eta: step size
	augmult             INTEGER NOT NULL,      -- K: views averaged before clipping; 0 is the plain image
	augment             TEXT NOT NULL,         -- what a view is; '' where augmult is 0
	steps               INTEGER NOT NULL,      -- T: updates
	ema                 REAL NOT NULL,         -- decay of the weights' moving average
	noise               TEXT NOT NULL,         -- secure, or seeded: whoever knows the seed can subtract the noise
	trainer             TEXT NOT NULL,         -- '' is the built-in one; another by its digest
	seed                INTEGER NOT NULL,      -- of initial weights and views, and of all else where noise is seeded
	sampling_rate       REAL GENERATED ALWAYS AS (CAST(batch_size AS REAL) / train_examples) VIRTUAL,  -- q: chance that an example enters a step's batch
	params              TEXT NOT NULL CHECK (json_valid(params))  -- canonical JSON, all of the above and an external trainer's options
) STRICT;

CREATE INDEX trials_by_point ON trials (point);

-- Which sweep asks for which trial, and as what.
CREATE TABLE sweep_trials (
	sweep          INTEGER NOT NULL REFERENCES sweeps (key),  -- that asks
	trial          INTEGER NOT NULL REFERENCES trials (key),  -- for that trial
	position       INTEGER NOT NULL,      -- in the order of the grid, from 0
	repeat         INTEGER NOT NULL,      -- of its point, from 0
	label          TEXT NOT NULL,         -- what varies in the sweep, for people
	target_epsilon REAL CHECK (target_epsilon > 0),  -- the noise was calibrated for it; infinite for the baseline without noise; NULL where the file gave the noise multiplier
	delta          REAL NOT NULL CHECK (delta > 0 AND delta < 1),  -- at which epsilon is asked
	revision       INTEGER NOT NULL,      -- newest of the sweep's files that lists it
	gone           INTEGER NOT NULL CHECK (gone IN (0, 1)),  -- 1: the sweep's file lists it no more; it is not run, its result stays
	forgiven       INTEGER NOT NULL,      -- failures of attempts up to this number do not count any more: somebody said retry
	state          TEXT NOT NULL,         -- trials.state, copied by trigger so that one index counts and finds
	PRIMARY KEY (sweep, trial)
) STRICT, WITHOUT ROWID;

CREATE INDEX sweep_trials_by_state ON sweep_trials (sweep, gone, state, position);
CREATE UNIQUE INDEX sweep_trials_by_trial ON sweep_trials (trial, sweep);

CREATE TRIGGER trials_state AFTER UPDATE OF state ON trials WHEN new.state <> old.state BEGIN
	UPDATE sweep_trials SET state = new.state WHERE trial = new.key;
END;

-- One row for each try at running a trial.
CREATE TABLE attempts (
	trial     INTEGER NOT NULL REFERENCES trials (key),  -- that it runs
	number    INTEGER NOT NULL CHECK (number >= 1),  -- counts from 1 for each trial; the highest is the fencing token
	sweep     INTEGER NOT NULL REFERENCES sweeps (key),  -- on whose behalf
	worker    TEXT NOT NULL,             -- identity of the worker that ran it; '' until it has reported
	started   TEXT NOT NULL,             -- when it was claimed
	ended     TEXT,                      -- NULL while it may still write
	from_step INTEGER,                   -- step of the checkpoint it went on from, 0 for a fresh start; NULL until it has reported
	last_step INTEGER NOT NULL,          -- furthest step it reported
	noise_id  TEXT,                      -- public name of its noise stream, equal exactly when the key is; NULL until it has reported
	failure   TEXT,                      -- why it ended without an outcome; NULL while it runs, and where it completed the trial
	reason    TEXT NOT NULL,             -- the same for people, one line
	log_tail  TEXT NOT NULL,             -- last lines that the trainer printed, where it failed
	report_bytes INTEGER NOT NULL,       -- of its report, from the start, that are in this record
	PRIMARY KEY (trial, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_open ON attempts (sweep, trial) WHERE ended IS NULL;
CREATE INDEX attempts_by_end ON attempts (sweep, ended);

CREATE TABLE metric_names (
	key  INTEGER PRIMARY KEY,            -- what metrics.name refers to
	name TEXT NOT NULL UNIQUE            -- "loss", "grad_norm_mean", "validation/accuracy", ...
) STRICT;

-- Numbers measured while training. Kept narrow: there may be tens of millions. See the view curves.
CREATE TABLE metrics (
	trial   INTEGER NOT NULL REFERENCES trials (key),        -- it was measured in
	name    INTEGER NOT NULL REFERENCES metric_names (key),  -- what was measured
	attempt INTEGER NOT NULL,            -- that measured it; an attempt that went on from a checkpoint repeats the steps after it
	step    INTEGER NOT NULL,            -- updates made when it was measured
	value   REAL,                        -- in the metric's own unit; NULL where it was not a number
	PRIMARY KEY (trial, name, attempt, step)
) STRICT, WITHOUT ROWID;

-- What a completed trial measured: of the weights after the last step, never of the best step.
CREATE TABLE outcomes (
	trial          INTEGER PRIMARY KEY REFERENCES trials (key),  -- that is completed
	attempt        INTEGER NOT NULL,     -- number of the attempt that finished it
	recorded       TEXT NOT NULL,        -- when it was entered
	accuracy       REAL NOT NULL CHECK (accuracy BETWEEN 0 AND 1),       -- of the averaged (EMA) weights
	last_accuracy  REAL NOT NULL CHECK (last_accuracy BETWEEN 0 AND 1),  -- of the last weights themselves
	loss           REAL NOT NULL,        -- mean cross-entropy of the averaged weights, in nats
	split          TEXT NOT NULL,        -- part of the data that was measured on: validation, or test
	examples       INTEGER NOT NULL,     -- how many examples were measured on
	steps          INTEGER NOT NULL,     -- updates made; equal to trials.steps
	non_finite     INTEGER NOT NULL,     -- per-example gradients that were not finite and counted as zero
	data_digest    TEXT NOT NULL,        -- of examples, labels and split
	weights_digest TEXT NOT NULL,        -- of the averaged weights
	trainer        TEXT NOT NULL,        -- name and version of the program that trained
	seconds        REAL NOT NULL         -- training time of the attempt that finished it
) STRICT;

-- What each trial did to its data. Derived from trials and attempts, rewritten whenever they change; recount refills it.
CREATE TABLE privacy_events (
	trial    INTEGER PRIMARY KEY REFERENCES trials (key),  -- that has made steps
	steps    INTEGER NOT NULL CHECK (steps >= 1),     -- charged: those of all noise streams together
	repeated INTEGER NOT NULL CHECK (repeated >= 0),  -- of them, made again with fresh noise because the trial had to start over
	event    TEXT NOT NULL CHECK (json_valid(event))  -- as package privacy writes it, which any accountant can price
) STRICT;

CREATE INDEX privacy_events_repeated ON privacy_events (trial) WHERE repeated > 0;

-- What that cost. Derived from privacy_events; recount empties and refills it.
CREATE TABLE costs (
	trial      INTEGER NOT NULL REFERENCES trials (key),  -- that cost it
	delta      REAL NOT NULL CHECK (delta > 0 AND delta < 1),  -- at which epsilon holds
	accountant TEXT NOT NULL,            -- name of the accountant who says so
	version    TEXT NOT NULL,            -- its name and edition
	epsilon    REAL NOT NULL CHECK (epsilon >= 0),  -- upper bound, not rounded; infinite if nothing was private
	PRIMARY KEY (trial, delta, accountant)
) STRICT, WITHOUT ROWID;

-- Checkpoints that attempts announced. The files lie in the trial's folder and go when it is recorded.
CREATE TABLE checkpoints (
	trial   INTEGER NOT NULL REFERENCES trials (key),  -- it belongs to
	attempt INTEGER NOT NULL,            -- number of the attempt that wrote it
	step    INTEGER NOT NULL,            -- updates made when it was written
	file    TEXT NOT NULL,               -- name within the trial's folder
	digest  TEXT NOT NULL,               -- of the file
	bytes   INTEGER NOT NULL,            -- size of the file
	PRIMARY KEY (trial, attempt, step, file)
) STRICT, WITHOUT ROWID;

-- Lines about attempts, for people.
CREATE TABLE notes (
	key     INTEGER PRIMARY KEY,         -- rising in the order they came
	trial   INTEGER NOT NULL REFERENCES trials (key),  -- they are about
	attempt INTEGER NOT NULL,            -- number of the attempt
	step    INTEGER NOT NULL,            -- updates made when it was written
	text    TEXT NOT NULL                -- one line
) STRICT;

CREATE INDEX notes_by_trial ON notes (trial);

-- Each trial of each sweep with what it cost and what came of it.
CREATE VIEW trial_results AS
SELECT
	s.id AS sweep, s.name AS sweep_name,
	st.position, t.id AS trial, t.point, st.repeat, st.label, t.state, t.attempt AS attempts, st.gone,
	st.target_epsilon, c.epsilon, st.delta, s.accountant,      -- epsilon: upper bound for this trial alone; NULL until it is known
	o.accuracy, o.last_accuracy, o.loss, o.split, o.examples,
	t.data, t.model, t.batch_size, t.clip_norm, t.noise_multiplier, t.learning_rate, t.augmult, t.augment,
	t.steps, t.ema, t.noise, t.seed, t.train_examples, t.sampling_rate,
	o.seconds, o.recorded, a.worker, a.failure, a.reason       -- worker, failure and reason are the newest attempt's
FROM sweeps s
JOIN sweep_trials st ON st.sweep = s.key
JOIN trials t ON t.key = st.trial
LEFT JOIN outcomes o ON o.trial = t.key
LEFT JOIN costs c ON c.trial = t.key AND c.delta = st.delta AND c.accountant = s.accountant
LEFT JOIN attempts a ON a.trial = t.key AND a.number = t.attempt;

-- Each point of each sweep over its completed repeats. The standard deviation divides by n - 1 and is NULL for one repeat.
CREATE VIEW point_results AS
SELECT
	sweep, point, target_epsilon, delta, epsilon, n, unpriced, accuracy,
	CASE WHEN n > 1 THEN sqrt(CASE WHEN low = high THEN 0.0 ELSE max(0.0, (squares - n * accuracy * accuracy) / (n - 1)) END) END AS accuracy_std,
	trial
FROM (
	SELECT
		st.sweep, t.point, st.target_epsilon, st.delta,
		max(c.epsilon) AS epsilon,  -- a repeat that had to start over with fresh noise cost more
		count(*) AS n, count(*) - count(c.epsilon) AS unpriced,  -- repeats whose epsilon is not known
		avg(o.accuracy) AS accuracy, sum(o.accuracy * o.accuracy) AS squares,
		min(o.accuracy) AS low, max(o.accuracy) AS high,
		min(t.key) AS trial         -- one of the repeats, for its parameters
	FROM sweeps s
	JOIN sweep_trials st ON st.sweep = s.key
	JOIN trials t ON t.key = st.trial
	JOIN outcomes o ON o.trial = t.key
	LEFT JOIN costs c ON c.trial = t.key AND c.delta = st.delta AND c.accountant = s.accountant
	WHERE t.state = 'completed'
	GROUP BY st.sweep, t.point, st.target_epsilon, st.delta
);

-- For each sweep and target epsilon (or computed epsilon, where the file gave noise multipliers) the point with the
-- highest mean accuracy of the averaged weights after the last step. Epsilon does not count the search for that point.
CREATE VIEW frontier AS
SELECT
	s.id AS sweep, r.target_epsilon, r.epsilon, r.delta, s.accountant,
	r.accuracy, r.accuracy_std, r.n, r.points, r.trials,       -- n: repeats; points and trials: how many it is the best of
	t.data, t.model, t.batch_size, t.clip_norm, t.noise_multiplier, t.learning_rate, t.augmult, t.steps, t.noise, r.point
FROM (
	SELECT *,
		row_number() OVER (best ORDER BY accuracy DESC, n DESC, point) AS place,
		count(*) OVER best AS points,
		sum(n) OVER best AS trials
	FROM point_results
	WINDOW best AS (PARTITION BY sweep, delta, coalesce(target_epsilon, epsilon), target_epsilon IS NULL)
) r
JOIN sweeps s ON s.key = r.sweep
JOIN trials t ON t.key = r.trial
WHERE r.place = 1
ORDER BY s.key, r.delta, coalesce(r.target_epsilon, r.epsilon);

-- How far each sweep is. Trials that its file lists no more count as gone, and as nothing else.
CREATE VIEW sweep_progress AS
SELECT
	s.id AS sweep, s.name, s.state, s.reason, s.created, s.changed,
	coalesce(sum(n) FILTER (WHERE gone = 0), 0) AS trials,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND st.state = 'pending'), 0) AS pending,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND st.state = 'running'), 0) AS running,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND st.state = 'completed'), 0) AS completed,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND st.state = 'failed'), 0) AS failed,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND st.state = 'stopped'), 0) AS stopped,
	coalesce(sum(n) FILTER (WHERE gone = 1), 0) AS gone
FROM sweeps s
LEFT JOIN (SELECT sweep, gone, state, count(*) AS n FROM sweep_trials GROUP BY sweep, gone, state) st ON st.sweep = s.key
GROUP BY s.key
ORDER BY s.created, s.key;

-- Metrics by name. Where attempts overlap, the newest attempt's value of a step is the one that stands.
CREATE VIEW curves AS
SELECT t.id AS trial, n.name, m.attempt, m.step, m.value
FROM metrics m
JOIN trials t ON t.key = m.trial
JOIN metric_names n ON n.key = m.name
WHERE NOT EXISTS (
	SELECT 1 FROM metrics later
	WHERE later.trial = m.trial AND later.name = m.name AND later.attempt > m.attempt AND later.step = m.step
);
