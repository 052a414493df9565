package search

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"sweep"
	"sweep/privacy"
	"sweep/search/strategy"
)

// A Selection is a private selection among the points of one target epsilon, or
// among all where the file gives noise multipliers (Papernot, Steinke 2022,
// arXiv:2110.03620). Each target is a release of its own, with its own draw.
type Selection struct {
	// Slot stands for the selection until it is decided. Its parameters are those
	// of one of the points, always the same, and its seed is that of no trial, so
	// that no result of another sweep can count for it.
	Slot Trial
	// Event is what the whole selection does to the data, whatever number is drawn.
	Event privacy.Select
}

// Selections are the private selections of a sweep whose disclosure is one, when
// it runs under the given ID; none of another sweep. A point that cannot be
// calibrated is an error.
func (s *Sweep) Selections(id sweep.SweepID, calibrate Calibration) ([]Selection, error) {
	if !s.private() {
		return nil, nil
	}
	var all []Selection
	for _, target := range s.targets() {
		sel, some, err := s.selection(id, target, calibrate)
		if err != nil {
			return nil, err
		}
		if some {
			sel.Slot.Index = len(all)
			all = append(all, sel)
		}
	}
	return all, nil
}

// targets are the target epsilons, or 0 for none.
func (s *Sweep) targets() []float64 {
	if len(s.Privacy.Epsilon) == 0 {
		return []float64{0}
	}
	return s.Privacy.Epsilon
}

// selection reports false if no point of the target passes the constraint.
func (s *Sweep) selection(id sweep.SweepID, target float64, calibrate Calibration) (sel Selection, some bool, err error) {
	d := newDrawer(s, target, calibrate)
	if some, err = d.first(&sel.Slot); err != nil || !some {
		return sel, some, err
	}
	events, err := d.events()
	if err != nil {
		return sel, false, err
	}
	run := privacy.Event(events)
	if len(events) == 1 {
		run = events[0]
	}
	sel.Event = privacy.Select{Run: run, Count: s.Selection.Count, Mean: s.Selection.Mean, Shape: s.Selection.Shape}
	sum := sha256.Sum256([]byte("sweep/selection/1\n" + string(id) + "\n" + show(target)))
	sel.Slot.Params.Seed = binary.BigEndian.Uint64(sum[:8]) >> 11
	sel.Slot.Label = "private selection"
	if len(s.Privacy.Epsilon) > 1 {
		sel.Slot.Label = "ε=" + show(target) + " private selection"
	}
	return sel, true, sel.Event.Check()
}

// Draw draws the trials of the private selection of the target: their number
// from its law and each point independently and uniformly, with replacement,
// with a seed of its own. random is [rand.Reader] but in tests.
func (s *Sweep) Draw(target float64, calibrate Calibration, random io.Reader) ([]Trial, error) {
	k, err := privacy.Select{
		Run: privacy.DPSGD{}, Count: s.Selection.Count, Mean: s.Selection.Mean, Shape: s.Selection.Shape,
	}.Draw(random)
	if err != nil {
		return nil, err
	}
	d := newDrawer(s, target, calibrate)
	trials, err := d.draw(k, random)
	if err != nil {
		return nil, fmt.Errorf("draw the points of a private selection: %w", err)
	}
	for i := range trials {
		seed, err := below(random, 1<<53)
		if err != nil {
			return nil, err
		}
		trials[i].Index, trials[i].Params.Seed = i, seed
	}
	return trials, nil
}

// A drawer draws points of one target.
type drawer struct {
	s      *Sweep
	target float64
	m      *maker
}

func newDrawer(s *Sweep, target float64, calibrate Calibration) *drawer {
	return &drawer{s, target, newMaker(s, calibrate)}
}

// listed are the points of a grid that have the target. The slice is reused.
func (d *drawer) listed() func(func([]any, error) bool) {
	return func(yield func([]any, error) bool) {
		for values, err := range d.s.grid() {
			if err == nil && !d.has(values) {
				continue
			}
			if !yield(values, err) {
				return
			}
		}
	}
}

func (d *drawer) has(values []any) bool {
	return d.m.noise.ε < 0 || values[d.m.noise.ε] == d.target
}

func (d *drawer) trial(values []any) (Trial, error) { return d.m.trial(values, strategy.Ask{}, 0) }

