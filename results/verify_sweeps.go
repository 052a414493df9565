package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"sweep"
	"sweep/privacy"
)

// A ReadFile reads the text of a sweep's file as if it were entered now, as the
// sweep of that id, with seeds of its own or without. ID in what it returns is
// the one that follows from the text alone; trials are nil where a strategy
// decides which there are.
type ReadFile func(id sweep.SweepID, own bool, text string) (SweepRecord, iter.Seq2[TrialRecord, error], error)

// A recordedFile is one of a sweep's files with the settings that were taken from it.
type recordedFile struct {
	sweepKey    int64
	id          sweep.SweepID
	name        string // the sweep's
	own, newest bool
	shown       privacy.Accountant // whose epsilon the sweep shows
	most        sql.Null[int]
	number      int
	text        string
	accountant  privacy.Accountant
	delta       float64
	disclosure  string
	versions    string
}

// sweeps reads every file again.
func (v *verifier) sweeps(ctx context.Context) error {
	if err := v.tx.QueryRowContext(ctx, `SELECT count(*) FROM sweeps`).Scan(&v.seen.Sweeps); err != nil {
		return err
	}
	files, err := gather(ctx, v.tx, func(rows *sql.Rows) (f recordedFile, err error) {
		return f, rows.Scan(&f.sweepKey, &f.id, &f.name, &f.own, &f.shown, &f.newest, &f.most, &f.number, &f.text, &f.accountant, &f.delta, &f.disclosure, &f.versions)
	}, `SELECT s.key, s.id, s.name, s.own_seeds, s.accountant, r.number = s.revision, s.most, r.number, r.text, r.accountant, r.delta, r.disclosure, r.versions
		FROM sweeps s JOIN revisions r ON r.sweep = s.key ORDER BY s.key, r.number`)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := v.sweepFile(ctx, f); err != nil {
			return fmt.Errorf("file %d of sweep %s: %w", f.number, f.id, err)
		}
	}
	return nil
}

func (v *verifier) sweepFile(ctx context.Context, f recordedFile) error {
	where := "sweep " + string(f.id)
	says, trials, err := v.read(f.id, f.own, f.text)
	if err != nil {
		v.complain(where, "its file number %d cannot be read any more: %v", f.number, err)
		return nil
	}
	if f.number == 1 && says.ID != f.id && !(f.own && strings.HasPrefix(string(f.id), says.Name+"-")) { // one of its own seeds may stand beside another of its file
		v.complain(where, "its first file is that of %s", says.ID)
	}
	if says.Name != f.name {
		v.complain(where, "its name is %s, and by its file number %d %s", f.name, f.number, says.Name)
	}
	if says.Accountant != f.accountant || says.Delta != f.delta || says.Disclosure != f.disclosure {
		v.complain(where, "its file number %d is recorded with accountant %s, delta %v and disclosure %s, and says %s, %v and %s",
			f.number, f.accountant, f.delta, f.disclosure, says.Accountant, says.Delta, says.Disclosure)
	}
	if !f.newest {
		return nil
	}
	if _, err := privacy.ParseAccountant(string(f.shown)); err != nil {
		v.complain(where, "its epsilon is shown by %q: %v", f.shown, err)
	}
	if f.most.V != says.Most {
		v.complain(where, "its strategy is said to come to %d trials, and by its file to %d", f.most.V, says.Most)
	}
	var versions map[string]string
	if err := json.Unmarshal([]byte(f.versions), &versions); err != nil {
		v.complain(where, "the versions that read its file number %d are no JSON: %v", f.number, err)
		return nil
	}
	if trials == nil || versions["accountant"] != says.Versions["accountant"] { // which may calibrate noise anew
		return v.calibrated(ctx, f)
	}
	v.seen.Listed++
	return v.listing(ctx, f, trials, versions["sweep"] == says.Versions["sweep"])
}

// A listed is a trial as its sweep lists it.
type listed struct {
	position, repeat int
	label            string
	target, delta    float64 // target 0: the file gave the noise multiplier
	asked            string
	proxy, gone      bool
	event            string // of a private selection
}

// maxListed bounds what is said of one sweep's list.
const maxListed = 20

