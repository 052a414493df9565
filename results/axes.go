package results

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
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
	return valuesOf(ctx, tx, key, append(keys, options...))
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

// valuesOf are the axes of those keys, with their values, from one look at all points.
func valuesOf(ctx context.Context, q queryer, sweepKey int64, keys []string) ([]Axis, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	found := make([]valueSet, len(keys))
	columns, raw, into := make([]string, len(keys)), make([]any, len(keys)), make([]any, len(keys))
	for i, key := range keys {
		columns[i], found[i].words, _ = axisColumn(key)
		if found[i].words {
			found[i].names = map[string]bool{}
		} else {
			found[i].values, found[i].low, found[i].high = map[float64]bool{}, math.Inf(1), math.Inf(-1)
		}
		into[i] = &raw[i]
	}
	rows, err := q.QueryContext(ctx, `SELECT `+strings.Join(columns, ", ")+ofPoints, sweepKey)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i, v := range raw {
			found[i].add(v)
		}
	}
	axes := make([]Axis, len(keys))
	for i, key := range keys {
		axes[i] = found[i].axis(key)
	}
	return axes, rows.Err()
}

// A valueSet is what a column was seen to hold.
type valueSet struct {
	words     bool
	names     map[string]bool
	values    map[float64]bool // up to one more than [MaxValues]
	low, high float64          // of those that are finite
}

func (s *valueSet) add(v any) {
	if s.words {
		s.names[word(v)] = true
		return
	}
	x := Axis{}.place(v)
	if math.IsNaN(x) {
		return
	}
	if len(s.values) <= MaxValues {
		s.values[x] = true
	}
	if !math.IsInf(x, 0) {
		s.low, s.high = min(s.low, x), max(s.high, x)
	}
}

func (s *valueSet) axis(key string) Axis {
	a := Axis{Key: key}
	if s.words {
		a.Names = slices.Sorted(maps.Keys(s.names))
		return a
	}
	if s.low <= s.high {
		a.Low, a.High = s.low, s.high
	}
	if len(s.values) <= MaxValues {
		a.Values = slices.Sorted(maps.Keys(s.values))
	}
	return a
}
