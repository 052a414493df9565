package results

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"

	"sweep"
)

// survey is what doubts about a sweep's frontier depend on.
type survey struct {
	points    int // with a completed repeat
	single    int // of them, with one
	short     int // of them, with fewer than the most
	unpriced  int // completed trials without an epsilon
	restarted int // completed trials that were charged steps made again with fresh noise
	gone      int // completed trials that the file lists no more
	digests   int // different contents of the data that completed trials saw
	external  int // completed trials of an external trainer
}

func surveyOf(ctx context.Context, q queryer, sweepKey int64) (s survey, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT coalesce(sum(points), 0), coalesce(sum(points) FILTER (WHERE n = 1), 0),
			coalesce(sum(points) FILTER (WHERE n < (SELECT max(n) FROM point_totals WHERE sweep = ?1)), 0),
			coalesce(sum(unpriced), 0), coalesce(sum(external), 0), (
				SELECT count(*) FROM privacy_events e INDEXED BY privacy_events_repeated CROSS JOIN sweep_trials st ON st.trial = e.trial AND st.sweep = ?1
				WHERE e.repeated > 0 AND st.state = 'completed'
			), (SELECT coalesce(sum(n), 0) FROM sweep_counts WHERE sweep = ?1 AND gone = 1 AND state = 'completed')
		FROM point_totals WHERE sweep = ?1`, sweepKey).Scan(&s.points, &s.single, &s.short, &s.unpriced, &s.external, &s.restarted, &s.gone)
	if err != nil {
		return s, err
	}
	joined, err := gather(ctx, q, func(rows *sql.Rows) (digests string, err error) {
		return digests, rows.Scan(&digests)
	}, `SELECT DISTINCT data_digests FROM point_totals WHERE sweep = ?`, sweepKey)
	seen := map[string]bool{}
	for _, digests := range joined {
		for digest := range strings.SplitSeq(digests, ",") {
			seen[digest] = true
		}
	}
	s.digests = len(seen)
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
	splits, seeded := map[sweep.Split]bool{}, false
	for _, p := range f.Points {
		splits[p.Params.EvaluatedOn()] = true
		seeded = seeded || p.Params.NoiseFrom == sweep.Seeded
	}
	say(splits[sweep.Validation], "accuracy is measured on the validation split, which also chose the points: expect a little less on the test split%s", f.testWords())
	say(f.testWords() != "" && f.Disclosure != sweep.PrivateSelect,
		"epsilon counts the examples trained on, and not what a test figure tells of the test examples: it costs nothing if those are not private")
	say(splits[sweep.Test], "accuracy is measured on the test split, which also chose the points: it flatters them, and says less of new data")
	say(s.points > 0 && s.single == s.points && f.Disclosure != sweep.PrivateSelect, "each point was run with one seed: differences between points may be the seeds'")
	say(s.single > 0 && s.single < s.points, "only one seed for %s: the accuracy may be that seed's", plural(s.single, "point"))
	say(s.short > s.single && s.single < s.points, "fewer completed repeats than others for %s", plural(s.short, "point"))
	pooled := 0
	for _, p := range f.Points {
		if p.Interval == ByBootstrap {
			pooled++
		}
		say(p.BestProbability != nil && *p.BestProbability < 0.95, "at epsilon %s the best point is really the best with a probability of %.0f %%: its lead over others is within the seeds' noise, and no win",
			short(float64(p.place())), 100*deref(p.BestProbability))
	}
	say(pooled > 0, "the interval of %s with one or two seeds, or seeds that agree exactly, is a bootstrap over how much seeds differ at all points, taken to be alike", plural(pooled, "point"))
	f.sayMeasured(say)
	say(seeded, "noise is seeded: whoever knows the sweep file can subtract it, and against them epsilon promises nothing")
	say(s.restarted > 0, "%s started over with fresh noise: the repeated steps are charged", plural(s.restarted, "trial"))
	say(s.digests > 1, "the data changed between trials (%d different contents): their accuracies cannot be compared", s.digests)
	say(s.external > 0, "%s trained by an external program: epsilon holds if that program samples, clips and adds noise as the contract says, which nobody checked", plural(s.external, "trial"))
	say(s.unpriced > 0, "no epsilon is recorded for %s", plural(s.unpriced, "trial"))
	say(s.gone > 0, "results of %s are included that the newest version of the sweep's file does not ask for", plural(s.gone, "trial"))
	c := f.Counts
	left := c.Left()
	say(left > 0, "%d of %d trials are not finished: the frontier may still change", left, c.Trials)
	say(c.Failed > 0, "%d of %d trials failed and are left out", c.Failed, c.Trials)
	return all
}

// testWords say where the test figure stands, if there is one.
func (f *Frontier) testWords() string {
	for _, p := range f.Points {
		if p.Test != nil {
			return ", whose figure stands beside it and chose nothing"
		}
	}
	return ""
}

// sayMeasured says how far accuracies would move with other held-out examples,
// which repeats do not show: all of them are measured on the same ones. That is
// the binomial standard error of the accuracy nearest a half, times 1.96.
func (f *Frontier) sayMeasured(say func(bool, string, ...any)) {
	half, examples := 0.0, 0
	for _, p := range f.Points {
		if n := p.Params.Data.Validation; n > 0 && p.Params.EvaluatedOn() == sweep.Validation {
			if h := 1.96 * math.Sqrt(p.Accuracy*(1-p.Accuracy)/float64(n)); h > half {
				half, examples = h, n
			}
		}
	}
	say(half >= 0.005, "accuracies are of %d held-out examples: others would move all of them by up to %.1f points or so, alike, which intervals over seeds do not count", examples, 100*half)
}

// sayCost says what epsilon counts and what it does not.
func (f *Frontier) sayCost(say func(bool, string, ...any)) {
	considered, open := 0, false
	for _, p := range f.Points {
		considered += p.BestOf
		open = open || math.IsInf(float64(p.Epsilon), 1)
	}
	if f.Disclosure == sweep.PrivateSelect {
		say(true, "%s", SearchCost{f.Disclosure, f.Accountant, f.Delta, 0, f.Selection})
		say(true, "that covers the examples trained on; accuracy is measured on others, whose privacy it does not count")
		return
	}
	if f.Disclosure != "composed" {
		say(considered > len(f.Points), "best of %d trials: epsilon is each trial's own and does not count the search (disclosure: %s)", considered, f.Disclosure)
	}
	say(f.Composed > 0 && f.Counts.Trials > 1, "%s", SearchCost{f.Disclosure, f.Accountant, f.Delta, f.Composed, 0})
	say(open, "points of infinite epsilon have no noise: they are a baseline, and not private")
}

func deref(x *float64) float64 {
	if x == nil {
		return 0
	}
	return *x
}

// short prints x as people write it: 1e-5.
func short(x float64) string {
	return strings.Replace(strconv.FormatFloat(x, 'g', -1, 64), "e-0", "e-", 1)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
