-- Sums that commands and pages ask for all the time, kept so that 100,000 trials need not be added up for each.

-- How many of a sweep's trials are in which state. The view computed_counts holds the same.
CREATE TABLE sweep_counts (
	sweep INTEGER NOT NULL REFERENCES sweeps (key),  -- whose trials
	gone  INTEGER NOT NULL,              -- sweep_trials.gone
	state TEXT NOT NULL,                 -- trials.state
	n     INTEGER NOT NULL,              -- trials
	PRIMARY KEY (sweep, gone, state)
) STRICT, WITHOUT ROWID;

-- The same, counted.
CREATE VIEW computed_counts AS
SELECT sweep, gone, state, count(*) AS n FROM sweep_trials GROUP BY sweep, gone, state;

INSERT INTO sweep_counts SELECT * FROM computed_counts;

CREATE TRIGGER counts_in AFTER INSERT ON sweep_trials BEGIN
	INSERT INTO sweep_counts VALUES (new.sweep, new.gone, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER counts_out AFTER DELETE ON sweep_trials BEGIN
	UPDATE sweep_counts SET n = n - 1 WHERE sweep = old.sweep AND gone = old.gone AND state = old.state;
	DELETE FROM sweep_counts WHERE sweep = old.sweep AND gone = old.gone AND state = old.state AND n = 0;
END;

CREATE TRIGGER counts_moved AFTER UPDATE OF gone, state ON sweep_trials WHEN new.gone <> old.gone OR new.state <> old.state BEGIN
	INSERT INTO sweep_counts VALUES (new.sweep, new.gone, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
	UPDATE sweep_counts SET n = n - 1 WHERE sweep = old.sweep AND gone = old.gone AND state = old.state;
	DELETE FROM sweep_counts WHERE sweep = old.sweep AND gone = old.gone AND state = old.state AND n = 0;
END;

-- How far each sweep is.
DROP VIEW sweep_progress;
CREATE VIEW sweep_progress AS
SELECT
	s.id AS sweep, s.name, s.state, s.reason, s.created, s.changed,
	coalesce(sum(n) FILTER (WHERE gone = 0), 0) AS trials,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND c.state = 'pending'), 0) AS pending,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND c.state = 'running'), 0) AS running,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND c.state = 'completed'), 0) AS completed,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND c.state = 'failed'), 0) AS failed,
	coalesce(sum(n) FILTER (WHERE gone = 0 AND c.state = 'stopped'), 0) AS stopped,
	coalesce(sum(n) FILTER (WHERE gone = 1), 0) AS gone
FROM sweeps s
LEFT JOIN sweep_counts c ON c.sweep = s.key
GROUP BY s.key
ORDER BY s.created, s.key;

-- Steps that a sweep's trials are charged with, and those that running ones have before them, by kind of step. The
-- view computed_steps holds the same.
CREATE TABLE sweep_steps (
	sweep            INTEGER NOT NULL REFERENCES sweeps (key),  -- whose trials
	sample_rate      REAL NOT NULL,      -- q of these steps
	noise_multiplier REAL NOT NULL,      -- sigma of these steps
	steps            INTEGER NOT NULL,   -- privacy_events.steps, and trials.steps of running trials besides
	PRIMARY KEY (sweep, sample_rate, noise_multiplier)
) STRICT, WITHOUT ROWID;

-- What each trial adds to that.
CREATE VIEW steps_of_trials AS
SELECT t.key AS trial, t.sampling_rate AS sample_rate, t.noise_multiplier, coalesce(e.steps, 0) + iif(t.state = 'running', t.steps, 0) AS steps
FROM trials t LEFT JOIN privacy_events e ON e.trial = t.key;

-- The same, added up.
CREATE VIEW computed_steps AS
SELECT st.sweep, k.sample_rate, k.noise_multiplier, sum(k.steps) AS steps
FROM sweep_trials st CROSS JOIN steps_of_trials k ON k.trial = st.trial
WHERE k.steps <> 0 GROUP BY st.sweep, k.sample_rate, k.noise_multiplier;

INSERT INTO sweep_steps SELECT * FROM computed_steps;

