package page

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sweep"
	"sweep/privacy"
	"sweep/results"
	"sweep/results/chart"
)

// curvePoints is how many points of a curve are drawn: more than a screen shows.
const curvePoints = 400

// A trialData is a trial's own page.
type trialData struct {
	frame
	Trial    results.Trial
	Label    string
	Settings []setting
	Costs    []cost
	Event    string
	Attempts []attempt
	Charts   []chart.Drawing
	Others   []string // names of what else was measured
	Log      string
	LogOf    int
	Temporal []temporalLink
	Live     string
	Siblings string // address that lists its repeats
}

// Failure is why the trial has failed; "" if it has not.
func (d *trialData) Failure() string {
	if d.Trial.State != sweep.Failed || len(d.Attempts) == 0 {
		return ""
	}
	last := d.Attempts[len(d.Attempts)-1]
	return fmt.Sprintf("%s: %s", last.Failure, last.Reason)
}

type temporalLink struct{ Sweep, URL string }

type attempt struct {
	results.Attempt
	Took time.Duration
}

// A cost is what an accountant says of a trial, recorded or asked for now.
type cost struct {
	Accountant privacy.Accountant
	Delta      float64
	Epsilon    string
	Errs       string // on which side it errs
	Recorded   bool
}

func (s *Site) trial(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	t, err := s.Reader.Trial(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	data := trialData{frame: s.frame("trial " + short(t.ID)), Trial: t, Settings: settings(t.Params)}
	if len(t.Sweeps) > 0 {
		data.Label = t.Sweeps[0].Label
		data.Siblings = "/sweep/" + string(t.Sweeps[0].Sweep) + "/trials?where=" + url.QueryEscape(fmt.Sprintf("point == %q", t.Point))
		if t.State == sweep.Running || t.State == sweep.Pending || t.State == sweep.Stopped {
			data.Live = "/sweep/" + string(t.Sweeps[0].Sweep) + "/events"
		}
	}
	for _, m := range t.Sweeps {
		if s.Temporal != nil {
			if address := s.Temporal(m.Sweep, m.Label, t.ID); address != "" {
				data.Temporal = append(data.Temporal, temporalLink{string(m.Sweep), address})
			}
		}
	}
	for _, a := range t.Attempts {
		data.Attempts = append(data.Attempts, attempt{a, ran(a.Started, a.Ended)})
	}
	data.Event = indented(t.Event)
	return s.stream(w, "trial.html", &data.frame, &data, func() error {
		s.addLog(&data)
		if err := s.addCurves(ctx, &data); err != nil {
			return err
		}
		deltas := deltasOf(t)
		data.Costs, err = keep(ctx, s, fmt.Sprint("costs ", deltas, string(t.Event), t.Costs), func(context.Context) ([]cost, error) { return costs(t, deltas), nil })
		return err
	})
}

// deltasOf are those that sweeps ask for.
func deltasOf(t results.Trial) (deltas []float64) {
	for _, m := range t.Sweeps {
		if !slices.Contains(deltas, m.Delta) {
			deltas = append(deltas, m.Delta)
		}
	}
	return deltas
}

// costs are what each accountant says of the trial at each delta.
func costs(t results.Trial, deltas []float64) (all []cost) {
	if len(t.Event) == 0 {
		return nil
	}
	event, err := privacy.UnmarshalEvent(t.Event)
	if err != nil {
		return nil // written by a newer version
	}
	for _, δ := range deltas {
		for _, a := range []privacy.Accountant{privacy.Certified, privacy.Exact, privacy.PLD, privacy.RDP, privacy.GDP} {
			c := cost{Accountant: a, Delta: δ, Errs: a.Errs()}
			c.Recorded = slices.ContainsFunc(t.Costs, func(r results.Cost) bool { return r.Accountant == a && r.Delta == δ })
			ε, err := a.Epsilon(event, δ)
			switch {
			case err != nil:
				c.Epsilon = "does not apply"
			case ε == 0:
				c.Epsilon = "0"
			default:
				c.Epsilon = epsilon(ε)
			}
			all = append(all, c)
		}
	}
	return all
}

func indented(event json.RawMessage) string {
	if len(event) == 0 {
		return ""
	}
	var v any
	if json.Unmarshal(event, &v) != nil {
		return string(event)
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return string(event)
	}
	return string(text)
}

// A panel is a chart of learning curves: metrics of one unit, and how it is drawn.
type panel struct {
	title, unit  string
	names        []string
	log, percent bool
}

// panels are what is worth a look while training, in the order of interest.
var panels = []panel{
	{"accuracy on held-out examples", "%", []string{"validation/accuracy", "test/accuracy", "validation/last_accuracy", "test/last_accuracy"}, false, true},
	{"loss", "nats", []string{"loss", "validation/loss", "test/loss"}, false, false},
	{"gradient norm before clipping", "L2 norm", []string{"grad_norm_mean", "grad_norm_max"}, true, false},
	{"share of gradients clipped", "%", []string{"clipped_share"}, false, true},
	{"signal to noise", "‖signal‖ / ‖noise‖", []string{"signal_to_noise"}, true, false},
	{"examples in the batch", "examples", []string{"batch_size"}, false, false},
	{"learning rate", "η", []string{"learning_rate"}, false, false},
	{"speed", "examples/s", []string{"examples_per_second"}, false, false},
}

func (s *Site) addCurves(ctx context.Context, data *trialData) error {
	drawn := map[string]bool{}
	for _, p := range panels {
		names := p.names
		if data.Trial.Params.EvaluatedOn() != sweep.Test { // its test figure is one number, and stands apart
			names = slices.DeleteFunc(slices.Clone(names), isTestFigure)
		}
		curves, err := s.Reader.Curves(ctx, data.Trial.ID, names, curvePoints)
		if err != nil {
			return err
		}
		if len(curves) == 0 {
			continue
		}
		c := p.chart()
		for i, curve := range curves {
			drawn[curve.Name] = true
			c.Curves = append(c.Curves, chart.Curve{Name: curve.Name, Colour: i, Points: points(curve)})
		}
		data.Charts = append(data.Charts, c.Draw())
	}
	names, err := s.Reader.MetricNames(ctx, data.Trial.ID)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !drawn[name] && !(isTestFigure(name) && data.Trial.Params.EvaluatedOn() != sweep.Test) {
			data.Others = append(data.Others, name)
		}
	}
	return s.addOthers(ctx, data)
}

