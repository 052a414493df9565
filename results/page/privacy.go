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
	return s.stream(w, "privacy.html", &data.frame, &data, func() error { return s.addCosts(r.Context(), &data) })
}

func (s *Site) addCosts(ctx context.Context, data *privacyData) (err error) {
	if data.Frontier, err = s.frontier(ctx, data.Sweep); err != nil {
		return err
	}
	data.Prices, err = recall(ctx, s, "prices "+string(data.Sweep.ID), func(ctx context.Context) ([]results.PriceRange, error) {
		return s.Reader.Prices(ctx, data.Sweep.ID)
	})
	if err != nil {
		return err
	}
	data.Accounts, err = s.accountsOf(ctx, data.Sweep)
	return err
}
