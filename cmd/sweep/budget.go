package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"sweep"
	"sweep/privacy"
	"sweep/results"
	"sweep/search"
)

var budgetCommand = &cli.Command{
	Name: "budget", Usage: "bound the epsilon of all that is done to a data set, and see what is left of it",
	Description: `The ledger of the results file counts every step of every trial on a data set, whichever sweep
made it, and never forgets any. A budget bounds what all of it costs together: a sweep that has no
room in it is refused (exit code 5), and says what would fit. Trials reserve their steps before the
first gradient, so sweeps side by side cannot overspend. A budget holds within one results file:
give every sweep on data that has one the same --db. results/README.md describes the ledger.

   sweep budget set mnist --epsilon 3 --delta 1e-5
   sweep budget show`,
	Subcommands: []*cli.Command{
		{
			Name: "set", Usage: "give a data set a budget, or take it away with --none", ArgsUsage: "DATA",
			Description: "DATA is named as in sweep files: mnist, folder:xrays. What was done before counts. The last budget set stands.",
			Flags: append([]cli.Flag{
				&cli.Float64Flag{Name: "epsilon", Usage: "all that is done to the data may cost `EPSILON` together"},
				&cli.Float64Flag{Name: "delta", Value: 1e-5, Usage: "at this `DELTA`"},
				&cli.BoolFlag{Name: "none", Usage: "take the budget away"},
				&cli.StringFlag{Name: "note", Usage: "`WHY`, for the history"},
			}, placeFlags...),
			Action: setBudget,
		},
		{
			Name: "show", Usage: "print what was done to each data set, what it cost, and what is left", ArgsUsage: "[DATA]",
			Flags: append([]cli.Flag{
				&cli.Float64Flag{Name: "delta", Value: 1e-5, Usage: "price data sets without a budget at `DELTA`"}, outputFlag,
			}, placeFlags...),
			Action: showBudget,
		},
		{
			Name: "history", Usage: "print every budget that a data set has had, the newest first", ArgsUsage: "DATA",
			Flags:  append([]cli.Flag{outputFlag}, placeFlags...),
			Action: budgetHistory,
		},
	},
}

// oneData is the command's one argument, a data set.
func oneData(c *cli.Context) (string, error) {
	if c.NArg() != 1 || c.Args().First() == "" {
		return "", usagef("budget %s wants one data set, as sweep files name it, and was given %d", c.Command.Name, c.NArg())
	}
	return c.Args().First(), nil
}

func setBudget(c *cli.Context) error {
	data, err := oneData(c)
	if err != nil {
		return err
	}
	b := results.Budget{Epsilon: results.Epsilon(c.Float64("epsilon")), Delta: c.Float64("delta"), Lifted: c.Bool("none"), Note: c.String("note")}
	if c.IsSet("epsilon") == b.Lifted {
		return usagef("budget set wants either --epsilon or --none")
	}
	if err := (privacy.Budget{Epsilon: float64(b.Epsilon), Delta: b.Delta}).Check(); err != nil || b.Delta == 0 {
		return usagef("budget set: --epsilon must be at least 0 and --delta between 0 and 1")
	}
	p, err := placeOf(c)
	if err != nil {
		return err
	}
	s, err := results.Open(c.Context, p.db) // a budget may come before the first sweep
	if err != nil {
		return err
	}
	if err := errors.Join(s.SetBudget(c.Context, data, b), s.Close()); err != nil {
		return err
	}
	if b.Lifted {
		fmt.Fprintf(c.App.ErrWriter, "%s: no budget any more; what is done to it is still counted\n", data)
	}
	if err := warnOverspent(c, p, data); err != nil {
		return err
	}
	return printAccounts(c, p, data)
}

// warnOverspent says so where more is spent than the budget allows already.
func warnOverspent(c *cli.Context, p place, data string) error {
	r, err := p.reader(c.Context)
	if err != nil {
		return err
	}
	defer r.Close()
	all, err := r.Accounts(c.Context, data, c.Float64("delta"))
	for _, a := range all {
		if a.Budget != nil && a.Reserved > a.Budget.Epsilon {
			fmt.Fprintf(c.App.ErrWriter, "note: epsilon %s is spent or reserved already: nothing starts under this budget\n", privacy.FormatEpsilon(float64(a.Reserved), 4))
		}
	}
	return err
}

