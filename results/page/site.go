// Package page is the record as a web page: sweeps and their trials, charts of
// what came of them, and progress as it is made. It also writes a sweep as one
// self-contained file. Charts are drawn as SVG on the server; a page needs no
// script to be read, none from elsewhere, and no network but the loopback.
package page

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"

	"sweep"
	"sweep/results"
	"sweep/results/chart"
)

//go:embed templates static
var files embed.FS

// Options are what a site shows and may do.
type Options struct {
	Reader  *results.Reader
	Path    string // of the results file, for people
	Version string // of this program

	// Act carries out an action ("pause", "resume", "stop", "cancel" or
	// "parallel") on a sweep; n is how many trials "parallel" asks for at a time.
	// Without it the site is for looking only.
	Act func(ctx context.Context, id sweep.SweepID, action string, n int) error

	// Log is the end of what a trial's attempt has printed so far; nil is no logs.
	Log func(sweep.AttemptRef) (string, error)

	// Temporal is the address of the trial's workflow in Temporal's own UI, "" if
	// there is none to look at; nil is never.
	Temporal func(id sweep.SweepID, label string, trial sweep.TrialID) string

	// Served says whether a process runs sweeps of this file; nil is not known.
	Served func() bool
}

// A Site serves the record. Close it when the server has shut down.
type Site struct {
	Options
	gate      *gate
	watch     *results.Watch
	memo      memo // of what the record holds now
	kept      memo // of what follows from what it held
	templates *template.Template
	mux       *http.ServeMux
	turns     chan struct{} // holds one for each page that is being made
	closing   chan struct{} // closed when pages that watch are to let go
}

// New makes a site that answers only requests which name one of the hosts (as
// "127.0.0.1:8080") and carry its token; see [Site.URL].
func New(ctx context.Context, o Options, hosts ...string) (*Site, error) {
	watch, err := o.Reader.Watch(ctx)
	if err != nil {
		return nil, err
	}
	s := &Site{
		Options: o, gate: newGate(hosts), watch: watch, mux: http.NewServeMux(),
		turns: make(chan struct{}, pagesAtOnce), closing: make(chan struct{}),
	}
	if s.templates, err = parse(); err != nil {
		return nil, errors.Join(err, watch.Close())
	}
	s.route()
	return s, nil
}

// LetGo ends the streams of pages that watch, for which a server that shuts down
// would wait.
func (s *Site) LetGo() { close(s.closing) }

// Close ends watching the record.
func (s *Site) Close() error { return s.watch.Close() }

// URL is the address to open in a browser; it carries the token.
func (s *Site) URL() string { return "http://" + s.gate.hosts[0] + "/?token=" + s.gate.token }

// ServeHTTP answers a request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.gate.serve(w, r, s.mux) }

func (s *Site) route() {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // it is embedded
	}
	s.mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	s.mux.HandleFunc("GET /static/chart.css", chartCSS)
	s.mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, static, "icon.svg") })
	for pattern, handle := range map[string]handler{
		"GET /{$}":                        s.home,
		"GET /ledger":                     s.ledger,
		"GET /sweep/{id}":                 s.inTurn(s.overview),
		"GET /sweep/{id}/trials":          s.inTurn(s.trials),
		"GET /sweep/{id}/explore":         s.inTurn(s.explore),
		"GET /sweep/{id}/curves":          s.inTurn(s.curves),
		"GET /sweep/{id}/workers":         s.inTurn(s.workers),
		"GET /sweep/{id}/compare":         s.inTurn(s.compare),
		"GET /sweep/{id}/privacy":         s.inTurn(s.privacy),
		"GET /sweep/{id}/events":          s.events,
		"GET /sweep/{id}/frontier/{kind}": s.inTurn(s.picture),
		"GET /sweep/{id}/report.html":     s.inTurn(s.report),
		"GET /trial/{id}":                 s.trial,
		"POST /sweep/{id}/{action}":       s.act,
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			err := s.Reader.Moved()
			if err == nil {
				err = handle(w, r)
			}
			if err != nil {
				s.fail(w, r, err)
			}
		})
	}
	s.mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fmt.Errorf("page %s: %w", r.URL.Path, sweep.ErrNotFound))
	})
}

// colours of charts as custom properties, and the looks that use them.
func chartStyle() string {
	return ":root{color-scheme:light;" + chart.Variables(false) + "}\n" +
		"@media (prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;" + chart.Variables(true) + "}}\n" +
		":root[data-theme=dark]{color-scheme:dark;" + chart.Variables(true) + "}\n" +
		"@media print{:root,:root[data-theme=dark],:root:not([data-theme=light]){color-scheme:light;" + chart.Variables(false) + "}}\n" + chart.CSS()
}

func chartCSS(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	fmt.Fprint(w, chartStyle())
}

// fail answers with an error that a person can read.
func (s *Site) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	_, ambiguous := errors.AsType[*results.AmbiguousError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return // nobody is there to read it
	case errors.Is(err, sweep.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, results.ErrMoved):
		status = http.StatusGone
	case ambiguous, errors.Is(err, errBadQuery), errors.Is(err, results.ErrCondition):
		status = http.StatusBadRequest
	case errors.Is(err, errAction):
		status = http.StatusConflict
	}
	w.Header().Set("Cache-Control", "no-store")
	s.render(w, status, "error.html", struct {
		frame
		Status  int
		Message string
	}{s.frame(http.StatusText(status)), status, err.Error()})
}

// A frame is what every page has.
type frame struct {
	Title   string
	Path    string
	Version string
	Now     time.Time
	Report  bool // one file, without a server behind it

	steps []func() error // that find the rest of the page
	sent  func() error   // sends what there is of it
}

func (s *Site) frame(title string) frame {
	return frame{Title: title, Path: s.Path, Version: s.Version, Now: time.Now().UTC()}
}
