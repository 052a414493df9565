package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"sweep"
	"sweep/privacy"
)

// An Affordance says how a sweep fits into the privacy budget of its data set.
type Affordance struct {
	Data       string         `json:"data"`
	Budget     *Budget        `json:"budget"`              // nil if there is none: then everything fits
	Trials     int            `json:"trials"`              // still to be run
	Selections int            `json:"selections"`          // private selections that are not charged yet, which fit as a whole or not at all
	Before     Epsilon        `json:"before_epsilon"`      // of what is spent and reserved, at the budget's delta
	After      Epsilon        `json:"after_epsilon"`       // with all of the sweep
	Fits       bool           `json:"fits"`                //
	Prefix     int            `json:"trials_that_fit"`     // the first so many, in the order of the grid
	Noise      float64        `json:"noise_factor"`        // all would fit with noise multipliers so many times as large; 0 if no factor up to 64 does
	Steps      float64        `json:"steps_share"`         // all would fit with this share of their steps; 0 if not even one step each would
	Selection  *SelectionsFit `json:"selection,omitempty"` // what would fit of private selections that do not
	Example    struct {
		Noise, Epsilon, LessEpsilon float64 // of the first trial: its sigma, its epsilon, and its epsilon at Noise times sigma
	} `json:"-"`
}

// Afford asks whether the trials that are not completed yet fit into the budget of
// their data set, on top of all that is spent and reserved, and what would fit if
// they do not. A trial that was begun is taken to go on from its checkpoint.
//
// Foreseen are trials that may be asked for later; they come after the others.
func (r *Reader) Afford(ctx context.Context, trials iter.Seq2[TrialRecord, error], foreseen ...Foreseen) (Affordance, error) {
	a, err := afford(ctx, r.db, trials, foreseen)
	if err != nil {
		return a, fmt.Errorf("price against the budget: %w", explain(err))
	}
	return a, nil
}

// Foreseen are so many trials like one that a strategy may ask for.
type Foreseen struct {
	Params sweep.Params
	Times  int
}

// wanted is a trial's steps that are still to be made.
type wanted struct {
	kind  kindOfStep
	steps int
}

func afford(ctx context.Context, db *sql.DB, trials iter.Seq2[TrialRecord, error], foreseen []Foreseen) (a Affordance, err error) {
	tx, err := db.BeginTx(ctx, nil) // one snapshot
	if err != nil {
		return a, err
	}
	defer tx.Rollback()
	list, events, name, err := wants(ctx, tx, trials)
	for _, f := range foreseen {
		name = f.Params.Data.Name
		list = append(list, slices.Repeat([]wanted{{kindOfStep{f.Params.SampleRate(), f.Params.Noise}, f.Params.Steps}}, f.Times)...)
	}
	a.Data, a.Trials, a.Fits, a.Prefix, a.Selections = name, len(list), true, len(list), len(events)
	if err != nil || len(list)+len(events) == 0 {
		return a, err
	}
	var account int64
	err = tx.QueryRowContext(ctx, `SELECT account FROM account_names WHERE name = ?`, name).Scan(&account)
	if errors.Is(err, sql.ErrNoRows) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	b, err := standingBudget(ctx, tx, account)
	if err != nil || !b.Set() {
		return a, err
	}
	done, err := readSpending(ctx, tx, account)
	if err != nil {
		return a, err
	}
	a.Budget = &b
	before := purse{done, b}
	a.Before = Epsilon(before.with(nil))
	p := before
	p.done.events = slices.Clone(done.events)
	for _, e := range events {
		p.done.events = append(p.done.events, e)
	}
	a.After = Epsilon(p.with(sum(list)))
	if a.Fits = a.After <= b.Epsilon; a.Fits {
		return a, nil
	}
	if len(events) > 0 {
		f := suggestSelections(before, events)
		a.Selection = &f
	} else {
		a.suggest(p, list)
	}
	return a, nil
}

