package page

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"sweep/results"
	"sweep/results/chart"
)

// A sweepFrame is what every page of one sweep has.
type sweepFrame struct {
	frame
	Tab      string // which of its pages this is
	Sweep    results.SweepInfo
	Progress results.Progress
	Left     time.Duration // about, until it is through; 0 if there is nothing to go by
	Bar      chart.Drawing
	Live     string // address of its events; "" where nothing will happen
	Idle     bool   // it should be running, but no process runs sweeps
	Actions  []string
	Failing  []results.FailureCount
}

func (s *Site) sweepFrame(r *http.Request, tab string) (sweepFrame, error) {
	return s.sweepFrameOf(r.Context(), r.PathValue("id"), tab)
}

func (s *Site) sweepFrameOf(ctx context.Context, name, tab string) (f sweepFrame, err error) {
	info, err := recall(ctx, s, "sweep "+name, func(ctx context.Context) (results.SweepInfo, error) { return s.Reader.Sweep(ctx, name) })
	if err != nil {
		return f, err
	}
	f = sweepFrame{frame: s.frame(info.Name), Tab: tab, Sweep: info}
	if f.Progress, err = s.progress(ctx, info); err != nil {
		return f, err
	}
	f.Left = left(f.Progress)
	f.Bar = bar(info.Counts)
	switch info.State {
	case results.Created, results.Running, results.Paused, results.Stopping:
		f.Live = "/sweep/" + string(info.ID) + "/events"
		f.Idle = s.Served != nil && !s.Served()
	}
	if s.Act != nil && f.Live != "" && !f.Idle {
		f.Actions = actionsOf(info.State)
	}
	if info.Counts.Failed > 0 {
		f.Failing, err = recall(ctx, s, "failures "+string(info.ID), func(ctx context.Context) ([]results.FailureCount, error) {
			return s.Reader.Failures(ctx, info.ID)
		})
	}
	return f, err
}

func (s *Site) progress(ctx context.Context, info results.SweepInfo) (results.Progress, error) {
	return recall(ctx, s, "progress "+string(info.ID), func(ctx context.Context) (results.Progress, error) { return s.Reader.Progress(ctx, info.ID) })
}

// left is about how long the rest of a sweep takes, while some of it runs.
func left(p results.Progress) time.Duration {
	if len(p.Running) == 0 {
		return 0
	}
	return p.Left().Round(time.Second)
}

func bar(n results.Counts) chart.Drawing {
	return chart.Progress(fmt.Sprintf("%d of %d trials completed, %d running, %d failed", n.Completed, n.Trials, n.Running, n.Failed), []chart.Part{
		{Class: "done", N: n.Completed}, {Class: "failed", N: n.Failed}, {Class: "running", N: n.Running}, {Class: "waiting", N: n.Pending + n.Waiting + n.Stopped},
	})
}

func actionsOf(state results.SweepState) []string {
	switch state {
	case results.Paused:
		return []string{"resume", "stop", "cancel"}
	case results.Stopping:
		return []string{"cancel"}
	}
	return []string{"pause", "stop", "cancel"}
}

// home lists the sweeps.
func (s *Site) home(w http.ResponseWriter, r *http.Request) error {
	all, err := recall(r.Context(), s, "sweeps", s.Reader.Sweeps)
	if err != nil {
		return err
	}
	type row struct {
		results.SweepInfo
		Bar chart.Drawing
	}
	data := struct {
		frame
		Sweeps []row
		Live   string
	}{frame: s.frame("sweeps")}
	for _, info := range all {
		data.Sweeps = append(data.Sweeps, row{info, bar(info.Counts)})
	}
	return s.render(w, http.StatusOK, "home.html", data)
}

// An overviewData is the first page of a sweep.
type overviewData struct {
	sweepFrame
	Frontier results.Frontier
	Chart    chart.Drawing
	Rows     []frontierRow
	Tested   bool // somebody measured a point on the test split
	Sure     bool // it is known how sure a point is
}

// A frontierRow is the best point of its epsilon, as a line of a table.
type frontierRow struct {
	results.Point
	Trial string // one of its repeats
	Hyper []setting
}

func (s *Site) overview(w http.ResponseWriter, r *http.Request) error {
	f, err := s.sweepFrame(r, "overview")
	if err != nil {
		return err
	}
	data := overviewData{sweepFrame: f}
	return s.stream(w, "overview.html", &data.frame, &data, func() error { return s.addFrontier(r.Context(), &data, toTrial) })
}

// toTrial is the address of a trial's page.
func toTrial(trial string) string { return "/trial/" + trial }

func (s *Site) frontier(ctx context.Context, info results.SweepInfo) (results.Frontier, error) {
	return recall(ctx, s, "frontier "+string(info.ID), func(ctx context.Context) (results.Frontier, error) { return s.Reader.Frontier(ctx, info.ID) })
}

func (s *Site) addFrontier(ctx context.Context, data *overviewData, link func(string) string) (err error) {
	if data.Frontier, err = s.frontier(ctx, data.Sweep); err != nil {
		return err
	}
	data.Chart = FrontierChart(data.Frontier, link).Draw()
	for _, p := range data.Frontier.Points {
		data.Rows = append(data.Rows, frontierRow{Point: p, Trial: string(p.Trial), Hyper: hyper(p.Params)})
		data.Tested, data.Sure = data.Tested || p.Test != nil, data.Sure || p.BestProbability != nil
	}
	return nil
}

// picture is the frontier as a file.
func (s *Site) picture(w http.ResponseWriter, r *http.Request) error {
	info, err := s.Reader.Sweep(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := s.frontier(r.Context(), info)
	if err != nil {
		return err
	}
	kind := r.PathValue("kind")
	if kind == "svg" {
		w.Header().Set("Content-Type", "image/svg+xml")
	}
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", string(info.ID)+"."+kind))
	return WriteFrontier(w, f, kind)
}
