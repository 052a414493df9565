package main

import (
	"fmt"
	"io"
	"strings"

	"sweep"
	"sweep/privacy"
	"sweep/search"
)

// highQuantile is the share of private selections that draw no more trials than a
// plan says.
const highQuantile = 0.95

// expect turns the bill of all points that may be drawn into that of as many
// trials as are drawn on average, of the mean point of each target.
func (p *bill) expect(s *search.Sweep) error {
	all, err := s.Selections(s.ID(), calibrate)
	if err != nil {
		return err
	}
	p.selections = all
	p.points = p.trials
	if p.trials == 0 { // points of ranges cannot be listed: those that stand for them must do
		for _, sel := range all {
			p.add(sel.Slot, 1)
		}
	}
	perTrial := p.views / float64(p.trials)
	p.trials = len(all)
	p.views = perTrial * s.Selection.Mean * float64(len(all))
	return nil
}

// listed is how many rows a plan can print.
func (p *bill) listed(s *search.Sweep) int {
	if s.Disclosure == sweep.PrivateSelect {
		return p.points
	}
	return p.trials
}

// trialsText is how many trials there will be.
func (p *bill) trialsText(s *search.Sweep) string {
	if s.Disclosure != sweep.PrivateSelect {
		return fmt.Sprint(p.trials)
	}
	return fmt.Sprintf("%.4g on average, drawn from the points above", s.Selection.Mean*float64(p.trials))
}

// printSelections tells how many trials are drawn and what that costs.
func (p *bill) printSelections(w io.Writer, s *search.Sweep) error {
	delta := s.Privacy.Delta
	var together privacy.Composed
	for i, sel := range p.selections {
		if i == 0 {
			most, err := sel.Event.Quantile(highQuantile)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "disclosure private-select: at each target a %s number of trials, %s on average, no more than %d with a probability of %.0f %%; only the best is shown\n",
				strings.ReplaceAll(string(sel.Event.Count), "_", " "), exact(sel.Event.Mean), most, 100*highQuantile)
		}
		ε, err := privacy.Certified.Epsilon(sel.Event, delta)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: ε %s at δ = %s, whatever number is drawn\n", sel.Slot.Label, privacy.FormatEpsilon(ε, 4), exact(delta))
		together = append(together, sel.Event)
	}
	if len(together) > 1 {
		ε, err := privacy.Certified.Epsilon(together, delta)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "all of them together: ε %s at δ = %s\n", privacy.FormatEpsilon(ε, 4), exact(delta))
	}
	return nil
}