func isTestFigure(metric string) bool { return strings.HasPrefix(metric, string(sweep.Test)+"/") }

// addOthers draws what an external trainer measures under names of its own.
func (s *Site) addOthers(ctx context.Context, data *trialData) error {
	const most = 12
	curves, err := s.Reader.Curves(ctx, data.Trial.ID, data.Others[:min(most, len(data.Others))], curvePoints)
	if err != nil {
		return err
	}
	for _, curve := range curves {
		c := panel{title: curve.Name}.chart()
		c.Curves = []chart.Curve{{Name: curve.Name, Points: points(curve)}}
		data.Charts = append(data.Charts, c.Draw())
	}
	return nil
}

func (p panel) chart() chart.Curves {
	title := p.title
	if p.log {
		title += ", logarithmic"
	}
	return chart.Curves{Title: title, YTitle: p.unit, Log: p.log, Percent: p.percent, Width: 510, Height: 270}
}

func points(c results.Curve) []chart.Point {
	all := make([]chart.Point, len(c.Readings))
	for i, r := range c.Readings {
		all[i] = chart.Point{X: float64(r.Step), Y: r.Value}
	}
	return all
}

// addLog shows the end of what the newest attempt printed: what the record kept
// of a failed one, or what its worker is writing.
func (s *Site) addLog(data *trialData) {
	if len(data.Trial.Attempts) == 0 {
		return
	}
	a := data.Trial.Attempts[len(data.Trial.Attempts)-1]
	data.LogOf, data.Log = a.Number, a.LogTail
	if data.Log == "" && s.Log != nil {
		// Without the log's file (another machine's, or removed) there is just none to show.
		data.Log, _ = s.Log(sweep.AttemptRef{Sweep: a.Sweep, Trial: data.Trial.ID, Number: a.Number})
	}
	data.Log = strings.TrimRight(data.Log, "\n")
}
