package page

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestPagesComeInParts wants the head of a page on its way before the rest is known,
// and a page that could not be finished to say so.
func TestPagesComeInParts(t *testing.T) {
	r := newRecord(t)
	s := serve(t, r, Options{})
	ask := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	ask.SetPathValue("id", string(r.id))
	for _, c := range []struct {
		name  string
		fails error
		want  []string
	}{
		{"found", nil, []string{"No trial is completed yet", "</footer>", "</html>"}},
		{"failed", errors.New("disk <gone>"), []string{`role="alert"`, "data-unfinished", "disk &lt;gone&gt;", "</html>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := s.sweepFrame(ask, "overview")
			if err != nil {
				t.Fatal(err)
			}
			w, before := httptest.NewRecorder(), ""
			data := overviewData{sweepFrame: f}
			err = s.stream(w, "overview.html", &data.frame, &data, func() error {
				before = w.Body.String()
				return c.fails
			})
			if err != nil || !w.Flushed || w.Code != http.StatusOK {
				t.Errorf("error %v, flushed %v, status %d", err, w.Flushed, w.Code)
			}
			if !strings.Contains(before, "<h1>look") || !strings.Contains(before, "</nav>") || strings.Contains(before, "</html>") {
				t.Errorf("before the rest was known the page was %q", before)
			}
			for _, want := range c.want {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("the page lacks %q: %s", want, w.Body.String())
				}
			}
		})
	}
}

// TestWrongChoicesAreAnswered wants a query that cannot be meant to be a bad
// request, also of pages whose heads are sent early.
func TestWrongChoicesAreAnswered(t *testing.T) {
	r := newRecord(t)
	s := serve(t, r, Options{})
	for _, path := range []string{"explore?x=nothing", "explore?axis=nothing", "explore?target=much", "trials?sort=luck", "trials?page=0"} {
		if w, body := s.get(t, s.sweepPath(r, path)); w.StatusCode != http.StatusBadRequest || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: status %d: %s", path, w.StatusCode, body)
		}
	}
}

// TestAxesAreChosen wants charts over the axes that somebody ticked, and those alone.
func TestAxesAreChosen(t *testing.T) {
	r := newRecord(t)
	r.completeAll(t)
	s := serve(t, r, Options{})
	_, all := s.get(t, s.sweepPath(r, "explore"))
	_, some := s.get(t, s.sweepPath(r, "explore?axis=batch_size&axis=learning_rate"))
	const batch, target = "accuracy over B batch size", "accuracy over ε target"
	if !strings.Contains(all, batch) || !strings.Contains(all, target) || !strings.Contains(all, "3 of 3 hyper-parameters") {
		t.Error("without a choice not every axis is shown")
	}
	if !strings.Contains(some, batch) || strings.Contains(some, target) || !strings.Contains(some, "2 of 3 hyper-parameters") || !strings.Contains(some, `value="target_epsilon">`) {
		t.Error("what was not chosen is shown, or can be chosen no more")
	}
}
