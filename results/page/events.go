package page

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sweep/results"
)

// How often the record is looked at for a page that watches, and how often such a
// page is told that the server is still there.
const (
	lookEvery  = 500 * time.Millisecond
	aliveEvery = 15 * time.Second
)

// events tells a page what happens in its sweep, as server-sent events: "progress"
// carries the panel of progress as HTML, "changed" says that a trial has begun,
// ended or reported, so that other parts of the page may be out of date.
func (s *Site) events(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	f, err := s.sweepFrame(r, "")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	shown, seen, version := "", fingerprint(f.Progress, f.Sweep), int64(-1)
	look, alive := time.NewTicker(lookEvery), time.NewTicker(aliveEvery)
	defer look.Stop()
	defer alive.Stop()
	for {
		now, err := s.watch.Version(ctx)
		if err != nil {
			return nil // the stream has begun: its end says enough
		}
		if now != version {
			version = now
			if f, err = s.sweepFrameOf(ctx, string(f.Sweep.ID), ""); err != nil {
				return nil
			}
			panel, err := s.panel(f)
			if err != nil {
				return nil
			}
			if panel != shown {
				shown = panel
				send(w, "progress", panel)
			}
			if is := fingerprint(f.Progress, f.Sweep); is != seen {
				seen = is
				send(w, "changed", is)
			}
			if err := out.Flush(); err != nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.closing:
			return nil
		case <-look.C:
		case <-alive.C:
			fmt.Fprint(w, ": still here\n\n")
			if err := out.Flush(); err != nil {
				return nil
			}
		}
	}
}

// panel is the part of a page that shows progress.
func (s *Site) panel(f sweepFrame) (string, error) {
	var b bytes.Buffer
	err := s.templates.ExecuteTemplate(&b, "progress", f)
	return b.String(), err
}

// fingerprint differs when charts may.
func fingerprint(p results.Progress, info results.SweepInfo) string {
	s := fmt.Sprint(info.State, info.Counts)
	for _, t := range p.Running {
		s += fmt.Sprint(" ", t.ID, t.Attempt, t.Step)
	}
	return s
}

// send writes an event. Its data may have several lines.
func send(w http.ResponseWriter, event, data string) {
	fmt.Fprintf(w, "event: %s\n", event)
	for line := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(w, "data: %s\n", line)
	}
	fmt.Fprint(w, "\n")
}

// errAction marks an action that could not be carried out.
var errAction = errors.New("not done")

// parallel is the action that has a number.
const parallel = "parallel"

// act has a sweep paused, resumed, stopped or cancelled.
func (s *Site) act(w http.ResponseWriter, r *http.Request) error {
	action := r.PathValue("action")
	if s.Act == nil {
		http.Error(w, "this server is for looking only; `sweep ui --allow-actions` starts one that may act", http.StatusForbidden)
		return nil
	}
	if !slices.Contains([]string{"pause", "resume", "stop", "cancel", parallel}, action) {
		return fmt.Errorf("%w: action %q", errBadQuery, action)
	}
	n := 0
	if action == parallel {
		var err error
		if n, err = whole(url.Values{"n": {r.PostFormValue("n")}}, "n", 0, 1); err != nil || n == 0 {
			return cmp.Or(err, fmt.Errorf("%w: parallel wants n, a whole number from 1 up", errBadQuery))
		}
	}
	info, err := s.Reader.Sweep(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Act(r.Context(), info.ID, action, n); err != nil {
		return fmt.Errorf("%s sweep %s: %w: %w", action, info.ID, errAction, err)
	}
	http.Redirect(w, r, "/sweep/"+string(info.ID), http.StatusSeeOther)
	return nil
}
