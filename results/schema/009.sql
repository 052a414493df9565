-- The frontier says what its epsilons count of the search.

DROP VIEW frontier;

-- For each sweep and target epsilon (or computed epsilon, where the file gave noise multipliers) the point with the
-- highest mean accuracy of the averaged weights after the last step. Epsilon does not count the search for that point,
-- unless the disclosure is private-select.
CREATE VIEW frontier AS
SELECT
	s.id AS sweep, r.target_epsilon, r.epsilon, r.delta, s.accountant, s.disclosure,
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
