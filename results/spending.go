package results

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"

	"sweep/privacy"
)

// A spending is what an account holds: steps by kind, and events that are no
// steps of DP-SGD.
type spending struct {
	made, held map[kindOfStep]int
	events     []privacy.Event
}

func readSpending(ctx context.Context, q queryer, account int64) (spending, error) {
	s := spending{made: map[kindOfStep]int{}, held: map[kindOfStep]int{}}
	if _, err := s.update(ctx, q, account, -1); err != nil {
		return s, err
	}
	return s, s.readEvents(ctx, q, account)
}

// update reads the kinds of steps whose sums have changed since the account had
// the given version, and returns by how much each has, reserved steps included.
func (s spending) update(ctx context.Context, q queryer, account int64, since int) (changes map[kindOfStep]int, err error) {
	type row struct {
		kind       kindOfStep
		made, held int
	}
	rows, err := gather(ctx, q, func(rows *sql.Rows) (r row, err error) {
		return r, rows.Scan(&r.kind.rate, &r.kind.noise, &r.made, &r.held)
	}, `SELECT sample_rate, noise_multiplier, spent, held FROM ledger_totals WHERE account = ? AND changed > ?`, account, since)
	changes = make(map[kindOfStep]int, len(rows))
	for _, r := range rows {
		changes[r.kind] = r.made + r.held - s.made[r.kind] - s.held[r.kind]
		s.made[r.kind], s.held[r.kind] = r.made, r.held
	}
	return changes, err
}

func (s *spending) readEvents(ctx context.Context, q queryer, account int64) error {
	texts, err := gather(ctx, q, func(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) },
		`SELECT event FROM ledger_events WHERE account = ? ORDER BY created, sweep`, account)
	if err != nil {
		return err
	}
	s.events = nil
	for _, text := range texts {
		e, err := privacy.UnmarshalEvent([]byte(text))
		if err != nil {
			return err
		}
		s.events = append(s.events, e)
	}
	return nil
}

// counts are the steps by kind, with what is reserved or without.
func (s spending) counts(reserved bool) map[kindOfStep]int {
	all := make(map[kindOfStep]int, len(s.made))
	for k, n := range s.made {
		if reserved {
			n += s.held[k]
		}
		if n > 0 {
			all[k] = n
		}
	}
	return all
}

func (s spending) steps(reserved bool) (n int) {
	for _, steps := range s.counts(reserved) {
		n += steps
	}
	return n
}

// epsilon bounds what that cost in all.
func (s spending) epsilon(delta float64, reserved bool) float64 {
	return priceTogether(s.counts(reserved), s.events, delta)
}

// mostKinds is how many kinds of steps are composed one by one. Each costs the
// exact accountant about a millisecond or more.
const mostKinds = 48

// priceTogether bounds the ε of all of it together: by the certified accountant,
// over kinds rounded towards the dearer where there are too many to compose.
func priceTogether(counts map[kindOfStep]int, events []privacy.Event, delta float64) float64 {
	all := append(privacy.Composed{}, events...)
	all = append(all, composition(coarsen(counts, mostKinds))...)
	ε, err := privacy.Certified.Epsilon(all, delta)
	if err != nil {
		return math.Inf(1) // nobody can bound it
	}
	return ε
}

// composition is all of it as one event. It is sorted, since the order in which
// floats are added must not depend on a map's.
func composition(counts map[kindOfStep]int) (all privacy.Composed) {
	for k, n := range counts {
		if n > 0 {
			all = append(all, k.times(n))
		}
	}
	slices.SortFunc(all, func(a, b privacy.Event) int {
		x, y := a.(privacy.DPSGD), b.(privacy.DPSGD)
		return cmp.Or(cmp.Compare(x.SampleRate, y.SampleRate), cmp.Compare(x.Noise, y.Noise))
	})
	return all
}

// coarsen merges kinds of steps that are alike until there are no more than most,
// and takes each group at its highest sampling rate and lowest noise: more
// sampling and less noise never cost less, so the result bounds what it is made of.
func coarsen(counts map[kindOfStep]int, most int) map[kindOfStep]int {
	for width := 1e-3; len(counts) > most; width *= 1.5 {
		type cell struct{ rate, noise float64 }
		groups := make(map[cell]kindOfStep)
		steps := make(map[cell]int)
		for k, n := range counts {
			at := cell{math.Floor(math.Log(k.rate) / width), math.Floor(math.Log(k.noise) / width)}
			if g, ok := groups[at]; ok {
				k.rate, k.noise = max(k.rate, g.rate), min(k.noise, g.noise)
			}
			groups[at] = k
			steps[at] += n
		}
		counts = make(map[kindOfStep]int, len(groups))
		for at, k := range groups {
			counts[k] += steps[at]
		}
	}
	return counts
}
