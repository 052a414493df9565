-- Test figures: what completed trials reach on the test split that were judged on the validation split.

DROP VIEW trial_results;

-- Each trial of each sweep with what it cost and what came of it.
CREATE VIEW trial_results AS
SELECT
	s.id AS sweep, s.name AS sweep_name,
	st.position, t.id AS trial, t.point, st.repeat, st.label, t.state, t.attempt AS attempts, st.gone,
	st.target_epsilon, c.epsilon, st.delta, s.accountant,      -- epsilon: upper bound for this trial alone; NULL until it is known
	o.accuracy, o.last_accuracy, o.loss, o.split, o.examples,
	t.data, t.model, t.batch_size, t.clip_norm, t.noise_multiplier, t.learning_rate, t.augmult, t.augment,
	t.steps, t.ema, t.noise, t.seed, t.train_examples, t.sampling_rate,
	o.seconds, o.recorded, a.worker, a.failure, a.reason,      -- worker, failure and reason are the newest attempt's
	CASE WHEN o.split <> 'test' THEN (
		SELECT m.value FROM metrics m JOIN metric_names n ON n.key = m.name
		WHERE m.trial = t.key AND n.name = 'test/accuracy' AND m.attempt = o.attempt AND m.step = o.steps
	) END AS test_accuracy                                     -- of the same weights, on the test split; nothing is chosen by it
FROM sweeps s
JOIN sweep_trials st ON st.sweep = s.key
JOIN trials t ON t.key = st.trial
LEFT JOIN outcomes o ON o.trial = t.key
LEFT JOIN costs c ON c.trial = t.key AND c.delta = st.delta AND c.accountant = s.accountant
LEFT JOIN attempts a ON a.trial = t.key AND a.number = t.attempt;
