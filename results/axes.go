package results

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"sweep"
)

// An Axis is a hyper-parameter that varies among a sweep's trials.
type Axis struct {
	Key    string    `json:"key"`              // as sweep files name it; a trainer's own is "option.NAME"
	Names  []string  `json:"names,omitempty"`  // its values, where they are words
	Values []float64 `json:"values,omitempty"` // its values, rising, where they are numbers and not more than [MaxValues]
	Low    float64   `json:"low"`              // of numbers
	High   float64   `json:"high"`
}

// MaxValues is how many values of an axis are told apart one by one.
const MaxValues = 40

// Words says whether the axis's values are words; a number then stands for its place among Names.
func (a Axis) Words() bool { return len(a.Names) > 0 }

// Log says whether the axis is better looked at on a logarithmic scale: its
// values are positive and span a factor of eight.
func (a Axis) Log() bool { return !a.Words() && a.Low > 0 && a.High >= 8*a.Low }

// axisColumns are where hyper-parameters stand, in the order in which people
// look at them. Those of words have a true in words.
var axisColumns = []struct {
	key, column string
	words       bool
}{
	{"target_epsilon", "st.target_epsilon", false}, {"noise_multiplier", "t.noise_multiplier", false},
	{"batch_size", "t.batch_size", false}, {"learning_rate", "t.learning_rate", false}, {"clip_norm", "t.clip_norm", false},
	{"augmult", "t.augmult", false}, {"augment", "t.augment", true}, {"steps", "t.steps", false}, {"ema", "t.ema", false},
	{"model", "t.model", true}, {"data", "t.data", true}, {"train_examples", "t.train_examples", false}, {"noise", "t.noise", true},
	{"clipping", inParams("clipping"), true}, {"optimizer", inParams("optimizer"), true}, {"momentum", inParams("momentum"), false},
	{"beta1", inParams("beta1"), false}, {"beta2", inParams("beta2"), false}, {"weight_decay", inParams("weight_decay"), false},
	{"schedule", inParams("schedule"), true}, {"warmup", inParams("warmup"), false},
}

func inParams(key string) string { return `json_extract(t.params, '$.` + key + `')` }

// column is where the axis of that key stands; option names are quoted.
func axisColumn(key string) (column string, words, ok bool) {
	if option, found := strings.CutPrefix(key, "option."); found {
		return `json_extract(t.params, '$.options."` + strings.NewReplacer(`'`, `''`, `"`, ``).Replace(option) + `"')`, true, true
	}
	for _, a := range axisColumns {
		if a.key == key {
			return a.column, a.words, true
		}
	}
	return "", false, false
}

// Axes are the hyper-parameters that vary among the sweep's trials. A noise
// multiplier that was calibrated for a target is left to the target.
func (r *Reader) Axes(ctx context.Context, id sweep.SweepID) ([]Axis, error) {
	axes, err := r.axes(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("axes of sweep %s: %w", id, explain(err))
	}
	return axes, nil
}

func (r *Reader) axes(ctx context.Context, id sweep.SweepID) (axes []Axis, err error) {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	key, err := sweepKey(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	keys, err := varying(ctx, tx, key)
	if err != nil {
		return nil, err
	}
	options, err := gather(ctx, tx, func(rows *sql.Rows) (name string, err error) {
		return "option." + name, rows.Scan(&name)
	}, `SELECT o.key FROM sweep_trials st JOIN trials t ON t.key = st.trial AND t.trainer <> '', json_each(t.params, '$.options') o
		WHERE st.sweep = ? GROUP BY o.key HAVING count(DISTINCT o.value) > 1`, key)
	if err != nil {
		return nil, err
	}
	for _, name := range append(keys, options...) {
		a, err := valuesOf(ctx, tx, key, name)
		if err != nil {
			return nil, err
		}
		axes = append(axes, a)
	}
	return axes, nil
}

// ofPoints are the trials that stand for the points of a sweep. Repeats differ in
// their seed alone.
const ofPoints = ` FROM sweep_trials st JOIN trials t ON t.key = st.trial WHERE st.sweep = ? AND st.repeat = 0`

// varying are the keys whose columns differ among the sweep's trials. What lies in
// the parameters' JSON form is looked for as text first, since parsing 100,000
// of them takes a second.
func varying(ctx context.Context, q queryer, sweepKey int64) (keys []string, err error) {
	var columns []string
	for _, a := range axisColumns {
		if strings.HasPrefix(a.column, "json_") {
			columns = append(columns, fmt.Sprintf(`max(instr(t.params, '"%s"') > 0)`, a.key))
		} else {
			columns = append(columns, fmt.Sprintf("min(coalesce(%[1]s, '')) IS NOT max(coalesce(%[1]s, ''))", a.column))
		}
	}
	differ := make([]sql.Null[bool], len(axisColumns))
	into := make([]any, len(differ))
	for i := range differ {
		into[i] = &differ[i]
	}
	if err := q.QueryRowContext(ctx, `SELECT `+strings.Join(columns, ", ")+ofPoints, sweepKey).Scan(into...); err != nil {
		return nil, err
	}
	for i, a := range axisColumns {
		if differ[i].V && strings.HasPrefix(a.column, "json_") {
			err := q.QueryRowContext(ctx, fmt.Sprintf("SELECT min(coalesce(%[1]s, '')) IS NOT max(coalesce(%[1]s, ''))", a.column)+ofPoints, sweepKey).Scan(&differ[i])
			if err != nil {
				return nil, err
			}
		}
		if differ[i].V && (a.key != "noise_multiplier" || !slices.Contains(keys, "target_epsilon")) {
			keys = append(keys, a.key)
		}
	}
	return keys, nil
}

func valuesOf(ctx context.Context, q queryer, sweepKey int64, key string) (Axis, error) {
	a := Axis{Key: key}
	column, words, _ := axisColumn(key)
	if words {
		names, err := gather(ctx, q, func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) },
			`SELECT DISTINCT CAST(coalesce(`+column+`, '') AS TEXT)`+ofPoints+` ORDER BY 1`, sweepKey)
		a.Names = names
		return a, err
	}
	values, err := gather(ctx, q, func(rows *sql.Rows) (v float64, err error) { return v, rows.Scan(&v) },
		`SELECT DISTINCT CAST(`+column+` AS REAL) AS v`+ofPoints+` AND v IS NOT NULL LIMIT ?`, sweepKey, MaxValues+1)
	if err != nil {
		return a, err
	}
	if len(values) <= MaxValues {
		slices.Sort(values)
		a.Values = values
		a.Low, a.High = finiteRange(values)
		return a, nil
	}
	err = q.QueryRowContext(ctx, `SELECT min(`+column+`), max(`+column+`)`+ofPoints+` AND `+column+` < 1e300`, sweepKey).Scan(&a.Low, &a.High)
	return a, err
}

// finiteRange is the range of rising values, of which the last may be infinite.
func finiteRange(values []float64) (low, high float64) {
	for len(values) > 0 && math.IsInf(values[len(values)-1], 1) {
		values = values[:len(values)-1]
	}
	if len(values) == 0 {
		return 0, 0
	}
	return values[0], values[len(values)-1]
}
