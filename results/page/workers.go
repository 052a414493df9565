package page

import (
	"context"
	"fmt"
	"net/http"
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
}

func (s *Site) workers(w http.ResponseWriter, r *http.Request) error {
	f, err := s.sweepFrame(r, "workers")
	if err != nil {
		return err
	}
	data := workersData{sweepFrame: f}
	if err := s.addTimeline(r.Context(), &data, func(trial string) string { return "/trial/" + trial }); err != nil {
		return err
	}
	return s.render(w, http.StatusOK, "workers.html", data)
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
	return t
}

// workerName is the part of a worker's identity that people know it by.
func workerName(identity string) string {
	if identity == "" {
		return "not reported"
	}
	name, _, _ := strings.Cut(identity, ":")
	return name
}
