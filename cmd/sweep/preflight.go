package main

import (
	"errors"

	"sweep/search"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/model"
)

// preflight refuses what the built-in trainer would refuse of every trial of s:
// a model or a data set that it does not know, and, if trials are trained here,
// one whose files are not in the folder. External trainers have names of their own.
func preflight(s *search.Sweep, folder string, here bool) error {
	if s.Trainer != nil {
		return nil
	}
	var mistakes search.SyntaxErrors
	if err := dataset.Locate(folder, s.Data.Name); err != nil && (here || !errors.Is(err, dataset.ErrMissing)) {
		mistakes = append(mistakes, s.Mistake("data.name", err))
	}
	if err := model.Check(s.Model); err != nil {
		mistakes = append(mistakes, s.Mistake("model", err))
	}
	if len(mistakes) == 0 {
		return nil
	}
	return mistakes
}
