package results

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"sweep"
	"sweep/privacy"
)

// A TrialRow is a trial as one sweep sees it.
type TrialRow struct {
	ID            sweep.TrialID      `json:"id"`
	State         sweep.State        `json:"state"`
	Index         int                `json:"index"` // in the order of the grid, from 0
	Label         string             `json:"label"`
	Point         sweep.PointID      `json:"point"`
	Repeat        int                `json:"repeat"`
	Gone          bool               `json:"gone,omitempty"`           // the sweep's file lists it no more
	TargetEpsilon Epsilon            `json:"target_epsilon,omitzero"`  // its noise was calibrated for it; 0 if the file gave the noise multiplier
	Epsilon       Epsilon            `json:"epsilon,omitzero"`         // spent by this trial alone: upper bound, not rounded; 0 before it is known
	Delta         float64            `json:"delta"`                    // at which Epsilon holds
	Accountant    privacy.Accountant `json:"accountant"`               // who says so
	Params        sweep.Params       `json:"params"`                   //
	Outcome       *sweep.Outcome     `json:"outcome,omitempty"`        // nil until it is completed
	TestAccuracy  *float64           `json:"test_accuracy,omitempty"`  // of the same weights on the test split, 0 to 1, where Outcome is of the validation split; trials cannot be chosen by it
	Attempts      int                `json:"attempts"`                 // tries so far
	Worker        string             `json:"worker,omitempty"`         // of the newest attempt
	Step          int                `json:"step"`                     // the newest attempt's last report
	Failure       sweep.Failure      `json:"failure,omitempty"`        // how the newest attempt ended, if not well
	Reason        string             `json:"failure_reason,omitempty"` // the same for people
}

// Remark says what is worth knowing of a trial that is not completed. reason is
// t.Reason in as many words as there is room for.
func (t TrialRow) Remark(reason string) string {
	switch {
	case t.Gone:
		return "no longer in the file"
	case t.State == sweep.Running:
		return fmt.Sprintf("step %d of %d", t.Step, t.Params.Steps)
	case t.State != sweep.Completed && t.Failure != "":
		return fmt.Sprintf("%s: %s", t.Failure, reason)
	}
	return ""
}

// A Filter chooses among a sweep's trials and orders them. The zero Filter is
// all of them in the order of the grid.
type Filter struct {
	States []sweep.State // none means any
	Where  string        // a condition in the language of a sweep file's where, on hyper-parameters and what [SortKeys] names
	Limit  int           // at most so many; 0 is no limit
	Offset int           // leave out so many first
	Sort   string        // one of [SortKeys], with "-" in front for falling order; trials without a value come last
}

// sortColumns are where the keys of [Filter.Sort] stand.
var sortColumns = map[string]string{
	"index": "st.position", "state": "st.state", "attempts": "t.attempt",
	"epsilon": "c.epsilon", "target_epsilon": "st.target_epsilon", "delta": "st.delta",
	"accuracy": "o.accuracy", "last_accuracy": "o.last_accuracy", "loss": "o.loss", "seconds": "o.seconds", "recorded": "o.recorded",
	"batch_size": "t.batch_size", "clip_norm": "t.clip_norm", "noise_multiplier": "t.noise_multiplier", "learning_rate": "t.learning_rate",
	"augmult": "t.augmult", "steps": "t.steps", "ema": "t.ema", "model": "t.model",
}

// SortKeys are what trials can be sorted by.
func SortKeys() []string { return slices.Sorted(maps.Keys(sortColumns)) }

func (f Filter) orderBy() (string, error) {
	key, falling := strings.CutPrefix(f.Sort, "-")
	if key == "" {
		key = "index"
	}
	column, ok := sortColumns[key]
	if !ok {
		return "", fmt.Errorf("trials cannot be sorted by %q; they can by %s", key, strings.Join(SortKeys(), ", "))
	}
	if falling {
		column += " DESC"
	}
	return column + " NULLS LAST, st.position", nil
}

// where is the conditions on states and values, and their arguments.
func (f Filter) where() (string, []any, error) {
	where, args, err := condition(f.Where)
	if err != nil || len(f.States) == 0 {
		return where, args, err
	}
	for _, s := range f.States {
		args = append(args, string(s))
	}
	return where + " AND st.state IN (?" + strings.Repeat(", ?", len(f.States)-1) + ")", args, nil
}

// trialTables are the tables of a sweep's trials. Those that a query takes no
// column from cost it nothing.
const trialTables = `
	FROM sweeps s JOIN sweep_trials st ON st.sweep = s.key JOIN trials t ON t.key = st.trial
	LEFT JOIN outcomes o ON o.trial = st.trial
	LEFT JOIN costs c ON c.trial = st.trial AND c.delta = st.delta AND c.accountant = s.accountant
	LEFT JOIN attempts a ON a.trial = t.key AND a.number = t.attempt `

