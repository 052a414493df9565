package page

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"sweep"
	"sweep/results"
	"sweep/results/chart"
)

// A curvesData is the page that lays trials' learning curves over one another.
type curvesData struct {
	sweepFrame
	Chosen []chosenTrial
	Charts []chart.Drawing
	Asked  bool // somebody chose the trials
}

type chosenTrial struct {
	results.TrialRow
	Colour int
}

// overlaid is how many trials' curves are told apart by colour.
const overlaid = 8

func (s *Site) curves(w http.ResponseWriter, r *http.Request) error {
	f, err := s.sweepFrame(r, "curves")
	if err != nil {
		return err
	}
	data := curvesData{sweepFrame: f}
	rows, asked, err := s.chosen(r.Context(), f.Sweep.ID, r.URL.Query()["trial"])
	if err != nil {
		return err
	}
	data.Asked = asked
	for i, t := range rows {
		data.Chosen = append(data.Chosen, chosenTrial{t, i})
	}
	return s.stream(w, "curves.html", &data.frame, &data, func() (err error) {
		data.Charts, err = s.overlay(r.Context(), rows)
		return err
	})
}

// chosen are the trials that somebody asked for or, without, those that run and the best.
func (s *Site) chosen(ctx context.Context, id sweep.SweepID, asked []string) (rows []results.TrialRow, some bool, err error) {
	if len(asked) > 0 {
		for _, name := range asked[:min(overlaid, len(asked))] {
			found, err := s.Reader.Trials(ctx, id, results.Filter{Where: fmt.Sprintf("trial == %q", name), Limit: 1})
			if err != nil {
				return nil, true, err
			}
			if len(found) == 0 {
				return nil, true, fmt.Errorf("trial %q of sweep %s: %w", name, id, sweep.ErrNotFound)
			}
			rows = append(rows, found...)
		}
		return rows, true, nil
	}
	running, err := s.Reader.Trials(ctx, id, results.Filter{States: []sweep.State{sweep.Running}, Limit: overlaid / 2})
	if err != nil {
		return nil, false, err
	}
	best, err := s.Reader.Trials(ctx, id, results.Filter{States: []sweep.State{sweep.Completed}, Sort: "-accuracy", Limit: overlaid - len(running)})
	return slices.Concat(running, best), false, err
}

func (s *Site) overlay(ctx context.Context, rows []results.TrialRow) (all []chart.Drawing, err error) {
	for _, p := range panels[:5] {
		c := p.chart()
		for i, t := range rows {
			// One line for each trial: of several metrics in a panel, the first that it has.
			curves, err := s.Reader.Curves(ctx, t.ID, p.names, curvePoints)
			if err != nil {
				return nil, err
			}
			if len(curves) > 0 {
				c.Curves = append(c.Curves, chart.Curve{Name: t.Label, Key: string(t.ID), Colour: i, Points: points(curves[0])})
			}
		}
		if len(c.Curves) > 0 {
			all = append(all, c.Draw())
		}
	}
	return all, nil
}
