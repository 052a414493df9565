package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/privacy"
	"sweep/results"
)

var recountCommand = &cli.Command{
	Name: "recount", Usage: "price every trial again from what it is recorded to have done",
	Description: `Nothing is trained. Without --accountant every sweep keeps its own, and prices change only if
this version of sweep knows better than the one that wrote them. With it, it becomes the accountant
of every sweep in the file. All prices change together or none; other processes may go on writing.`,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "accountant", Usage: "`NAME` of the accountant for every sweep: certified, exact, pld or rdp"},
		outputFlag,
	}, placeFlags...),
	Action: func(c *cli.Context) error {
		by := privacy.Accountant(c.String("accountant"))
		if by != "" {
			if _, err := privacy.ParseAccountant(string(by)); err != nil {
				return &exitError{exitUsage, err}
			}
			if !by.Bound() {
				return usagef("--accountant %s is no bound; a record keeps upper bounds", by)
			}
		}
		p, err := placeOf(c)
		if err != nil {
			return err
		}
		if err := p.there(); err != nil {
			return err
		}
		s, err := results.Open(c.Context, p.db)
		if err != nil {
			return err
		}
		l, err := recount(c.Context, s, by)
		if err = errors.Join(err, s.Close()); err != nil {
			return err
		}
		return l.print(c)
	},
}

// A recounted sweep is what changed in one.
type recounted struct {
	Sweep   sweep.SweepID      `json:"sweep"`
	Before  privacy.Accountant `json:"accountant_before"`
	After   privacy.Accountant `json:"accountant"`
	Priced  int                `json:"priced"`
	Changed int                `json:"changed"`
}

func recount(ctx context.Context, s *results.Store, by privacy.Accountant) (listing, error) {
	sweeps, err := s.Sweeps(ctx)
	if err != nil {
		return listing{}, err
	}
	before, err := pricesOf(ctx, s, sweeps)
	if err != nil {
		return listing{}, err
	}
	if _, err := s.Recount(ctx, by); err != nil {
		if errors.Is(err, privacy.ErrNotApplicable) {
			err = hinted{err, "nothing was changed; certified prices whatever any accountant can"}
		}
		return listing{}, err
	}
	after, err := pricesOf(ctx, s, sweeps)
	if err != nil {
		return listing{}, err
	}
	l := listing{headings: []string{"sweep", "accountant before", "accountant", "trials priced", "changed"}}
	all := []recounted{}
	for _, info := range sweeps {
		now := recounted{Sweep: info.ID, Before: info.Accountant, After: info.Accountant}
		if by != "" {
			now.After = by
		}
		for trial, ε := range after[info.ID] {
			now.Priced++
			if before[info.ID][trial] != ε {
				now.Changed++
			}
		}
		all = append(all, now)
		l.rows = append(l.rows, []any{string(now.Sweep), string(now.Before), string(now.After), now.Priced, now.Changed})
	}
	l.json = map[string]any{"schema": 1, "sweeps": all}
	return l, nil
}

// pricesOf are the ε of all trials that have one, by sweep.
func pricesOf(ctx context.Context, s *results.Store, sweeps []results.SweepInfo) (map[sweep.SweepID]map[sweep.TrialID]results.Epsilon, error) {
	all := make(map[sweep.SweepID]map[sweep.TrialID]results.Epsilon)
	for _, info := range sweeps {
		trials, err := s.Trials(ctx, info.ID, results.Filter{})
		if err != nil {
			return nil, fmt.Errorf("prices of sweep %s: %w", info.ID, err)
		}
		all[info.ID] = make(map[sweep.TrialID]results.Epsilon)
		for _, t := range trials {
			if t.Epsilon != 0 {
				all[info.ID][t.ID] = t.Epsilon
			}
		}
	}
	return all, nil
}
