package search

import "sweep"

// Foreseen is a trial that a sweep may come to have, and how many it stands for.
type Foreseen struct {
	Trial
	Times int
}

// preview is how many points stand for all that a model chooses.
const preview = 12

// Forecast is what a sweep that is [Sweep.Adaptive] may have beyond the known
// trials, if all that its strategy allows comes to pass: [Sweep.Most] trials. A
// strategy of stages is played to its end, with trials of equal accuracy, for
// which every repeat is given that may be. Where a model chooses, nobody knows
// which points, and the first that it draws stand for all in equal shares.
func (s *Sweep) Forecast(known []Known, calibrate Calibration) ([]Foreseen, error) {
	if !s.Adaptive() {
		return nil, nil
	}
	if methodNamed(s.Strategy).model {
		return s.preview(len(known), calibrate)
	}
	g := NewSuggester(s, calibrate)
	all := make([]Known, len(known), len(known)+s.Most())
	for i, k := range known {
		k.State, k.Accuracy = sweep.Completed, 0.5
		all[i] = k
	}
	if len(known) == 0 { // what the file lists is known before anything is asked
		for t, err := range s.Trials(calibrate) {
			if err != nil {
				return nil, err
			}
			all = append(all, Known{ID: t.Params.ID(), Asked: t.Asked, Repeat: t.Repeat, State: sweep.Completed, Accuracy: 0.5})
		}
	}
	var more []Foreseen
	for {
		trials, _, err := g.Suggest(all, s.Most()+len(all))
		if err != nil || len(trials) == 0 {
			return more, err
		}
		for _, t := range trials {
			more = append(more, Foreseen{t, 1})
			all = append(all, Known{ID: t.Params.ID(), Asked: t.Asked, Repeat: t.Repeat, State: sweep.Completed, Accuracy: 0.5})
		}
	}
}

// preview has the first points stand for all that are left.
func (s *Sweep) preview(known int, calibrate Calibration) ([]Foreseen, error) {
	most := s.Most()
	trials, _, err := s.Suggest(nil, min(preview, most), calibrate)
	if err != nil {
		return nil, err
	}
	left := max(0, most-known)
	var all []Foreseen
	for i, t := range trials {
		if times := (left + len(trials) - 1 - i) / len(trials); times > 0 {
			all = append(all, Foreseen{t, times})
		}
	}
	return all, nil
}