// Trials lists the sweep's trials that f chooses.
func (r *Reader) Trials(ctx context.Context, id sweep.SweepID, f Filter) ([]TrialRow, error) {
	rows, err := r.trials(ctx, id, f)
	if err != nil {
		return nil, fmt.Errorf("trials of sweep %s: %w", id, explain(err))
	}
	return rows, nil
}

func (r *Reader) trials(ctx context.Context, id sweep.SweepID, f Filter) ([]TrialRow, error) {
	key, err := sweepKey(ctx, r.db, id)
	if err != nil {
		return nil, err
	}
	order, err := f.orderBy()
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	if limit == 0 {
		limit = math.MaxInt32
	}
	where, conditions, err := f.where()
	if err != nil {
		return nil, err
	}
	args := append(append([]any{key}, conditions...), limit, f.Offset, key)
	// First the page's keys, by narrow columns alone; then the rows.
	return gather(ctx, r.db, scanTrial, `
		WITH page AS MATERIALIZED (SELECT st.trial `+trialTables+` WHERE s.key = ?`+where+` ORDER BY `+order+` LIMIT ? OFFSET ?)
		SELECT t.id, t.state, st.position, st.label, t.point, st.repeat, st.gone, coalesce(st.target_epsilon, 0), coalesce(c.epsilon, 0),
			st.delta, s.accountant, t.params, t.attempt, coalesce(a.worker, ''), coalesce(a.last_step, 0), coalesce(a.failure, ''), coalesce(a.reason, ''),
			o.accuracy, o.last_accuracy, o.loss, o.split, o.examples, o.steps, o.non_finite, o.data_digest, o.weights_digest, o.trainer, o.seconds,
			`+testAccuracy+trialTables+` JOIN page ON page.trial = st.trial WHERE s.key = ? ORDER BY `+order, args...)
}

// CountTrials is how many trials f chooses, whatever its limit.
func (r *Reader) CountTrials(ctx context.Context, id sweep.SweepID, f Filter) (n int, err error) {
	key, err := sweepKey(ctx, r.db, id)
	if err == nil {
		var where string
		var args []any
		if where, args, err = f.where(); err == nil {
			tables := trialTables
			if f.Where == "" {
				tables = ` FROM sweeps s JOIN sweep_trials st ON st.sweep = s.key ` // an index has it all
			}
			err = r.db.QueryRowContext(ctx, `SELECT count(*) `+tables+` WHERE s.key = ?`+where, append([]any{key}, args...)...).Scan(&n)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("trials of sweep %s: %w", id, explain(err))
	}
	return n, nil
}

func scanTrial(rows *sql.Rows) (t TrialRow, err error) {
	var params string
	var o nullableOutcome
	if err := rows.Scan(append([]any{
		&t.ID, &t.State, &t.Index, &t.Label, &t.Point, &t.Repeat, &t.Gone, &t.TargetEpsilon, &t.Epsilon,
		&t.Delta, &t.Accountant, &params, &t.Attempts, &t.Worker, &t.Step, &t.Failure, &t.Reason,
	}, append(o.columns(), &t.TestAccuracy)...)...); err != nil {
		return t, err
	}
	t.Outcome = o.value()
	return t, json.Unmarshal([]byte(params), &t.Params)
}

// nullableOutcome scans an outcome that a LEFT JOIN may not find.
type nullableOutcome struct {
	accuracy, lastAccuracy, loss, seconds sql.Null[float64]
	split, data, weights, trainer         sql.Null[string]
	examples, steps                       sql.Null[int]
	nonFinite                             sql.Null[int64]
}

func (o *nullableOutcome) columns() []any {
	return []any{
		&o.accuracy, &o.lastAccuracy, &o.loss, &o.split, &o.examples, &o.steps, &o.nonFinite, &o.data, &o.weights, &o.trainer, &o.seconds,
	}
}

func (o *nullableOutcome) value() *sweep.Outcome {
	if !o.accuracy.Valid {
		return nil
	}
	return &sweep.Outcome{
		Accuracy: o.accuracy.V, LastAccuracy: o.lastAccuracy.V, Loss: o.loss.V, Split: sweep.Split(o.split.V), Examples: o.examples.V,
		Steps: o.steps.V, NonFinite: o.nonFinite.V, DataDigest: o.data.V, WeightsDigest: o.weights.V, Trainer: o.trainer.V, Seconds: o.seconds.V,
	}
}