func showBudget(c *cli.Context) error {
	if c.NArg() > 1 {
		return usagef("budget show wants at most one data set, and was given %d", c.NArg())
	}
	p, err := placeOf(c)
	if err != nil {
		return err
	}
	return printAccounts(c, p, c.Args().First())
}

func printAccounts(c *cli.Context, p place, data string) error {
	r, err := p.reader(c.Context)
	if err != nil {
		return err
	}
	defer r.Close()
	all, err := r.Accounts(c.Context, data, c.Float64("delta"))
	if errors.Is(err, sweep.ErrNotFound) {
		return hinted{err, "`sweep budget show` lists the data sets that the results file knows"}
	}
	if err != nil {
		return err
	}
	l := listing{
		headings: []string{"data", "ε budget", "ε spent", "ε with reserved", "δ", "trials", "steps", "reserved steps", "fingerprint"},
		json:     map[string]any{"schema": 1, "accounts": append([]results.Account{}, all...)},
	}
	for _, a := range all {
		budget := any("none")
		if a.Budget != nil {
			budget = exact(float64(a.Budget.Epsilon))
		}
		l.rows = append(l.rows, []any{
			strings.Join(a.Data, ", "), budget, privacy.FormatEpsilon(float64(a.Spent), 4), privacy.FormatEpsilon(float64(a.Reserved), 4), exact(a.Delta),
			a.Trials, a.Steps, a.Held, fingerprintsText(a.Fingerprints),
		})
	}
	if err := l.print(c); err != nil || c.String("output") != "table" {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, "ε by certified, all trials composed, add/remove one example; it covers what this results file has seen")
	return err
}

// fingerprintsText names the contents that a data set was seen to have.
func fingerprintsText(all []results.Fingerprint) string {
	var words []string
	for _, f := range all {
		digest := strings.TrimPrefix(f.Digest, "sha256:")
		words = append(words, fmt.Sprintf("%s (%d+%d)", digest[:min(8, len(digest))], f.Train, f.Validation))
	}
	return strings.Join(words, ", ")
}

func budgetHistory(c *cli.Context) error {
	data, err := oneData(c)
	if err != nil {
		return err
	}
	return withReader(c, func(_ place, r *results.Reader) error {
		all, err := r.BudgetHistory(c.Context, data)
		if err != nil {
			return err
		}
		l := listing{
			headings: []string{"number", "set (UTC)", "ε budget", "δ", "note"},
			json:     map[string]any{"schema": 1, "data": data, "budgets": append([]results.Budget{}, all...)},
		}
		for _, b := range all {
			ε := any(float64(b.Epsilon))
			if b.Lifted {
				ε = "none"
			}
			l.rows = append(l.rows, []any{b.Number, b.Created.Format("2006-01-02 15:04:05"), ε, exact(b.Delta), b.Note})
		}
		return l.print(c)
	})
}

// partlyFlag is on every command that may start trials.
var partlyFlag = &cli.BoolFlag{Name: "partly", Usage: "run as many trials as the privacy budget of the data has room for"}

// affordable refuses a sweep that the privacy budget of its data set has no room
// for, and says what would fit.
func affordable(ctx context.Context, c *cli.Context, p place, id sweep.SweepID, s *search.Sweep) error {
	a, foreseen, err := affordanceOf(ctx, p, id, s)
	if err != nil || a.Fits {
		return err
	}
	if c.Bool("partly") && a.Prefix > 0 {
		order := "in the order of the grid; no more are run"
		if foreseen {
			order = fmt.Sprintf("as %s may ask for them; it ends when the budget does", s.Strategy)
		}
		fmt.Fprintf(c.App.ErrWriter, "the privacy budget of %s has room for %d of %d trials, %s\n", a.Data, a.Prefix, a.Trials, order)
		return nil
	}
	return &exitError{exitBudget, hinted{refused(a), wouldFit(a, s)}}
}

// affordanceOf is how what is left of a sweep fits into the budget of its data set,
// and whether its strategy may ask for trials that are counted in it.
func affordanceOf(ctx context.Context, p place, id sweep.SweepID, s *search.Sweep) (a results.Affordance, foreseen bool, err error) {
	r, err := results.OpenReader(ctx, p.db)
	if errors.Is(err, fs.ErrNotExist) {
		return results.Affordance{Fits: true}, false, nil
	}
	if err != nil {
		return a, false, err
	}
	defer r.Close()
	kept, more, err := foreseenTrials(ctx, r, id, s)
	if err != nil {
		return a, false, err
	}
	a, err = r.Afford(ctx, trialRecords(id, s, kept), more...)
	return a, len(more) > 0, err
}

