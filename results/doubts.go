package results

import (
	"context"
	"fmt"
	"math"

	"sweep/privacy"
)

// survey is what doubts about a sweep's frontier depend on, over its completed
// trials.
type survey struct {
	points       int  // with a completed repeat
	single       int  // of them, with one completed repeat
	short        int  // of them, with fewer repeats than the best-measured point
	seeded       int  // trials with seeded noise
	restarted    int  // trials charged more steps than they have
	unpriced     int  // trials without an epsilon
	gone         int  // trials that the file lists no more
	onTest       bool // accuracy was measured on the test part
	onValidation bool
}

func surveyOf(ctx context.Context, q queryer, sweepKey int64) (s survey, err error) {
	err = q.QueryRowContext(ctx, `
		WITH done AS (
			SELECT t.point, t.noise = 'seeded' AS seeded, e.steps > t.steps AS restarted, c.epsilon IS NULL AS unpriced, st.gone,
				t.validation_examples > 0 AS validated
			FROM sweeps s JOIN sweep_trials st ON st.sweep = s.key JOIN trials t ON t.key = st.trial
			LEFT JOIN privacy_events e ON e.trial = t.key
			LEFT JOIN costs c ON c.trial = t.key AND c.delta = st.delta AND c.accountant = s.accountant
			WHERE s.key = ? AND st.state = 'completed'
		), counted AS (SELECT count(*) AS n FROM done GROUP BY point)
		SELECT
			(SELECT count(*) FROM counted), (SELECT count(*) FROM counted WHERE n = 1),
			(SELECT count(*) FROM counted WHERE n < (SELECT max(n) FROM counted)),
			coalesce(sum(seeded), 0), coalesce(sum(restarted), 0), coalesce(sum(unpriced), 0), coalesce(sum(gone), 0),
			coalesce(max(NOT validated), 0), coalesce(max(validated), 0)
		FROM done`, sweepKey).Scan(&s.points, &s.single, &s.short, &s.seeded, &s.restarted, &s.unpriced, &s.gone, &s.onTest, &s.onValidation)
	return s, err
}

// doubts says in sentences how the frontier is to be read.
func (f *Frontier) doubts(s survey) []string {
	var all []string
	say := func(when bool, format string, args ...any) {
		if when {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	f.sayCost(say)
	say(s.onValidation, "accuracy is measured on the validation split, which also chose the points: expect a little less on the test split")
	say(s.onTest, "accuracy is measured on the test split, which also chose the points: it flatters them, and says less of new data")
	say(s.points > 0 && s.single == s.points, "each point was run with one seed: differences between points may be the seeds'")
	say(s.single > 0 && s.single < s.points, "only one seed for %s: the accuracy may be that seed's", plural(s.single, "point"))
	say(s.short > s.single && s.single < s.points, "fewer completed repeats than others for %s", plural(s.short, "point"))
	say(s.seeded > 0, "noise is seeded: whoever knows the sweep file can subtract it, and against them epsilon promises nothing")
	say(s.restarted > 0, "%s started over with fresh noise: the repeated steps are charged", plural(s.restarted, "trial"))
	say(s.unpriced > 0, "no epsilon is recorded for %s", plural(s.unpriced, "trial"))
	say(s.gone > 0, "results of %s are included that the newest version of the sweep's file does not ask for", plural(s.gone, "trial"))
	c := f.Counts
	left := c.Pending + c.Running + c.Stopped
	say(left > 0, "%d of %d trials are not finished: the frontier may still change", left, c.Trials)
	say(c.Failed > 0, "%d of %d trials failed and are left out", c.Failed, c.Trials)
	return all
}

// sayCost says what epsilon counts and what it does not.
func (f *Frontier) sayCost(say func(bool, string, ...any)) {
	considered, open := 0, false
	for _, p := range f.Points {
		considered += p.BestOf
		open = open || math.IsInf(float64(p.Epsilon), 1)
	}
	switch f.Disclosure {
	case "composed":
		say(f.Composed > 0, "the search as a whole, all trials composed, costs epsilon %s at delta %g; each point's own epsilon does not count the others",
			privacy.FormatEpsilon(float64(f.Composed), 3), f.Delta)
	default:
		say(considered > len(f.Points), "best of %d trials: epsilon is each trial's own and does not count the search (disclosure: %s)", considered, f.Disclosure)
	}
	say(open, "points of infinite epsilon have no noise: they are a baseline, and not private")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
