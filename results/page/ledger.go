package page

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"

	"sweep/results"
	"sweep/results/chart"
)

// An account is what was done to one data set, beside the budget that bounds it.
type account struct {
	results.Account
	Bar     chart.Drawing // of the budget; without marks if there is none
	History []results.Budget
}

// ledger shows every data set of the file, whichever sweeps used it.
func (s *Site) ledger(w http.ResponseWriter, r *http.Request) error {
	data := struct {
		frame
		Accounts []account
		Live     string
	}{frame: s.frame("ledger")}
	return s.stream(w, "ledger.html", &data.frame, &data, func() (err error) {
		data.Accounts, err = s.accounts(r.Context(), "", defaultDelta)
		return err
	})
}

// defaultDelta is at which epsilon is shown for data sets without a budget.
const defaultDelta = 1e-5

// accounts are those of the ledger, or the one that the data set of that name belongs to.
func (s *Site) accounts(ctx context.Context, data string, delta float64) (all []account, err error) {
	found, err := recall(ctx, s, fmt.Sprintf("ledger %s %g", data, delta), func(ctx context.Context) ([]results.Account, error) {
		return s.Reader.Accounts(ctx, data, delta)
	})
	if err != nil {
		return nil, err
	}
	for _, a := range found {
		one := account{Account: a}
		if one.History, err = s.Reader.BudgetHistory(ctx, a.Data[0]); err != nil {
			return nil, err
		}
		if a.Budget != nil && a.Budget.Epsilon > 0 {
			one.Bar = budgetBar(float64(a.Spent), float64(a.Reserved), float64(a.Budget.Epsilon))
		}
		all = append(all, one)
	}
	return all, nil
}

// budgetBar shows how much of a budget is spent and how much more is reserved.
func budgetBar(spent, reserved, budget float64) chart.Drawing {
	share := func(ε float64) int { return int(1000 * min(1, ε/budget)) }
	title := fmt.Sprintf("%s of %s spent, %s with what is reserved", epsilon(spent), epsilon(budget), epsilon(math.Max(spent, reserved)))
	class := "done"
	if spent > 0.9*budget {
		class = "failed"
	}
	return chart.Progress(title, []chart.Part{
		{Class: class, N: share(spent)}, {Class: "running", N: max(0, share(reserved)-share(spent))}, {Class: "waiting", N: 1000 - max(share(spent), share(reserved))},
	})
}

// accountsOf are those of the data sets that the sweep trains on.
func (s *Site) accountsOf(ctx context.Context, info results.SweepInfo) (all []account, err error) {
	names, err := recall(ctx, s, "data "+string(info.ID), func(ctx context.Context) ([]string, error) { return s.Reader.DataOf(ctx, info.ID) })
	if err != nil {
		return nil, err
	}
	everything, err := s.accounts(ctx, "", info.Delta)
	for _, a := range everything {
		if slices.ContainsFunc(a.Data, func(name string) bool { return slices.Contains(names, name) }) {
			all = append(all, a)
		}
	}
	return all, err
}
