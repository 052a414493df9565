package page

import (
	"net/http"
	"time"
)

// Pages of a hundred thousand trials take tens of megabytes to make. So few are
// made at once, however many visitors and pictures ask for them; with two, one
// that takes seconds does not hold up those that take none.
const (
	pagesAtOnce = 2
	slowest     = time.Minute // for a visitor to take a page, who holds up others meanwhile
)

type handler = func(http.ResponseWriter, *http.Request) error

// inTurn is the handler when its turn has come. A visitor who goes away while
// waiting costs nothing.
func (s *Site) inTurn(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		select {
		case s.turns <- struct{}{}:
			defer func() { <-s.turns }()
		case <-r.Context().Done():
			return r.Context().Err()
		}
		// Not every writer has deadlines: a report is written to a file, too.
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(slowest))
		return h(w, r)
	}
}