// wants lists the steps that are to be made, and the private selections that are
// to be charged.
func wants(ctx context.Context, tx *sql.Tx, trials iter.Seq2[TrialRecord, error]) (list []wanted, events []privacy.Select, name string, err error) {
	find, err := tx.PrepareContext(ctx, `SELECT t.state, coalesce(l.spent + l.held, 0) FROM trials t LEFT JOIN ledger l ON l.trial = t.id WHERE t.id = ?`)
	if err != nil {
		return nil, nil, "", err
	}
	defer find.Close()
	for t, err := range trials {
		if err != nil {
			return nil, nil, "", err
		}
		name = t.Params.Data.Name
		if t.Select != nil {
			var charged bool
			if err := tx.QueryRowContext(ctx, `
				SELECT EXISTS (SELECT 1 FROM selections x JOIN sweeps s ON s.key = x.sweep JOIN ledger_events e ON e.sweep = s.id WHERE x.slot = ?)`,
				string(t.Params.ID())).Scan(&charged); err != nil {
				return nil, nil, "", err
			}
			if !charged {
				events = append(events, *t.Select)
			}
			continue
		}
		var state sweep.State
		var had int
		err := find.QueryRowContext(ctx, string(t.Params.ID())).Scan(&state, &had)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, nil, "", err
		}
		if state != sweep.Completed {
			list = append(list, wanted{kindOfStep{t.Params.SampleRate(), t.Params.Noise}, max(0, t.Params.Steps-had)})
		}
	}
	return list, events, name, nil
}

func sum(list []wanted) map[kindOfStep]int {
	all := map[kindOfStep]int{}
	for _, w := range list {
		all[w.kind] += w.steps
	}
	return all
}

// A purse is an account that holds something already, and its budget.
type purse struct {
	done   spending
	budget Budget
}

func (p purse) with(more map[kindOfStep]int) float64 {
	counts := p.done.counts(true)
	for k, n := range more {
		counts[k] += n
	}
	return priceTogether(counts, p.done.events, p.budget.Delta)
}

func (p purse) fits(more map[kindOfStep]int) bool { return p.with(more) <= float64(p.budget.Epsilon) }

// suggest finds what would fit.
func (a *Affordance) suggest(p purse, list []wanted) {
	lo, hi := 0, len(list) // the first lo fit, the first hi do not
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; p.fits(sum(list[:mid])) {
			lo = mid
		} else {
			hi = mid
		}
	}
	a.Prefix = lo
	a.Noise = a.noiseFactor(p, list)
	a.Steps = stepsShare(p, list)
}

func (a *Affordance) noiseFactor(p purse, list []wanted) float64 {
	steps := func(f float64) map[kindOfStep]int {
		all := map[kindOfStep]int{}
		for k, n := range sum(list) {
			k.noise *= f
			all[k] += n
		}
		return all
	}
	f := leastNoise(func(factor float64) bool { return p.fits(steps(factor)) })
	if f == 0 {
		return 0
	}
	first := list[0]
	a.Example.Noise = first.kind.noise
	a.Example.Epsilon = priceTogether(map[kindOfStep]int{first.kind: first.steps}, nil, p.budget.Delta)
	a.Example.LessEpsilon = priceTogether(map[kindOfStep]int{{first.kind.rate, first.kind.noise * f}: first.steps}, nil, p.budget.Delta)
	return f
}

func stepsShare(p purse, list []wanted) float64 {
	part := func(share float64) map[kindOfStep]int {
		all := maps.Clone(sum(list))
		for k, n := range all {
			all[k] = int(math.Ceil(share * float64(n)))
		}
		return all
	}
	least := 1 / float64(slices.MaxFunc(list, func(a, b wanted) int { return a.steps - b.steps }).steps+1)
	if !p.fits(part(least)) {
		return 0
	}
	lo, hi := least, 1.0
	for hi/lo > 1.005 {
		if mid := math.Sqrt(lo * hi); p.fits(part(mid)) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return privacy.RoundDown(lo, 2)
}