// foreseenTrials are, of a sweep whose strategy asks as trials end, those that
// it has asked for and those that it may still ask for.
func foreseenTrials(ctx context.Context, r *results.Reader, id sweep.SweepID, s *search.Sweep) ([]search.Trial, []results.Foreseen, error) {
	if !s.Adaptive() {
		return nil, nil, nil
	}
	known, err := knownTrials(ctx, r, id)
	if err != nil && !errors.Is(err, sweep.ErrNotFound) {
		return nil, nil, err
	}
	kept, err := s.Keep(known, calibrate)
	if err != nil {
		return nil, nil, err
	}
	more, err := s.Forecast(known, calibrate)
	var foreseen []results.Foreseen
	for _, f := range more {
		foreseen = append(foreseen, results.Foreseen{Params: f.Params, Times: f.Times})
	}
	return kept, foreseen, err
}

func refused(a results.Affordance) error {
	what := fmt.Sprintf("%d trials", a.Trials)
	if a.Selections > 0 {
		what = "its private selection, whatever number of trials it draws,"
	}
	return fmt.Errorf("the privacy budget of %s, epsilon %s at delta %s, has no room for this sweep: epsilon %s is spent or reserved, and %s would make it %s",
		a.Data, exact(float64(a.Budget.Epsilon)), exact(a.Budget.Delta), privacy.FormatEpsilon(float64(a.Before), 4), what, privacy.FormatEpsilon(float64(a.After), 4))
}

// wouldFit says what of the sweep, or which sweep in its place, the budget allows.
func wouldFit(a results.Affordance, s *search.Sweep) string {
	if a.Selection != nil {
		return selectionWouldFit(a, s)
	}
	var ways []string
	if a.Prefix > 0 {
		ways = append(ways, fmt.Sprintf("the first %d of the %d trials fit (--partly runs as many)", a.Prefix, a.Trials))
	}
	if a.Noise > 0 {
		how := fmt.Sprintf("sigma %.4g in place of %.4g for the first trial", a.Example.Noise*a.Noise, a.Example.Noise)
		if len(s.Privacy.Epsilon) > 0 {
			how += fmt.Sprintf(", which is epsilon %s in place of %s", privacy.FormatEpsilon(a.Example.LessEpsilon, 3), privacy.FormatEpsilon(a.Example.Epsilon, 3))
		}
		ways = append(ways, fmt.Sprintf("all fit with %.3g times the noise (%s)", a.Noise, how))
	}
	if a.Steps > 0 {
		ways = append(ways, fmt.Sprintf("or with %.2g of the steps", a.Steps))
	}
	if len(ways) == 0 {
		ways = append(ways, "not one trial fits")
	}
	return strings.Join(ways, "; ") + fmt.Sprintf("; `sweep budget show %s` says what is spent", a.Data)
}

// selectionWouldFit is wouldFit of a private selection, which is charged as a whole.
func selectionWouldFit(a results.Affordance, s *search.Sweep) string {
	f := a.Selection
	var ways []string
	if f.Prefix > 0 {
		ways = append(ways, fmt.Sprintf("the first %d of its %d targets fit", f.Prefix, a.Selections))
	}
	if f.Mean > 0 {
		ways = append(ways, fmt.Sprintf("disclosure.mean %s fits in place of %s", exact(f.Mean), exact(f.Example.Mean)))
	}
	if f.Logarithmic {
		ways = append(ways, "the law logarithmic fits with the same mean")
	}
	if f.Noise > 0 {
		how := fmt.Sprintf("%.3g times the noise fits", f.Noise)
		if len(s.Privacy.Epsilon) > 0 {
			how += fmt.Sprintf(" (epsilon %s in place of %s for one trial of the first target)", privacy.FormatEpsilon(f.Example.LessEpsilon, 3), privacy.FormatEpsilon(f.Example.Epsilon, 3))
		}
		ways = append(ways, how)
	}
	if len(ways) == 0 {
		ways = append(ways, "not even one trial of each target fits")
	}
	return fmt.Sprintf("a private selection is charged as a whole: %s; `sweep budget show %s` says what is spent", strings.Join(ways, "; "), a.Data)
}
