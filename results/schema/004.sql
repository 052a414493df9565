-- Points of the grid over their completed repeats, kept so that a frontier of
-- 100,000 trials need not be added up each time somebody looks at it.

DROP VIEW frontier;
DROP VIEW point_results;

-- Each point of each sweep over its completed repeats, added up from trials. The table points holds the same.
CREATE VIEW computed_points AS
SELECT
	sweep, point, target_epsilon, delta, epsilon, n, unpriced, accuracy,
	CASE WHEN n > 1 THEN sqrt(CASE WHEN low = high THEN 0.0 ELSE max(0.0, (squares - n * accuracy * accuracy) / (n - 1)) END) END AS accuracy_std,
	trial, external, data_digests
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
	WHERE t.state = 'completed'
	GROUP BY st.sweep, t.point, st.target_epsilon, st.delta
);

-- The same, kept by triggers.
CREATE TABLE points (
	key            INTEGER PRIMARY KEY,  -- names nothing
	sweep          INTEGER NOT NULL REFERENCES sweeps (key),  -- whose point it is
	point          TEXT NOT NULL,        -- trials.point
	target_epsilon REAL,                 -- sweep_trials.target_epsilon
	delta          REAL NOT NULL,        -- sweep_trials.delta
	epsilon        REAL,                 -- the most that one of the repeats spent; NULL if none is priced
	n              INTEGER NOT NULL,     -- completed repeats
	unpriced       INTEGER NOT NULL,     -- of them, without an epsilon
	accuracy       REAL NOT NULL,        -- mean over repeats
	accuracy_std   REAL,                 -- standard deviation over repeats, dividing by n - 1; NULL for one
	trial          INTEGER NOT NULL REFERENCES trials (key),  -- one of the repeats
	external       INTEGER NOT NULL,     -- repeats trained by an external trainer
	data_digests   TEXT NOT NULL         -- different contents of the data that repeats saw, joined by commas
) STRICT;

CREATE INDEX points_by_point ON points (sweep, point);
CREATE INDEX points_by_accuracy ON points (sweep, delta, target_epsilon, accuracy);

INSERT INTO points (sweep, point, target_epsilon, delta, epsilon, n, unpriced, accuracy, accuracy_std, trial, external, data_digests)
SELECT * FROM computed_points;

-- Inserting a sweep's key and a point here adds that point up again.
CREATE VIEW stale_points AS SELECT sweep, point FROM points WHERE 0;

CREATE TRIGGER points_add_up INSTEAD OF INSERT ON stale_points BEGIN
	DELETE FROM points WHERE sweep = new.sweep AND point = new.point;
	INSERT INTO points (sweep, point, target_epsilon, delta, epsilon, n, unpriced, accuracy, accuracy_std, trial, external, data_digests)
	SELECT * FROM computed_points WHERE sweep = new.sweep AND point = new.point;
END;

CREATE TRIGGER points_outcome_in AFTER INSERT ON outcomes BEGIN
	INSERT INTO stale_points SELECT st.sweep, t.point FROM trials t JOIN sweep_trials st ON st.trial = t.key WHERE t.key = new.trial AND t.state = 'completed';
END;

CREATE TRIGGER points_outcome_out AFTER DELETE ON outcomes BEGIN
	INSERT INTO stale_points SELECT st.sweep, t.point FROM trials t JOIN sweep_trials st ON st.trial = t.key WHERE t.key = old.trial;
END;

CREATE TRIGGER points_outcome_changed AFTER UPDATE ON outcomes BEGIN
	INSERT INTO stale_points SELECT st.sweep, t.point FROM trials t JOIN sweep_trials st ON st.trial = t.key WHERE t.key = new.trial;
END;

CREATE TRIGGER points_state AFTER UPDATE OF state ON trials WHEN (new.state = 'completed') <> (old.state = 'completed') BEGIN
	INSERT INTO stale_points SELECT st.sweep, new.point FROM sweep_trials st WHERE st.trial = new.key;
END;

CREATE TRIGGER points_cost_in AFTER INSERT ON costs BEGIN
	INSERT INTO stale_points SELECT st.sweep, t.point FROM trials t JOIN sweep_trials st ON st.trial = t.key WHERE t.key = new.trial AND t.state = 'completed';
END;

CREATE TRIGGER points_cost_out AFTER DELETE ON costs BEGIN
	INSERT INTO stale_points SELECT st.sweep, t.point FROM trials t JOIN sweep_trials st ON st.trial = t.key WHERE t.key = old.trial AND t.state = 'completed';
END;

CREATE TRIGGER points_cost_changed AFTER UPDATE ON costs WHEN new.epsilon <> old.epsilon BEGIN
	INSERT INTO stale_points SELECT st.sweep, t.point FROM trials t JOIN sweep_trials st ON st.trial = t.key WHERE t.key = new.trial AND t.state = 'completed';
END;

CREATE TRIGGER points_listed AFTER INSERT ON sweep_trials WHEN EXISTS (SELECT 1 FROM outcomes WHERE trial = new.trial) BEGIN
	INSERT INTO stale_points SELECT new.sweep, t.point FROM trials t WHERE t.key = new.trial;
END;

CREATE TRIGGER points_asked AFTER UPDATE OF target_epsilon, delta ON sweep_trials
WHEN (new.target_epsilon IS NOT old.target_epsilon OR new.delta <> old.delta) AND EXISTS (SELECT 1 FROM outcomes WHERE trial = new.trial) BEGIN
	INSERT INTO stale_points SELECT new.sweep, t.point FROM trials t WHERE t.key = new.trial;
END;

CREATE TRIGGER points_unlisted AFTER DELETE ON sweep_trials WHEN EXISTS (SELECT 1 FROM outcomes WHERE trial = old.trial) BEGIN
	INSERT INTO stale_points SELECT old.sweep, t.point FROM trials t WHERE t.key = old.trial;
END;

CREATE TRIGGER points_accountant AFTER UPDATE OF accountant ON sweeps WHEN new.accountant <> old.accountant BEGIN
	INSERT INTO stale_points SELECT DISTINCT sweep, point FROM points WHERE sweep = new.key;
END;

-- Each point of each sweep over its completed repeats. The standard deviation divides by n - 1 and is NULL for one repeat.
CREATE VIEW point_results AS
SELECT sweep, point, target_epsilon, delta, epsilon, n, unpriced, accuracy, accuracy_std, trial FROM points;

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
