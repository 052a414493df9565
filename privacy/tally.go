package privacy

import (
	"fmt"
	"math"
)

// A Tally adds up what was done and bounds its ε in microseconds, however much
// that was. It keeps the Rényi divergence of the whole at a few dozen orders, as
// [RDP] does at all of them, and so is an upper bound, some 5 to 20 % above the
// truth. The zero Tally is nothing done. It is not safe for use by several
// goroutines at once.
type Tally struct {
	sums  []float64 // divergence of all but bare steps at each of tallyOrders
	bare  int       // steps without noise
	known map[any][]float64
}

// tallyOrders are the orders that a Tally knows. Fewer orders only raise a bound.
var tallyOrders = []float64{
	1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256, 384, 512, 1024,
}

// drift is more than the relative error that a million additions and
// subtractions of divergences can amount to.
const drift = 1e-9

// Add counts e as done so many times more; a negative number takes it back. An
// event whose divergence is not known is refused with [ErrNotApplicable].
func (t *Tally) Add(e Event, times int) error {
	if e == nil {
		return fmt.Errorf("tally: there is no event")
	}
	if err := e.Check(); err != nil {
		return fmt.Errorf("tally: %w", err)
	}
	for _, p := range phases(e) {
		per, err := t.divergence(p.step)
		if err != nil {
			return fmt.Errorf("tally: %w", err)
		}
		n := times * p.times
		if math.IsInf(per[0], 1) {
			t.bare += n
			continue
		}
		if t.sums == nil {
			t.sums = make([]float64, len(tallyOrders))
		}
		for i, r := range per {
			t.sums[i] += float64(n) * r
		}
	}
	return nil
}

// divergence is that of one step at each order; infinite orders are left out by
// being so large that they decide nothing.
func (t *Tally) divergence(step Event) ([]float64, error) {
	key := identity(step)
	if per, ok := t.known[key]; ok {
		return per, nil
	}
	d, err := divergence(step, AddRemove)
	if err != nil {
		return nil, err
	}
	per := make([]float64, len(tallyOrders))
	for i, α := range tallyOrders {
		per[i] = d(α)
		if math.IsInf(per[i], 1) && i > 0 {
			per[i] = math.MaxFloat32
		}
	}
	if t.known == nil {
		t.known = make(map[any][]float64)
	}
	t.known[key] = per
	return per, nil
}

// Epsilon returns an ε at which all that was added is (ε, delta)-differentially
// private between data sets that differ by one example added or removed. It is
// +Inf for a delta of 0, and after a step without noise.
func (t *Tally) Epsilon(delta float64) float64 {
	if t.bare > 0 || !(delta > 0) {
		return math.Inf(1)
	}
	if t.sums == nil {
		return 0
	}
	least := math.Inf(1)
	for i, α := range tallyOrders {
		least = min(least, t.sums[i]*(1+drift)+math.Log1p(-1/α)-math.Log(delta*α)/(α-1))
	}
	return max(least, 0)
}