-- Empty. Inserting a trial and a number here adds so many steps of its kind to each sweep that lists it.
CREATE VIEW moved_steps AS SELECT key AS trial, steps FROM trials WHERE 0;

CREATE TRIGGER moved_steps_add INSTEAD OF INSERT ON moved_steps WHEN new.steps <> 0 BEGIN
	INSERT INTO sweep_steps
	SELECT st.sweep, t.sampling_rate, t.noise_multiplier, new.steps FROM trials t CROSS JOIN sweep_trials st ON st.trial = t.key WHERE t.key = new.trial
	ON CONFLICT DO UPDATE SET steps = steps + excluded.steps;
	DELETE FROM sweep_steps WHERE steps = 0 AND (sweep, sample_rate, noise_multiplier) IN (
		SELECT st.sweep, t.sampling_rate, t.noise_multiplier FROM trials t CROSS JOIN sweep_trials st ON st.trial = t.key WHERE t.key = new.trial);
END;

CREATE TRIGGER steps_event_in AFTER INSERT ON privacy_events BEGIN
	INSERT INTO moved_steps VALUES (new.trial, new.steps);
END;

CREATE TRIGGER steps_event_out AFTER DELETE ON privacy_events BEGIN
	INSERT INTO moved_steps VALUES (old.trial, -old.steps);
END;

CREATE TRIGGER steps_event_changed AFTER UPDATE OF steps ON privacy_events WHEN new.steps <> old.steps BEGIN
	INSERT INTO moved_steps VALUES (new.trial, new.steps - old.steps);
END;

CREATE TRIGGER steps_state AFTER UPDATE OF state, steps ON trials
WHEN new.batch_size = old.batch_size AND new.train_examples = old.train_examples AND new.noise_multiplier = old.noise_multiplier BEGIN
	INSERT INTO moved_steps VALUES (new.key, iif(new.state = 'running', new.steps, 0) - iif(old.state = 'running', old.steps, 0));
END;

CREATE TRIGGER steps_kind_out BEFORE UPDATE OF batch_size, train_examples, noise_multiplier ON trials
WHEN new.batch_size <> old.batch_size OR new.train_examples <> old.train_examples OR new.noise_multiplier <> old.noise_multiplier BEGIN
	INSERT INTO moved_steps SELECT trial, -steps FROM steps_of_trials WHERE trial = old.key;
END;

CREATE TRIGGER steps_kind_in AFTER UPDATE OF batch_size, train_examples, noise_multiplier ON trials
WHEN new.batch_size <> old.batch_size OR new.train_examples <> old.train_examples OR new.noise_multiplier <> old.noise_multiplier BEGIN
	INSERT INTO moved_steps SELECT trial, steps FROM steps_of_trials WHERE trial = new.key;
END;

CREATE TRIGGER steps_listed AFTER INSERT ON sweep_trials WHEN new.state <> 'pending' OR EXISTS (SELECT 1 FROM privacy_events WHERE trial = new.trial) BEGIN
	INSERT INTO sweep_steps SELECT new.sweep, sample_rate, noise_multiplier, steps FROM steps_of_trials WHERE trial = new.trial AND steps <> 0
	ON CONFLICT DO UPDATE SET steps = steps + excluded.steps;
END;

CREATE TRIGGER steps_unlisted AFTER DELETE ON sweep_trials BEGIN
	INSERT INTO sweep_steps SELECT old.sweep, sample_rate, noise_multiplier, -steps FROM steps_of_trials WHERE trial = old.trial AND steps <> 0
	ON CONFLICT DO UPDATE SET steps = steps + excluded.steps;
	DELETE FROM sweep_steps WHERE steps = 0 AND (sweep, sample_rate, noise_multiplier) IN (
		SELECT old.sweep, sample_rate, noise_multiplier FROM steps_of_trials WHERE trial = old.trial);
END;

-- Noise streams of other records' attempts at trials that were running here when those records were imported.
CREATE TABLE imported_streams (
	trial    INTEGER NOT NULL REFERENCES trials (key),  -- whose noise it was
	noise_id TEXT NOT NULL,              -- public name of the stream; '' of attempts that named none
	steps    INTEGER NOT NULL CHECK (steps >= 0),  -- furthest step reported under that name there
	PRIMARY KEY (trial, noise_id)
) STRICT, WITHOUT ROWID;

