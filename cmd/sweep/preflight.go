package main

import (
	"errors"
	"strings"

	"sweep/search"
	"sweep/trainerplugin"
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

// findTrainer refuses a sweep that is trained here by an external trainer which
// this machine does not have.
func findTrainer(s *search.Sweep) error {
	if s.Trainer == nil {
		return nil
	}
	err := trainerplugin.Find(s.Trainer.Command, s.Trainer.SHA256)
	if !errors.Is(err, trainerplugin.ErrAbsent) {
		return err
	}
	return search.SyntaxErrors{s.Mistake("trainer", errors.New(strings.TrimPrefix(err.Error(), "trainer: ")))}
}
