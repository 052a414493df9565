package page

import (
	"context"
	"net/http"

	"sweep/results"
)

// A privacyData is the page of what a sweep did to its data and what that cost.
type privacyData struct {
	sweepFrame
	Frontier results.Frontier
	Prices   []results.PriceRange
	Accounts []account
}

func (s *Site) privacy(w http.ResponseWriter, r *http.Request) error {
	f, err := s.sweepFrame(r, "privacy")
	if err != nil {
		return err
	}
	data := privacyData{sweepFrame: f}
	if data.Frontier, err = s.frontier(r.Context(), f.Sweep); err != nil {
		return err
	}
	data.Prices, err = recall(r.Context(), s, "prices "+string(f.Sweep.ID), func(ctx context.Context) ([]results.PriceRange, error) {
		return s.Reader.Prices(ctx, f.Sweep.ID)
	})
	if err != nil {
		return err
	}
	if data.Accounts, err = s.accountsOf(r.Context(), f.Sweep); err != nil {
		return err
	}
	return s.render(w, http.StatusOK, "privacy.html", data)
}
