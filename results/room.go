package results

import (
	"context"
	"database/sql"
	"fmt"

	"sweep/privacy"
)

// rooms remembers, for each account with a budget, what it holds and what is
// known to fit, so that a claim costs microseconds, not a composition of all
// that was ever done. It is used under the write lock only, and is cleared when
// a transaction that used it comes to nothing.
type rooms map[int64]*room

// A room is what is left of one account's budget.
type room struct {
	version int // of the account when last read
	budget  Budget
	done    spending
	tally   *privacy.Tally     // of done, with what is reserved
	fits    map[kindOfStep]int // counts that are known to be within the budget, or nil
	full    map[kindOfStep]int // counts that are known to be beyond it, or nil
}

// A refusal says why a trial may not reserve what it needs.
type refusal struct {
	text string
	wait bool // what others have reserved stands in the way, and may be free again
}

// admit says whether so many more steps may be reserved on the account; nil means
// they may. Without a budget everything may.
func (r rooms) admit(ctx context.Context, tx *sql.Tx, account int64, data string, kind kindOfStep, more int) (*refusal, error) {
	budget, err := standingBudget(ctx, tx, account)
	if err != nil || !budget.Set() {
		return nil, err
	}
	at, err := r.of(ctx, tx, account, budget)
	if err != nil || at.holds(kind, more) {
		return nil, err
	}
	made := at.done.counts(false)
	made[kind] += more
	return &refusal{
		text: fmt.Sprintf("the privacy budget of %s, epsilon %s at delta %s, has no room for %d more steps at q %.4g and sigma %.4g: with them, what is spent and reserved would cost %s",
			data, short(float64(budget.Epsilon)), short(budget.Delta), more, kind.rate, kind.noise,
			privacy.FormatEpsilon(priceTogether(at.with(kind, more), at.done.events, budget.Delta), 4)),
		wait: priceTogether(made, at.done.events, budget.Delta) <= float64(budget.Epsilon),
	}, nil
}

// of is the account's room, read again if anything has changed it since.
func (r rooms) of(ctx context.Context, tx *sql.Tx, account int64, budget Budget) (*room, error) {
	var version int
	if err := tx.QueryRowContext(ctx, `SELECT version FROM accounts WHERE key = ?`, account).Scan(&version); err != nil {
		return nil, err
	}
	at := r[account]
	if at != nil && at.version == version && at.budget == budget {
		return at, nil
	}
	if at == nil || at.budget != budget {
		at = &room{budget: budget, version: -1, done: spending{made: map[kindOfStep]int{}, held: map[kindOfStep]int{}}, tally: &privacy.Tally{}}
		r[account] = at
	}
	changes, err := at.done.update(ctx, tx, account, at.version)
	if err != nil {
		return nil, err
	}
	for k, n := range changes {
		if err := at.tally.Add(k.times(1), n); err != nil {
			return nil, err
		}
	}
	known := len(at.done.events)
	if err := at.done.readEvents(ctx, tx, account); err != nil {
		return nil, err
	}
	if len(at.done.events) != known && at.version >= 0 {
		delete(r, account)
		return r.of(ctx, tx, account, budget)
	}
	for _, e := range at.done.events[known:] {
		if err := at.tally.Add(e, 1); err != nil {
			return nil, err
		}
	}
	at.version = version
	return at, nil
}

func (at *room) with(kind kindOfStep, more int) map[kindOfStep]int {
	counts := at.done.counts(true)
	counts[kind] += more
	return counts
}

// aheads are how many times over a claim is priced, so that one composition
// answers for many claims of the same kind.
var aheads = []int{64, 8, 1}

// holds says whether more steps of the kind fit. The tally, which is quick and
// somewhat dear, decides while there is much room; near the end the certified
// accountant does, whose answers are kept.
func (at *room) holds(kind kindOfStep, more int) bool {
	limit := float64(at.budget.Epsilon)
	if at.tally.Add(kind.times(1), more) != nil {
		return false
	}
	quick := at.tally.Epsilon(at.budget.Delta)
	at.tally.Add(kind.times(1), -more) // what could be added can be taken back
	if quick <= limit {
		return true
	}
	counts := at.with(kind, more)
	if within(counts, at.fits) {
		return true
	}
	if at.full != nil && within(at.full, counts) {
		return false
	}
	for _, times := range aheads {
		ahead := at.with(kind, more*times)
		if priceTogether(ahead, at.done.events, at.budget.Delta) <= limit {
			at.fits = ahead
			return true
		}
		if times == 1 {
			at.full = ahead
		}
	}
	return false
}

// within says whether every count of a is at most that of b, and b is known.
func within(a, b map[kindOfStep]int) bool {
	if b == nil {
		return false
	}
	for k, n := range a {
		if n > b[k] {
			return false
		}
	}
	return true
}