-- Points know which cell of a plot they are drawn in.
ALTER TABLE points ADD COLUMN epsilon_cell INTEGER;                      -- 12 times the logarithm of epsilon, or of target_epsilon where epsilon is unknown; NULL if both are, or infinite
ALTER TABLE points ADD COLUMN accuracy_cell INTEGER NOT NULL DEFAULT 0;  -- 120 times accuracy

DROP VIEW computed_points;

-- Each point of each sweep over its completed repeats, stand-ins left out. The table points holds the same.
CREATE VIEW computed_points AS
SELECT
	sweep, point, target_epsilon, delta, epsilon, n, unpriced, accuracy,
	CASE WHEN n > 1 THEN sqrt(CASE WHEN low = high THEN 0.0 ELSE max(0.0, (squares - n * accuracy * accuracy) / (n - 1)) END) END AS accuracy_std,
	trial, external, data_digests,
	CASE WHEN coalesce(epsilon, target_epsilon) BETWEEN 1e-300 AND 1e300 THEN CAST(12 * ln(coalesce(epsilon, target_epsilon)) AS INTEGER) END AS epsilon_cell,
	CAST(120 * accuracy AS INTEGER) AS accuracy_cell
FROM (
	SELECT
		st.sweep, t.point, st.target_epsilon, st.delta,
		max(c.epsilon) AS epsilon,  -- a repeat that had to start over with fresh noise cost more
		count(*) AS n, count(*) - count(c.epsilon) AS unpriced,  -- repeats whose epsilon is not known
		avg(o.accuracy) AS accuracy, sum(o.accuracy * o.accuracy) AS squares,
		min(o.accuracy) AS low, max(o.accuracy) AS high,
		min(t.key) AS trial,        -- one of the repeats, for its parameters
		count(*) FILTER (WHERE t.trainer <> '') AS external,
		group_concat(DISTINCT o.data_digest) AS data_digests
	FROM trials t
	CROSS JOIN sweep_trials st ON st.trial = t.key  -- CROSS: in this order, so that one point is found by its index
	JOIN sweeps s ON s.key = st.sweep
	JOIN outcomes o ON o.trial = t.key
	LEFT JOIN costs c ON c.trial = t.key AND c.delta = st.delta AND c.accountant = s.accountant
	WHERE t.state = 'completed' AND st.proxy = 0
	GROUP BY st.sweep, t.point, st.target_epsilon, st.delta
);

UPDATE points SET
	epsilon_cell = CASE WHEN coalesce(epsilon, target_epsilon) BETWEEN 1e-300 AND 1e300 THEN CAST(12 * ln(coalesce(epsilon, target_epsilon)) AS INTEGER) END,
	accuracy_cell = CAST(120 * accuracy AS INTEGER);

DROP TRIGGER points_add_up;
CREATE TRIGGER points_add_up INSTEAD OF INSERT ON stale_points BEGIN
	DELETE FROM points WHERE sweep = new.sweep AND point = new.point;
	INSERT INTO points (sweep, point, target_epsilon, delta, epsilon, n, unpriced, accuracy, accuracy_std, trial, external, data_digests, epsilon_cell, accuracy_cell)
	SELECT * FROM computed_points WHERE sweep = new.sweep AND point = new.point;
END;

-- A trial that stood in for another one may turn into one that counts.
DROP TRIGGER points_asked;
CREATE TRIGGER points_asked AFTER UPDATE OF target_epsilon, delta, proxy ON sweep_trials
WHEN (new.target_epsilon IS NOT old.target_epsilon OR new.delta <> old.delta OR new.proxy <> old.proxy) AND EXISTS (SELECT 1 FROM outcomes WHERE trial = new.trial) BEGIN
	INSERT INTO stale_points SELECT new.sweep, t.point FROM trials t WHERE t.key = new.trial;
END;

