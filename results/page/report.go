package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"

	"sweep/results"
)

// A reportData is a sweep as one file.
type reportData struct {
	overviewData
	Explore  exploreData
	Workers  workersData
	Prices   []results.PriceRange
	Best     []trialRow
	Style    template.CSS
	Script   template.JS
	Policy   string
	FileText string
}

// reportTrials is how many of the best trials a report lists.
const reportTrials = 25

// report offers the sweep as one file.
func (s *Site) report(w http.ResponseWriter, r *http.Request) error {
	var b bytes.Buffer
	if err := s.WriteReport(r.Context(), &b, r.PathValue("id")); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", r.PathValue("id")+".html"))
	_, err := w.Write(b.Bytes())
	return err
}

// WriteReport writes the sweep as one HTML file that needs nothing else: charts,
// tables, all that must be said with them, and the sweep's file.
func (s *Site) WriteReport(ctx context.Context, w io.Writer, name string) error {
	f, err := s.sweepFrameOf(ctx, name, "report")
	if err != nil {
		return err
	}
	f.Report, f.Live, f.Actions, f.Idle = true, "", nil, false
	data := reportData{overviewData: overviewData{sweepFrame: f}, FileText: f.Sweep.Text}
	none := func(string) string { return "" }
	if err := s.addFrontier(ctx, &data.overviewData, none); err != nil {
		return err
	}
	data.Explore.sweepFrame, data.Workers.sweepFrame = f, f
	e, err := s.addImportant(ctx, &data.Explore, url.Values{})
	if err == nil {
		err = s.addExplore(ctx, &data.Explore, e, none)
	}
	if err != nil {
		return err
	}
	if err := s.addTimeline(ctx, &data.Workers, none); err != nil {
		return err
	}
	if err := s.addHistory(ctx, &data.Workers); err != nil {
		return err
	}
	if data.Prices, err = s.Reader.Prices(ctx, f.Sweep.ID); err != nil {
		return err
	}
	best, err := s.Reader.Trials(ctx, f.Sweep.ID, results.Filter{Where: "accuracy >= 0", Sort: "-accuracy", Limit: reportTrials})
	if err != nil {
		return err
	}
	for _, t := range best {
		data.Best = append(data.Best, trialRow{t, hyper(t.Params)})
	}
	if err := data.inline(); err != nil {
		return err
	}
	return s.templates.ExecuteTemplate(w, "report.html", data)
}

// inline takes style and script into the file, and allows them and nothing else.
func (d *reportData) inline() error {
	css, err := files.ReadFile("static/page.css")
	if err != nil {
		return err
	}
	js, err := files.ReadFile("static/page.js")
	if err != nil {
		return err
	}
	style := chartStyle() + string(css)
	d.Style, d.Script = template.CSS(style), template.JS(js)
	d.Policy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; img-src data:", digest(style), digest(string(js)))
	return nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}
