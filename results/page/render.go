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
