package results

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sync"

	"sweep"
	"sweep/privacy"
)

// A SearchCost is what a search did to its data, for whoever shows the best of it.
type SearchCost struct {
	Disclosure string             `json:"disclosure"` // research: the epsilons of points do not count the search; composed: the sweep stands by Composed; [sweep.PrivateSelect]: by Selection
	Accountant privacy.Accountant `json:"accountant"`
	Delta      float64            `json:"delta"`
	// Composed is of all trials together, by the accountant that [Frontier.Composed]
	// names; 0 of a private selection, whose number of trials nobody is to know.
	Composed Epsilon `json:"composed_epsilon,omitzero"`
	// Selection is of all private selections of the sweep together, by the theorem
	// of Papernot and Steinke; 0 where there are none.
	Selection Epsilon `json:"selection_epsilon,omitzero"`
}

// SearchCost prices all that the sweep's trials did to the data.
func (r *Reader) SearchCost(ctx context.Context, id sweep.SweepID) (c SearchCost, err error) {
	key, err := sweepKey(ctx, r.db, id)
	if err == nil {
		err = r.db.QueryRowContext(ctx, `SELECT disclosure, accountant, delta FROM sweeps WHERE key = ?`, key).Scan(&c.Disclosure, &c.Accountant, &c.Delta)
	}
	if err == nil {
		err = c.price(ctx, r.db, key)
	}
	if err != nil {
		return c, fmt.Errorf("cost of sweep %s: %w", id, explain(err))
	}
	return c, nil
}

func (c *SearchCost) price(ctx context.Context, q queryer, sweepKey int64) (err error) {
	if c.Disclosure != sweep.PrivateSelect {
		c.Composed, err = composed(ctx, q, sweepKey, c.Accountant, c.Delta)
		return err
	}
	var text string
	if text, err = selectionEvent(ctx, q, sweepKey); err == nil {
		c.Selection, err = priceSelection(question{text, c.Delta, c.Accountant})
	}
	return err
}

// String says it in a sentence.
func (c SearchCost) String() string {
	if c.Disclosure == sweep.PrivateSelect {
		return fmt.Sprintf("the search as a whole costs epsilon %s at delta %s: private selection of the best of a random number of trials, which is not told, by the theorem of Papernot and Steinke; a composition of all trials would tell their number, and is not given",
			privacy.FormatEpsilon(float64(c.Selection), 3), short(c.Delta))
	}
	counted := "each point's own epsilon does not count the others"
	if c.Disclosure == "composed" {
		counted = "that is what the sweep discloses"
	}
	return fmt.Sprintf("all trials of the search together, composed, cost epsilon %s at delta %s; %s. Private selection does not apply: points were not drawn at random, as many as chance said",
		privacy.FormatEpsilon(float64(c.Composed), 3), short(c.Delta), counted)
}

// selectionPrices remembers answers of priceSelection by question: one takes some
// hundredths of a second, and a page asks for several.
var selectionPrices sync.Map

// priceSelection has the accountant price a private selection, +Inf if nobody can.
func priceSelection(q question) (Epsilon, error) {
	if known, ok := selectionPrices.Load(q); ok {
		return known.(Epsilon), nil
	}
	e, err := privacy.UnmarshalEvent([]byte(q.event))
	if err != nil {
		return 0, err
	}
	ε := Epsilon(math.Inf(1))
	if found, err := ask(q.accountant, e, q.delta); err == nil {
		ε = Epsilon(found.epsilon)
	}
	selectionPrices.Store(q, ε)
	return ε, nil
}

// selected is the epsilon of the private selection that the trial won, 0 if it
// is none.
func selected(ctx context.Context, q queryer, trial int64, a privacy.Accountant, delta float64) (Epsilon, error) {
	var text string
	err := q.QueryRowContext(ctx, `SELECT event FROM selections WHERE trial = ?`, trial).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return priceSelection(question{text, delta, a})
}

// composed bounds the epsilon of all that the sweep's trials did to the data
// together, over kinds of steps that are alike where there are many. Failed and
// stopped ones count with the steps they made, running ones as if they were through.
func composed(ctx context.Context, q queryer, sweepKey int64, a privacy.Accountant, delta float64) (Epsilon, error) {
	counts := map[kindOfStep]int{}
	_, err := gather(ctx, q, func(rows *sql.Rows) (n int, err error) {
		var k kindOfStep
		err = rows.Scan(&k.rate, &k.noise, &n)
		if n > 0 {
			counts[k] = n
		}
		return n, err
	}, `SELECT sample_rate, noise_multiplier, steps FROM sweep_steps WHERE sweep = ?`, sweepKey)
	if err != nil || len(counts) == 0 {
		return 0, err
	}
	all := composition(coarsen(counts, mostKinds))
	if a == privacy.PLD && len(all) > 1 {
		// Over kinds by the dozen pld takes seconds. Certified bounds the same event: by the
		// exact accountant, or else by pld or rdp, whichever is lower.
		a = privacy.Certified
	}
	found, err := ask(a, all, delta)
	if err != nil {
		return Epsilon(math.Inf(1)), nil // nobody can bound it
	}
	return Epsilon(found.epsilon), nil
}
