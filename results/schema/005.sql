-- Sweeps whose strategy decides, from what has ended, what is tried next.
ALTER TABLE sweeps ADD COLUMN most INTEGER;                          -- trials that its strategy may come to, or nearly; NULL where its file lists them all
ALTER TABLE sweep_trials ADD COLUMN asked TEXT NOT NULL DEFAULT '';  -- JSON: what its strategy asked for, from which it goes on; '' where the file lists the trial
ALTER TABLE sweep_trials ADD COLUMN proxy INTEGER NOT NULL DEFAULT 0 CHECK (proxy IN (0, 1));  -- 1: stands in for another trial, for the search alone; on no frontier

-- Each point of each sweep over its completed repeats, stand-ins left out. The table points holds the same.
DROP VIEW computed_points;
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
	WHERE t.state = 'completed' AND st.proxy = 0
	GROUP BY st.sweep, t.point, st.target_epsilon, st.delta
);
