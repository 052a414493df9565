package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
)

func parse() (*template.Template, error) {
	t, err := template.New("").Funcs(functions).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("page templates: %w", err)
	}
	return t, nil
}

// errBadQuery marks an address whose query cannot be meant.
var errBadQuery = errors.New("bad query")

// stream answers with the template's page. Wherever the template says {{.Rest}},
// what there is of the page is sent, so that people see where they are, and the
// next of the steps finds out more. data is a pointer to what has f. What goes
// wrong before the first Rest is for the caller to answer; later the page says it.
func (s *Site) stream(w http.ResponseWriter, name string, f *frame, data any, steps ...func() error) error {
	page := &stream{to: w}
	f.steps, f.sent = steps, page.send
	err := s.templates.ExecuteTemplate(page, name, data)
	if err != nil && !page.begun {
		return err
	}
	// From here on there is nobody else to tell: whoever asked may have gone, too.
	if err != nil {
		s.templates.ExecuteTemplate(w, "unfinished", err.Error())
		return nil
	}
	page.send()
	return nil
}

// Rest sends what there is of the page and has the next step find more of it. It
// is an empty text, for templates.
func (f *frame) Rest() (string, error) {
	if err := f.sent(); err != nil {
		return "", err
	}
	next := f.steps[0]
	f.steps = f.steps[1:]
	return "", next()
}

// A stream holds a page back until it is sent for the first time.
type stream struct {
	to    http.ResponseWriter
	held  bytes.Buffer
	begun bool
}

func (s *stream) Write(b []byte) (int, error) {
	if s.begun {
		return s.to.Write(b)
	}
	return s.held.Write(b)
}

func (s *stream) send() error {
	if !s.begun {
		s.begun = true
		s.to.Header().Set("Content-Type", "text/html; charset=utf-8")
		s.to.Header().Set("Cache-Control", "no-store")
		if _, err := s.to.Write(s.held.Bytes()); err != nil {
			return err
		}
		s.held = bytes.Buffer{}
	}
	return http.NewResponseController(s.to).Flush()
}

// render answers with the template's page, whole or not at all.
func (s *Site) render(w http.ResponseWriter, status int, name string, data any) error {
	var page bytes.Buffer
	if err := s.templates.ExecuteTemplate(&page, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err := w.Write(page.Bytes())
	return err
}

// whole is a whole number of at least low in the query, or what it is without one.
func whole(q url.Values, key string, otherwise, low int) (int, error) {
	text := q.Get(key)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > 1<<30 {
		return 0, fmt.Errorf("%w: %s=%s is no whole number from %d up", errBadQuery, key, text, low)
	}
	return n, nil
}

// with is the query with one value changed.
func with(q url.Values, key, value string) string {
	changed := url.Values{}
	for k, v := range q {
		changed[k] = v
	}
	if value == "" {
		changed.Del(key)
	} else {
		changed.Set(key, value)
	}
	return "?" + changed.Encode()
}
