package main

import (
	"errors"
	"io/fs"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/results"
	"sweep/search"
)

var noReuseFlag = &cli.BoolFlag{
	Name:  "no-reuse",
	Usage: "let no result of an earlier sweep count: a new sweep whose trials have seeds of their own, and are charged again; one that was not finished goes on",
}

// reusing is the sweep under which s runs, and s with its seeds. Without
// --no-reuse that is id, with the seeds that it has. With it, it is the newest of
// s's name if that has seeds of its own and is not finished, and else a new one.
func reusing(c *cli.Context, p place, id sweep.SweepID, s *search.Sweep) (sweep.SweepID, *search.Sweep, error) {
	r, err := results.OpenReader(c.Context, p.db)
	if errors.Is(err, fs.ErrNotExist) {
		if c.Bool(noReuseFlag.Name) {
			s = s.WithOwnSeeds(id)
		}
		return id, s, nil
	}
	if err != nil {
		return id, s, err
	}
	defer r.Close()
	all, err := r.Sweeps(c.Context)
	if err != nil {
		return id, s, err
	}
	before := 0
	var newest results.SweepInfo
	for _, info := range all { // the newest first
		if info.Name == s.Name {
			if before++; before == 1 {
				newest = info
			}
		}
	}
	if c.Bool(noReuseFlag.Name) {
		if finished := newest.State == results.Completed; before > 0 && (finished || !newest.OwnSeeds) {
			id = s.FreshID(before)
		}
		return id, s.WithOwnSeeds(id), nil
	}
	if newest.ID == id && newest.OwnSeeds {
		s = s.WithOwnSeeds(id)
	}
	return id, s, nil
}
