package page

import (
	"fmt"
	"net/http"
	"slices"

	"sweep/results"
	"sweep/results/chart"
)

// A compareData is the page that sets trials side by side.
type compareData struct {
	sweepFrame
	Trials []results.TrialRow
	Rows   []comparedRow
	Charts []chart.Drawing
}

// A comparedRow is one property of all of them.
type comparedRow struct {
	Name    string
	Values  []string
	Differs bool
	Numeric bool
}

func (s *Site) compare(w http.ResponseWriter, r *http.Request) error {
	f, err := s.sweepFrame(r, "compare")
	if err != nil {
		return err
	}
	data := compareData{sweepFrame: f}
	if asked := r.URL.Query()["trial"]; len(asked) > 0 {
		if data.Trials, _, err = s.chosen(r.Context(), f.Sweep.ID, asked); err != nil {
			return err
		}
		data.Rows = compared(data.Trials)
	}
	return s.stream(w, "compare.html", &data.frame, &data, func() (err error) {
		data.Charts, err = s.overlay(r.Context(), data.Trials)
		return err
	})
}

// compared are outcomes and parameters by name, outcomes first.
func compared(trials []results.TrialRow) []comparedRow {
	var rows []comparedRow
	add := func(name string, i int, value string, numeric bool) {
		at := slices.IndexFunc(rows, func(r comparedRow) bool { return r.Name == name })
		if at < 0 {
			at = len(rows)
			rows = append(rows, comparedRow{Name: name, Values: make([]string, len(trials)), Numeric: numeric})
		}
		rows[at].Values[i] = value
	}
	for i, t := range trials {
		add("state", i, string(t.State), true)
		if t.Outcome != nil {
			add("accuracy, %", i, fmt.Sprintf("%.2f", 100*t.Outcome.Accuracy), true)
			if first := trials[0].Outcome; i == 0 {
				add("difference to the first, points", i, "", true)
			} else if first != nil {
				add("difference to the first, points", i, fmt.Sprintf("%+.2f", 100*(t.Outcome.Accuracy-first.Accuracy)), true)
			}
			add("accuracy of the last weights, %", i, fmt.Sprintf("%.2f", 100*t.Outcome.LastAccuracy), true)
			add("loss, nats", i, chart.Number(t.Outcome.Loss), true)
			add("seconds", i, chart.Number(t.Outcome.Seconds), true)
		}
		add("ε spent", i, epsilon(float64(t.Epsilon)), true)
		for _, p := range settings(t.Params) {
			add(p.Name, i, p.Value, true)
		}
	}
	for i, r := range rows {
		rows[i].Differs = len(slices.Compact(slices.Clone(r.Values))) > 1
	}
	return rows
}
