package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/privacy"
	"sweep/results"
	"sweep/search"
)

// A bill is what a sweep will take.
type bill struct {
	trials  int
	views   float64 // images seen, augmentations counted
	largest sweep.Params
	most    float64 // views of the largest
	guessed bool    // it is what a strategy that decides as trials end may come to at most

	selections []search.Selection // of a sweep that is one
	points     int                // that they draw from, as far as they can be listed

	kinds      []kindOfStep // in the order in which they come
	steps      map[kindOfStep]int
	mechanisms []privacy.DPSGD // the first different ones
}

type kindOfStep struct{ rate, noise float64 }

// shownMechanisms are priced by every accountant, and pricedKinds added up.
const (
	shownMechanisms = 4
	pricedKinds     = 300
	preview         = 12 // trials of an adaptive strategy that are printed
)

// add counts so many trials like one.
func (p *bill) add(t search.Trial, times int) {
	p.trials += times
	v := float64(t.Params.Batch) * float64(t.Params.Steps) * float64(max(1, t.Params.AugMult))
	p.views += v * float64(times)
	if v > p.most {
		p.most, p.largest = v, t.Params
	}
	k := kindOfStep{t.Params.SampleRate(), t.Params.Noise}
	if p.steps == nil {
		p.steps = map[kindOfStep]int{}
	}
	if _, known := p.steps[k]; !known {
		p.kinds = append(p.kinds, k)
		if len(p.mechanisms) < shownMechanisms && k.noise > 0 {
			p.mechanisms = append(p.mechanisms, privacy.DPSGD{SampleRate: k.rate, Noise: k.noise, Steps: t.Params.Steps})
		}
	}
	p.steps[k] += times * t.Params.Steps
}

// billOf adds up the trials of s, and all that a strategy which decides later may
// come to. Of those it returns a few to look at.
func billOf(s *search.Sweep) (*bill, []search.Trial, error) {
	p := &bill{}
	for t, err := range s.Trials(calibrate) {
		if err != nil {
			return nil, nil, err
		}
		p.add(t, 1)
	}
	if s.Disclosure == sweep.PrivateSelect {
		return p, nil, p.expect(s)
	}
	if !s.Adaptive() {
		return p, nil, nil
	}
	p.guessed = true
	listed := p.trials
	more, err := s.Forecast(nil, calibrate)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range more {
		p.add(f.Trial, f.Times)
	}
	if p.trials == 0 {
		return nil, nil, errors.New("the strategy asks for no trial that can be run")
	}
	var first []search.Trial
	for _, f := range more[:min(preview, len(more))] {
		if listed == 0 {
			first = append(first, f.Trial)
		}
	}
	return p, first, nil
}

// composed is ε of the whole search together, NaN if it was not added up.
func (p *bill) composed(delta float64) (float64, error) {
	if len(p.kinds) > pricedKinds {
		return 0, fmt.Errorf("not added up, for %d kinds of steps", len(p.kinds))
	}
	var t privacy.Tally
	for _, k := range p.kinds {
		if err := t.Add(privacy.DPSGD{SampleRate: k.rate, Noise: k.noise, Steps: 1}, p.steps[k]); err != nil {
			return 0, err
		}
	}
	return t.Epsilon(delta), nil
}

// print tells what the sweep costs in time and privacy.
func (p *bill) print(c *cli.Context, s *search.Sweep) error {
	w := c.App.Writer
	place, err := placeOf(c)
	if err != nil {
		return err
	}
	delta := s.Privacy.Delta
	for _, m := range p.mechanisms {
		fmt.Fprintf(w, "ε of q=%s σ=%s T=%d:", exact(m.SampleRate), exact(m.Noise), m.Steps)
		for _, a := range []privacy.Accountant{privacy.Certified, privacy.PLD, privacy.RDP} {
			if ε, err := a.Epsilon(m, delta); err == nil {
				fmt.Fprintf(w, " %s by %s ", privacy.FormatEpsilon(ε, 4), a)
			}
		}
		fmt.Fprintln(w)
	}
	if s.Disclosure == sweep.PrivateSelect {
		err = p.printSelections(w, s)
	} else {
		p.printDisclosures(w, s)
	}
	if err != nil {
		return err
	}
	if err := p.printBudget(c, w, place, s); err != nil {
		return err
	}
	return p.printTime(c, w, place, s)
}

