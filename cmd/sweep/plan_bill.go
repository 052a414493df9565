package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/privacy"
	"sweep/results"
	"sweep/search"
	"sweep/trainerplugin"
	"sweep/trainerplugin/builtin"
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
	if err := p.printBudget(c.Context, w, place, s); err != nil {
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

// printBudget tells what remains of the data set's budget, if it has one.
func (p *bill) printBudget(ctx context.Context, w io.Writer, at place, s *search.Sweep) error {
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
	for _, a := range accounts {
		fmt.Fprintf(w, "ledger of %s: ε %s spent or reserved at δ = %s", strings.Join(a.Data, ", "), privacy.FormatEpsilon(float64(a.Reserved), 4), exact(a.Delta))
		if a.Budget != nil && a.Budget.Set() {
			fmt.Fprintf(w, " of a budget of %s", privacy.FormatEpsilon(float64(a.Budget.Epsilon), 4))
		}
		fmt.Fprintln(w)
	}
	return nil
}

// printTime tells how long the sweep takes, by what trials of the record took or
// by a rehearsal.
func (p *bill) printTime(c *cli.Context, w io.Writer, at place, s *search.Sweep) error {
	pace, how, err := p.pace(c, at, s)
	if err != nil {
		return err
	}
	if how != "" {
		fmt.Fprintln(w, how)
	}
	if pace == 0 {
		_, err := fmt.Fprintf(w, "time: not known, since no trial of %s on %s is in the record; --rehearse runs a few steps\n", s.Model, s.Data.Name)
		return err
	}
	work := time.Duration(pace * p.views * float64(time.Second))
	parallel := s.Run.Parallel
	if parallel == 0 {
		parallel, _ = shares(role{})
	}
	_, err = fmt.Fprintf(w, "time: about %s of training, %s with %d at a time", rough(work), rough(work/time.Duration(parallel)), parallel)
	if g := s.Run.GPUsPerTrial; g > 0 {
		fmt.Fprintf(w, ", %.3g GPU-hours", work.Hours()*g)
	}
	fmt.Fprintln(w)
	return err
}

// pace is seconds per view, and how that is known.
func (p *bill) pace(c *cli.Context, at place, s *search.Sweep) (float64, string, error) {
	if c.Bool("rehearse") {
		return p.rehearse(c.Context, at, s)
	}
	r, err := results.OpenReader(c.Context, at.db)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	pace, err := r.Pace(c.Context, s.Model, s.Data.Name, p.largest.Trainer)
	if err != nil || pace.Trials == 0 {
		return 0, "", err
	}
	return pace.SecondsPerView, fmt.Sprintf("pace: %.0f views/s, mean of %d recorded trials", 1/pace.SecondsPerView, pace.Trials), nil
}

// rehearsed is how many steps a rehearsal makes.
const rehearsed = 3

// rehearse runs a few steps of the largest trial in this process, on images drawn
// at random in place of the data's, and throws them away: nothing of the data
// but their sizes has any part in it, so that there is nothing to be charged.
func (p *bill) rehearse(ctx context.Context, at place, s *search.Sweep) (float64, string, error) {
	if s.Trainer != nil {
		return 0, "", usagef("--rehearse runs the built-in trainer, and %s names another", s.Name)
	}
	dir, err := os.MkdirTemp("", "sweep-rehearsal")
	if err != nil {
		return 0, "", err
	}
	defer os.RemoveAll(dir)
	params := p.largest
	params.Steps, params.Warmup = rehearsed, 0
	t := builtin.Rehearsal()
	_, threads := shares(role{atOnce: s.Run.Parallel})
	job := trainerplugin.Job{Trial: params.ID(), Params: params, DataDir: at.data, Dir: dir, Threads: threads}
	need, err := t.Check(ctx, job)
	if err != nil {
		return 0, "", err
	}
	seconds := 0.0
	_, err = t.Train(ctx, job, func(e trainerplugin.Event) error {
		if e, ok := e.(trainerplugin.Progress); ok {
			seconds = e.SecondsElapsed
		}
		return nil
	})
	if err != nil {
		return 0, "", err
	}
	views := rehearsed * float64(params.Batch) * float64(max(1, params.AugMult))
	return seconds / views, fmt.Sprintf("rehearsal: %d steps of the largest trial in %.2gs, %.0f views/s; %d MB of memory, %d parameters, microbatches of %d",
		rehearsed, seconds, views/seconds, need.MemoryBytes>>20, need.Parameters, need.Microbatch), nil
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