-- All that a plot, and the spread over seeds, want of points.
CREATE INDEX points_by_cell ON points (sweep, epsilon_cell, accuracy_cell, accuracy, trial, epsilon, target_epsilon, n, accuracy_std);
-- Where the file gave noise multipliers points compete at the epsilon that they spent.
CREATE INDEX points_by_epsilon ON points (sweep, delta, epsilon, accuracy, n) WHERE target_epsilon IS NULL;

-- Points by what a frontier's doubts depend on. The view computed_totals holds the same.
CREATE TABLE point_totals (
	sweep          INTEGER NOT NULL REFERENCES sweeps (key),  -- whose points
	delta          REAL NOT NULL,        -- points.delta
	target         REAL NOT NULL,        -- points.target_epsilon; 0 where the file gave noise multipliers
	n              INTEGER NOT NULL,     -- points.n
	data_digests   TEXT NOT NULL,        -- points.data_digests
	points         INTEGER NOT NULL,     -- how many there are
	unpriced       INTEGER NOT NULL,     -- the sum of points.unpriced
	external       INTEGER NOT NULL,     -- the sum of points.external
	PRIMARY KEY (sweep, delta, target, n, data_digests)
) STRICT, WITHOUT ROWID;

-- The same, added up.
CREATE VIEW computed_totals AS
SELECT sweep, delta, coalesce(target_epsilon, 0.0) AS target, n, data_digests, count(*) AS points, sum(unpriced) AS unpriced, sum(external) AS external
FROM points GROUP BY 1, 2, 3, 4, 5;

INSERT INTO point_totals SELECT * FROM computed_totals;

CREATE TRIGGER totals_in AFTER INSERT ON points BEGIN
	INSERT INTO point_totals VALUES (new.sweep, new.delta, coalesce(new.target_epsilon, 0.0), new.n, new.data_digests, 1, new.unpriced, new.external)
	ON CONFLICT DO UPDATE SET points = points + 1, unpriced = unpriced + excluded.unpriced, external = external + excluded.external;
END;

CREATE TRIGGER totals_out AFTER DELETE ON points BEGIN
	UPDATE point_totals SET points = points - 1, unpriced = unpriced - old.unpriced, external = external - old.external
	WHERE sweep = old.sweep AND delta = old.delta AND target = coalesce(old.target_epsilon, 0.0) AND n = old.n AND data_digests = old.data_digests;
	DELETE FROM point_totals
	WHERE sweep = old.sweep AND delta = old.delta AND target = coalesce(old.target_epsilon, 0.0) AND n = old.n AND data_digests = old.data_digests AND points = 0;
END;

-- For each sweep and target epsilon (or computed epsilon, where the file gave noise multipliers) the point with the
-- highest mean accuracy of the averaged weights after the last step. Epsilon does not count the search for that point.
DROP VIEW frontier;
CREATE VIEW frontier AS
SELECT
	s.id AS sweep, p.target_epsilon, p.epsilon, p.delta, s.accountant,
	p.accuracy, p.accuracy_std, p.n, g.points, g.trials,       -- n: repeats; points and trials: how many it is the best of
	t.data, t.model, t.batch_size, t.clip_norm, t.noise_multiplier, t.learning_rate, t.augmult, t.steps, t.noise, p.point
FROM (
	SELECT points, trials, (
		SELECT key FROM points b WHERE b.sweep = q.sweep AND b.delta = q.delta AND b.target_epsilon = q.target
		ORDER BY accuracy DESC, n DESC, point LIMIT 1
	) AS key
	FROM (SELECT sweep, delta, target, sum(points) AS points, sum(points * n) AS trials FROM point_totals WHERE target > 0 GROUP BY sweep, delta, target) q
	UNION ALL
	SELECT points, trials, key FROM (
		SELECT key, row_number() OVER (best ORDER BY accuracy DESC, n DESC, point) AS place, count(*) OVER best AS points, sum(n) OVER best AS trials
		FROM points WHERE target_epsilon IS NULL WINDOW best AS (PARTITION BY sweep, delta, epsilon)
	) WHERE place = 1
) g
JOIN points p ON p.key = g.key
JOIN sweeps s ON s.key = p.sweep
JOIN trials t ON t.key = p.trial
ORDER BY s.key, p.delta, coalesce(p.target_epsilon, p.epsilon);
