package page

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sweep"
	"sweep/results"
)

// perPage is how many trials one page lists.
const perPage = 50

var states = []sweep.State{sweep.Pending, sweep.Running, sweep.Completed, sweep.Failed, sweep.Stopped}

// A trialsData is the page that lists a sweep's trials.
type trialsData struct {
	sweepFrame
	Filter  results.Filter
	Wrong   string // why the filter cannot be used
	States  []stateChoice
	Columns []column
	Rows    []trialRow
	Total   int
	From    int
	To      int
	Before  string // addresses of the pages around this one; "" at an end
	After   string
}

type stateChoice struct {
	State   sweep.State
	Checked bool
}

// A column is one that can be sorted by.
type column struct {
	Name    string
	Numeric bool
	Link    string
	Order   string // ascending, descending or none
}

type trialRow struct {
	results.TrialRow
	Hyper []setting
}

func (s *Site) trials(w http.ResponseWriter, r *http.Request) error {
	f, err := s.sweepFrame(r, "trials")
	if err != nil {
		return err
	}
	q := r.URL.Query()
	data := trialsData{sweepFrame: f, Filter: results.Filter{Where: q.Get("where"), Sort: q.Get("sort"), Limit: perPage}}
	for _, state := range states {
		checked := slices.Contains(q["state"], string(state))
		data.States = append(data.States, stateChoice{state, checked})
		if checked {
			data.Filter.States = append(data.Filter.States, state)
		}
	}
	if key := strings.TrimPrefix(data.Filter.Sort, "-"); key != "" && !slices.Contains(results.SortKeys(), key) {
		return fmt.Errorf("%w: sort=%s", errBadQuery, key)
	}
	page, err := whole(q, "page", 1, 1)
	if err != nil {
		return err
	}
	data.Filter.Offset = (page - 1) * perPage
	data.Columns = columns(q, data.Filter.Sort)
	return s.stream(w, "trials.html", &data.frame, &data, func() error {
		err := s.listTrials(r, &data)
		if errors.Is(err, results.ErrCondition) {
			data.Wrong = err.Error()[strings.Index(err.Error(), "not a condition"):]
			err = nil
		}
		data.turn(q, page)
		return err
	})
}

// turn says which rows these are, and leads to those before and after them.
func (d *trialsData) turn(q url.Values, page int) {
	if d.From = d.Filter.Offset + 1; len(d.Rows) == 0 {
		d.From = 0
	}
	d.To = d.Filter.Offset + len(d.Rows)
	if page > 1 {
		d.Before = with(q, "page", fmt.Sprint(page-1))
	}
	if d.To < d.Total {
		d.After = with(q, "page", fmt.Sprint(page+1))
	}
}

func (s *Site) listTrials(r *http.Request, data *trialsData) (err error) {
	if data.Total, err = s.Reader.CountTrials(r.Context(), data.Sweep.ID, data.Filter); err != nil {
		return err
	}
	rows, err := s.Reader.Trials(r.Context(), data.Sweep.ID, data.Filter)
	for _, t := range rows {
		data.Rows = append(data.Rows, trialRow{t, hyper(t.Params)})
	}
	return err
}

// columns are the table's headings, each with the link that sorts by it or, once
// it does, turns the order around.
func columns(q url.Values, sorted string) (all []column) {
	for _, c := range []struct {
		key, name string
		numeric   bool
	}{
		{"index", "trial", false}, {"state", "state", false}, {"accuracy", "accuracy, %", true}, {"epsilon", "ε spent", true},
		{"noise_multiplier", "σ", true}, {"batch_size", "B", true}, {"learning_rate", "η", true}, {"clip_norm", "C", true}, {"steps", "T", true},
		{"augmult", "K", true}, {"seconds", "seconds", true}, {"attempts", "tries", true},
	} {
		column := column{Name: c.name, Numeric: c.numeric, Order: "none"}
		next := c.key
		switch {
		case sorted == c.key:
			next, column.Order = "-"+c.key, "ascending"
		case sorted == "-"+c.key:
			column.Order = "descending"
		case c.key == "accuracy":
			next = "-accuracy"
		}
		q := url.Values{"where": q["where"], "state": q["state"], "sort": {next}}
		column.Link = "?" + q.Encode()
		all = append(all, column)
	}
	return all
}

// Remarked says whether there is anything to remark of the trials shown.
func (d *trialsData) Remarked() bool {
	return slices.ContainsFunc(d.Rows, func(t trialRow) bool { return t.Remark() != "" })
}

// Remark is [results.TrialRow.Remark] with a reason's first line.
func (t trialRow) Remark() string {
	line, _, _ := strings.Cut(t.Reason, "\n")
	return t.TrialRow.Remark(line)
}

// ran is how long an attempt took, or has taken so far.
func ran(started, ended time.Time) time.Duration {
	if ended.IsZero() {
		ended = time.Now()
	}
	return ended.Sub(started)
}
