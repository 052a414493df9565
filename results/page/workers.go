package page

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"sweep/results"
	"sweep/results/chart"
)

// spansShown is how many attempts a timeline shows: the last ones.
const spansShown = 800

// A workersData is the page of attempts by worker.
type workersData struct {
	sweepFrame
	Timeline chart.Drawing
	Shown    int
	Total    int
	Workers  []results.WorkerInfo
	History  chart.Drawing // how the frontier rose; without marks before the second trial
}

func (s *Site) workers(w http.ResponseWriter, r *http.Request) error {
	f, err := s.sweepFrame(r, "workers")
	if err != nil {
		return err
	}
	data := workersData{sweepFrame: f}
	return s.stream(w, "workers.html", &data.frame, &data,
		func() error { return s.addTimeline(r.Context(), &data, toTrial) },
		func() error { return s.addHistory(r.Context(), &data) })
}

func (s *Site) addTimeline(ctx context.Context, data *workersData, link func(string) string) error {
	spans, total, err := s.Reader.Timeline(ctx, data.Sweep.ID, spansShown)
	if err != nil {
		return err
	}
	data.Shown, data.Total = len(spans), total
	data.Workers, err = recall(ctx, s, "workers "+string(data.Sweep.ID), func(ctx context.Context) ([]results.WorkerInfo, error) {
		return s.Reader.Workers(ctx, data.Sweep.ID)
	})
	if len(spans) > 0 {
		data.Timeline = timeline(spans, link).Draw()
	}
	return err
}

// momentsDrawn is at how many moments the course of the frontier is drawn.
const momentsDrawn = 120

func (s *Site) addHistory(ctx context.Context, data *workersData) error {
	mark, err := s.mark(ctx, data.Sweep)
	if err != nil {
		return err
	}
	moments, err := keep(ctx, s, "history "+mark, func(ctx context.Context) ([]results.Moment, error) {
		return s.Reader.History(ctx, data.Sweep.ID, momentsDrawn)
	})
	if err != nil || len(moments) < 2 {
		return err
	}
	c := chart.Curves{Title: "mean accuracy of the frontier over ln ε, by trials completed", XTitle: "trials completed", YTitle: "mean accuracy, %", Percent: true, Width: 1040, Height: 260}
	line := chart.Curve{Name: "frontier"}
	for _, m := range moments {
		line.Points = append(line.Points, chart.Point{X: float64(m.Completed), Y: m.Accuracy})
		line.Notes = append(line.Notes, when(m.At))
	}
	c.Curves = []chart.Curve{line}
	data.History = c.Draw()
	return nil
}

func timeline(spans []results.Span, link func(string) string) chart.Timeline {
	t := chart.Timeline{Title: "attempts by worker", From: spans[0].Started, To: spans[0].Started.Add(time.Second)}
	lanes := map[string]int{}
	for _, s := range spans {
		lane, ok := lanes[s.Worker]
		if !ok {
			lane = len(t.Lanes)
			lanes[s.Worker] = lane
			t.Lanes = append(t.Lanes, chart.Lane{Name: workerName(s.Worker)})
		}
		end, class := s.Ended, "done"
		switch {
		case s.Ended.IsZero():
			end, class = time.Now(), "running"
		case s.Failure != "":
			class = "failed"
		}
		tip := fmt.Sprintf("%s\n%s, attempt %d, steps %d to %d\n%s UTC, %s", s.Label, short(s.Trial), s.Attempt, s.FromStep, s.LastStep, when(s.Started), lasted(ran(s.Started, s.Ended)))
		if s.Failure != "" {
			line, _, _ := strings.Cut(s.Reason, "\n")
			tip += fmt.Sprintf("\n%s: %s", s.Failure, line)
		}
		if end.After(t.To) {
			t.To = end
		}
		t.Lanes[lane].Spans = append(t.Lanes[lane].Spans, chart.Span{From: s.Started, To: end, Class: class, Tip: tip, Link: link(string(s.Trial))})
	}
	slices.SortStableFunc(t.Lanes, func(a, b chart.Lane) int { return compareNames(a.Name, b.Name) })
	return t
}

// compareNames orders names as people do, gpu2 before gpu10.
func compareNames(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x > 0 && y > 0 {
			p, q := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
				return c
			}
			a, b = a[x:], b[y:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits is how many s begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// workerName is the part of a worker's identity that people know it by.
func workerName(identity string) string {
	if identity == "" {
		return "not reported"
	}
	name, _, _ := strings.Cut(identity, ":")
	return name
}