// first makes t of a point of the target, always the same one, if there is one.
func (d *drawer) first(t *Trial) (bool, error) {
	if d.s.Strategy == "random" {
		var n uint64
		values, err := d.uniform(func() (uint64, error) { n++; return n, nil })
		if err == nil {
			*t, err = d.trial(values)
		}
		return true, err
	}
	for values, err := range d.listed() {
		if err == nil {
			*t, err = d.trial(values)
		}
		return true, err
	}
	return false, nil
}

// patience is how often a point of another target is drawn again.
const patience = 100_000

// uniform draws points until one has the target, which is then uniform among
// those that do. seed gives each draw its own. The slice is reused.
func (d *drawer) uniform(seed func() (uint64, error)) ([]any, error) {
	for range patience {
		n, err := seed()
		if err != nil {
			return nil, err
		}
		one := strategy.Random{Space: d.m.space.cube(), Trials: 1, Seed: n}
		asks, _ := one.Next(nil, 1)
		if len(asks) == 0 {
			break
		}
		if values, ok := d.m.space.values(asks[0].At); ok && d.has(values) {
			return values, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("of %d points drawn none can be run at epsilon %s", patience, show(d.target)), d.m.space.err)
}

// draw draws k points.
func (d *drawer) draw(k int, random io.Reader) ([]Trial, error) {
	trials := make([]Trial, k)
	if d.s.Strategy == "random" {
		for i := range trials {
			values, err := d.uniform(func() (uint64, error) { return below(random, 1<<53) })
			if err != nil {
				return nil, err
			}
			if trials[i], err = d.trial(values); err != nil {
				return nil, err
			}
		}
		return trials, nil
	}
	size := 0
	for _, err := range d.listed() {
		if err != nil {
			return nil, err
		}
		size++
	}
	if size == 0 {
		return nil, fmt.Errorf("no point has epsilon %s", show(d.target))
	}
	wanted := make(map[int][]int) // by place in the grid, the draws that it is
	for i := range trials {
		at, err := below(random, uint64(size))
		if err != nil {
			return nil, err
		}
		wanted[int(at)] = append(wanted[int(at)], i)
	}
	at := 0
	for values := range d.listed() {
		for _, i := range wanted[at] {
			var err error
			if trials[i], err = d.trial(values); err != nil {
				return nil, err
			}
		}
		at++
	}
	return trials, nil
}

// below draws a whole number from 0 to n-1.
func below(random io.Reader, n uint64) (uint64, error) {
	x, err := rand.Int(random, new(big.Int).SetUint64(n))
	if err != nil {
		return 0, err
	}
	return x.Uint64(), nil
}

// events are what a trial may do to the data, over all points of the target,
// each once.
func (d *drawer) events() (privacy.OneOf, error) {
	seen := make(map[privacy.DPSGD]bool)
	add := func(p sweep.Params) {
		seen[privacy.DPSGD{SampleRate: p.SampleRate(), Noise: p.Noise, Steps: p.Steps}] = true
	}
	if d.s.Strategy == "random" {
		if err := d.product(add); err != nil {
			return nil, err
		}
	} else {
		for values, err := range d.listed() {
			if err != nil {
				return nil, err
			}
			t, err := d.trial(values)
			if err != nil {
				return nil, err
			}
			add(t.Params)
		}
	}
	all := make(privacy.OneOf, 0, len(seen))
	for e := range seen {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b privacy.Event) int {
		x, y := a.(privacy.DPSGD), b.(privacy.DPSGD)
		return cmp.Or(cmp.Compare(x.SampleRate, y.SampleRate), cmp.Compare(x.Noise, y.Noise), cmp.Compare(x.Steps, y.Steps))
	})
	return all, nil
}

// product goes through all values of the axes that decide what a trial costs,
// whether or not the constraint lets them meet: more events never cost less.
func (d *drawer) product(add func(sweep.Params)) error {
	values := make([]any, len(d.s.axes))
	for i, a := range d.s.axes {
		values[i] = a.Values[0]
	}
	if d.m.noise.ε >= 0 {
		values[d.m.noise.ε] = d.target
	}
	var walk func(names []string) error
	walk = func(names []string) error {
		if len(names) == 0 {
			t := Trial{Params: d.s.params(values)}
			err := d.m.noise.fill(&t, values)
			add(t.Params)
			return err
		}
		i := slices.IndexFunc(d.s.axes, func(a Axis) bool { return a.Name == names[0] })
		if i < 0 {
			return walk(names[1:])
		}
		for _, v := range d.s.axes[i].Values {
			values[i] = v
			if err := walk(names[1:]); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(dearAxes)
}
