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
)

// A Cell is all points of a sweep that share two axes' values.
type Cell struct {
	X, Y   int // numbers of the values or, where there are too many, of the bins
	Points int
	Mean   float64       // of their accuracies
	Best   float64       // the highest of them
	Trial  sweep.TrialID // a repeat of the best
	Label  string        // of that
}

// Bins is into how many parts an axis with more than [MaxValues] values is cut.
const Bins = 24

// Columns are what a cell's numbers stand for on the axis: values, or the lower ends of bins.
func (a Axis) Columns() []float64 {
	if a.Words() {
		places := make([]float64, len(a.Names))
		for i := range places {
			places[i] = float64(i)
		}
		return places
	}
	if a.Values != nil {
		return a.Values
	}
	edges := make([]float64, Bins)
	for i := range edges {
		edges[i] = a.Low + (a.High-a.Low)*float64(i)/Bins
	}
	return edges
}

// Cells adds the sweep's points up by each of the pairs of axes, over all other
// axes, and reads them once for that. target restricts them to one target epsilon,
// 0 to none. An axis with itself is a row of cells. The answer has a slice for each pair.
func (r *Reader) Cells(ctx context.Context, id sweep.SweepID, target float64, pairs ...[2]Axis) ([][]Cell, error) {
	cells, err := r.cells(ctx, id, target, pairs)
	if err != nil {
		return nil, fmt.Errorf("heat map of sweep %s: %w", id, explain(err))
	}
	return cells, nil
}

func (r *Reader) cells(ctx context.Context, id sweep.SweepID, target float64, pairs [][2]Axis) ([][]Cell, error) {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	key, err := sweepKey(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	axes := distinct(pairs)
	sums := make([]cellSums, len(pairs))
	for i, pair := range pairs {
		at := func(a Axis) int { return slices.IndexFunc(axes, func(b Axis) bool { return a.Key == b.Key }) }
		sums[i] = cellSums{x: at(pair[0]), y: at(pair[1]), width: len(pair[0].Columns()), cells: map[int]*cellSum{}}
	}
	if err := addUp(ctx, tx, axes, key, target, sums); err != nil {
		return nil, err
	}
	names, err := bestOf(ctx, tx, key, sums)
	if err != nil {
		return nil, err
	}
	all := make([][]Cell, len(pairs))
	for i, s := range sums {
		all[i] = s.all(names)
	}
	return all, nil
}

// distinct are the axes of the pairs, each once.
func distinct(pairs [][2]Axis) (axes []Axis) {
	for _, p := range pairs {
		for _, a := range p {
			if !slices.ContainsFunc(axes, func(known Axis) bool { return known.Key == a.Key }) {
				axes = append(axes, a)
			}
		}
	}
	return axes
}

// addUp has all sums take in each point of the sweep.
func addUp(ctx context.Context, q queryer, axes []Axis, sweepKey int64, target float64, sums []cellSums) error {
	columns := ""
	for _, a := range axes {
		column, _, ok := axisColumn(a.Key)
		if !ok {
			return fmt.Errorf("no axis %q", a.Key)
		}
		columns += ", " + strings.Replace(column, "st.", "p.", 1) // a point has its target
	}
	rows, err := q.QueryContext(ctx, `SELECT p.trial, p.accuracy`+columns+`
		FROM points p JOIN trials t ON t.key = p.trial WHERE p.sweep = ?1 AND (?2 = 0 OR p.target_epsilon = ?2)`, sweepKey, target)
	if err != nil {
		return err
	}
	defer rows.Close()
	var trial int64
	var accuracy float64
	raw, at := make([]any, len(axes)), make([]int, len(axes))
	into := []any{&trial, &accuracy}
	for i := range raw {
		into = append(into, &raw[i])
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, a := range axes {
			at[i] = a.number(raw[i])
		}
		for i := range sums {
			sums[i].add(at, trial, accuracy)
		}
	}
	return rows.Err()
}

// A cellSums adds points up by two axes, numbers x and y of those that are read.
type cellSums struct {
	x, y, width int
	cells       map[int]*cellSum
}

type cellSum struct {
	n           int
	total, best float64
	trial       int64 // key of the best one's
}

// add takes a point in. One without a value on an axis has the number -1 there,
// and is in no cell.
func (a *cellSums) add(at []int, trial int64, accuracy float64) {
	x, y := at[a.x], at[a.y]
	if x < 0 || y < 0 {
		return
	}
	s := a.cells[y*a.width+x]
	if s == nil {
		s = &cellSum{best: -1}
		a.cells[y*a.width+x] = s
	}
	s.n, s.total = s.n+1, s.total+accuracy
	if accuracy > s.best {
		s.best, s.trial = accuracy, trial
	}
}

func (a *cellSums) all(names map[int64][2]string) (cells []Cell) {
	for _, place := range slices.Sorted(maps.Keys(a.cells)) {
		s := a.cells[place]
		name := names[s.trial]
		cells = append(cells, Cell{X: place % a.width, Y: place / a.width, Points: s.n, Mean: s.total / float64(s.n), Best: s.best, Trial: sweep.TrialID(name[0]), Label: name[1]})
	}
	return cells
}

// bestOf are id and label of each cell's best trial, by key.
func bestOf(ctx context.Context, q queryer, sweepKey int64, sums []cellSums) (map[int64][2]string, error) {
	wanted := map[int64]bool{}
	for _, a := range sums {
		for _, s := range a.cells {
			wanted[s.trial] = true
		}
	}
	keys, err := json.Marshal(slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return nil, err
	}
	names := map[int64][2]string{}
	_, err = gather(ctx, q, func(rows *sql.Rows) (none struct{}, err error) {
		var key int64
		var name [2]string
		err = rows.Scan(&key, &name[0], &name[1])
		names[key] = name
		return none, err
	}, `SELECT t.key, t.id, st.label FROM json_each(?2) wanted CROSS JOIN trials t ON t.key = wanted.value
		CROSS JOIN sweep_trials st ON st.sweep = ?1 AND st.trial = t.key`, sweepKey, string(keys))
	return names, err
}

// number is which of [Axis.Columns] a column's value belongs to; -1 is none.
func (a Axis) number(v any) int {
	at := a.place(v)
	switch {
	case math.IsNaN(at):
		return -1
	case a.Words():
		return int(at)
	case a.Values == nil:
		return int(max(0, min(Bins-1, (at-a.Low)/(a.High-a.Low)*Bins)))
	}
	return slices.Index(a.Values, at)
}