// printDisclosures tells what the search costs under each disclosure.
func (p *bill) printDisclosures(w io.Writer, s *search.Sweep) {
	about, delta := "", s.Privacy.Delta
	if p.guessed {
		about = "up to about "
	}
	fmt.Fprintf(w, "disclosure research: each trial's own ε, and nothing for the search\n")
	if ε, err := p.composed(delta); err != nil {
		fmt.Fprintf(w, "disclosure composed: %v\n", err)
	} else {
		fmt.Fprintf(w, "disclosure composed: ε %s%s for all %d trials together at δ = %s, by rdp\n", about, privacy.FormatEpsilon(ε, 4), p.trials, exact(delta))
	}
	if s.Adaptive() {
		fmt.Fprintf(w, "disclosure private-select: not with %s, whose trials depend on one another\n", s.Strategy)
	}
}

// printBudget tells what the ledger of the data set holds and, if it has a budget,
// whether the sweep would be let start.
func (p *bill) printBudget(c *cli.Context, w io.Writer, at place, s *search.Sweep) error {
	ctx := c.Context
	r, err := results.OpenReader(ctx, at.db)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	accounts, err := r.Accounts(ctx, s.Data.Name, s.Privacy.Delta)
	if errors.Is(err, sweep.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	bounded := false
	for _, a := range accounts {
		fmt.Fprintf(w, "ledger of %s: ε %s spent or reserved at δ = %s", strings.Join(a.Data, ", "), privacy.FormatEpsilon(float64(a.Reserved), 4), exact(a.Delta))
		if a.Budget != nil && a.Budget.Set() {
			fmt.Fprintf(w, " of a budget of %s", privacy.FormatEpsilon(float64(a.Budget.Epsilon), 4))
			bounded = true
		}
		fmt.Fprintln(w)
	}
	if !bounded {
		return nil
	}
	return printRoom(c, w, at, s)
}

// printRoom tells whether the budget has room for the sweep as it would start now.
func printRoom(c *cli.Context, w io.Writer, at place, s *search.Sweep) error {
	id, err := sweepFor(c.Context, at, s)
	if _, refused := errors.AsType[*exitError](err); refused {
		_, err = fmt.Fprintf(w, "start would refuse it: %v\n", err)
		return err
	}
	if err == nil {
		id, s, err = reusing(c, at, id, s)
	}
	if err != nil {
		return err
	}
	a, _, err := affordanceOf(c.Context, at, id, s)
	switch {
	case err != nil:
		return err
	case !a.Fits:
		_, err = fmt.Fprintf(w, "with this sweep: ε %s, for which the budget has no room: start would refuse it; %s\n", privacy.FormatEpsilon(float64(a.After), 4), wouldFit(a, s))
	case a.Budget == nil:
		_, err = fmt.Fprintln(w, "with this sweep: no more, since nothing of it is left to be run")
	default:
		_, err = fmt.Fprintf(w, "with this sweep: ε %s, for which the budget has room\n", privacy.FormatEpsilon(float64(a.After), 4))
	}
	return err
}

// rough is a time in its largest units.
func rough(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d >= time.Minute:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.0f seconds", d.Seconds())
}

// largeSweep is how many trials nobody starts by accident.
const largeSweep = 2000

// confirmLarge asks before a large sweep is started.
func confirmLarge(c *cli.Context, s *search.Sweep) error {
	n := max(s.Len(), s.Most())
	if n <= largeSweep {
		return nil
	}
	return confirm(c, fmt.Sprintf("%s is %d trials, and `sweep plan FILE` says what they take", s.Name, n))
}