// listing compares the trials that the sweep lists with those of its newest file.
// Labels are for people; another version of the program may word them otherwise.
func (v *verifier) listing(ctx context.Context, f recordedFile, trials iter.Seq2[TrialRecord, error], words bool) error {
	is, err := v.listed(ctx, f.sweepKey)
	if err != nil {
		return err
	}
	where, said := "sweep "+string(f.id), 0
	say := func(format string, args ...any) {
		if said++; said <= maxListed {
			v.complain(where, format, args...)
		}
	}
	for t, err := range trials {
		if err != nil {
			say("its newest file cannot be enumerated any more: %v", err)
			return nil
		}
		id := t.Params.ID()
		l, there := is[id]
		delete(is, id)
		if !there {
			say("its newest file lists trial %s (%s), and the sweep does not", id, t.Label)
			continue
		}
		should := listed{position: t.Index, repeat: t.Repeat, label: t.Label, delta: t.Delta, asked: t.Asked, proxy: t.Proxy, event: l.event}
		if !math.IsNaN(t.TargetEpsilon) {
			should.target = t.TargetEpsilon
		}
		if t.Select != nil {
			text, err := privacy.MarshalEvent(*t.Select)
			if err != nil {
				return err
			}
			should.event = string(text)
		}
		if !words || t.Select != nil { // a decided selection has its winner's label
			should.label = l.label
		}
		if l != should {
			say("it lists trial %s as %+v, and by its newest file that is %+v", id, l, should)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(is)) {
		if l := is[id]; !l.gone {
			say("it lists trial %s (%s), and its newest file does not", id, l.label)
		}
	}
	if said > maxListed {
		v.complain(where, "and %d more of its trials are not as its newest file has them", said-maxListed)
	}
	return nil
}

// calibrated wants the noise of each trial to meet the epsilon that it was
// calibrated for.
func (v *verifier) calibrated(ctx context.Context, f recordedFile) error {
	type kind struct {
		trial  sweep.TrialID // one of them
		event  privacy.DPSGD
		target float64
		delta  float64
	}
	kinds, err := gather(ctx, v.tx, func(rows *sql.Rows) (k kind, err error) {
		return k, rows.Scan(&k.trial, &k.event.SampleRate, &k.event.Noise, &k.event.Steps, &k.target, &k.delta)
	}, `SELECT min(t.id), t.sampling_rate, t.noise_multiplier, t.steps, st.target_epsilon, st.delta
		FROM sweep_trials st JOIN trials t ON t.key = st.trial WHERE st.sweep = ? AND st.gone = 0 AND st.proxy = 0 AND st.target_epsilon IS NOT NULL
		GROUP BY 2, 3, 4, 5, 6`, f.sweepKey)
	for _, k := range kinds {
		text, err := privacy.MarshalEvent(k.event)
		if err != nil {
			return err
		}
		switch p, err := v.prices.of(question{event: string(text), delta: k.delta, accountant: f.accountant}); {
		case err != nil:
			v.complain("trial "+string(k.trial), "%s has no answer to what it is to cost: %v", f.accountant, err)
		case p.epsilon > k.target*(1+1e-9):
			v.complain("trial "+string(k.trial), "its noise is to meet epsilon %v, and its steps cost %v by %s", k.target, p.epsilon, p.version)
		}
	}
	return err
}

// listed are the sweep's trials by their ids; a private selection by the id it
// had before it was decided.
func (v *verifier) listed(ctx context.Context, sweepKey int64) (map[sweep.TrialID]listed, error) {
	rows, err := v.tx.QueryContext(ctx, `
		SELECT coalesce(x.slot, t.id), st.position, st.repeat, st.label, coalesce(st.target_epsilon, 0), st.delta, st.asked, st.proxy, st.gone, coalesce(x.event, '')
		FROM sweep_trials st JOIN trials t ON t.key = st.trial LEFT JOIN selections x ON x.trial = t.key AND x.sweep = st.sweep WHERE st.sweep = ?`, sweepKey)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[sweep.TrialID]listed{}
	for rows.Next() {
		var id sweep.TrialID
		var l listed
		if err := rows.Scan(&id, &l.position, &l.repeat, &l.label, &l.target, &l.delta, &l.asked, &l.proxy, &l.gone, &l.event); err != nil {
			return nil, err
		}
		all[id] = l
	}
	return all, rows.Err()
}
