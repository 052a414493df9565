// Package export writes a sweep's trials and curves in forms that other tools
// open: CSV, JSON Lines, Parquet, MLflow's file layout and TensorBoard's event
// files. What it writes is a copy; the record stays what counts.
package export

import (
	"context"
	"fmt"
	"iter"
	"time"

	"sweep"
	"sweep/results"
)

// A Source is where trials come from; [results.Reader] is one.
type Source interface {
	Trials(context.Context, sweep.SweepID, results.Filter) ([]results.TrialRow, error)
	Trial(context.Context, string) (results.Trial, error)
	SearchCost(context.Context, sweep.SweepID) (results.SearchCost, error)
	Query(context.Context, string, ...any) (results.Table, error)
}

// page is how many trials are held at once.
const page = 1000

// trials yields the sweep's trials in the order of its grid.
func trials(ctx context.Context, from Source, id sweep.SweepID) iter.Seq2[results.TrialRow, error] {
	return func(yield func(results.TrialRow, error) bool) {
		for offset := 0; ; offset += page {
			rows, err := from.Trials(ctx, id, results.Filter{Limit: page, Offset: offset})
			if err != nil {
				yield(results.TrialRow{}, err)
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if len(rows) < page {
				return
			}
		}
	}
}

// A Measurement is one number that was measured while a trial trained.
type Measurement struct {
	Trial string   `json:"trial" parquet:"trial,dict"`
	Name  string   `json:"name" parquet:"name,dict"` // "loss", "validation/accuracy", …
	Step  int64    `json:"step" parquet:"step"`      // updates made when it was measured
	Value *float64 `json:"value" parquet:"value"`    // nil where it was not a number
}

// curves yields what was measured in one trial, by name and step.
func curves(ctx context.Context, from Source, trial sweep.TrialID) iter.Seq2[Measurement, error] {
	return func(yield func(Measurement, error) bool) {
		table, err := from.Query(ctx, `SELECT name, step, value FROM curves WHERE trial = ? ORDER BY name, step`, string(trial))
		if err != nil {
			yield(Measurement{}, err)
			return
		}
		for row, err := range table.Rows {
			m := Measurement{Trial: string(trial)}
			if err == nil {
				m.Name, _ = row[0].(string)
				m.Step, _ = row[1].(int64)
				if v, ok := row[2].(float64); ok {
					m.Value = &v
				}
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// A clock says when a step was made, which the record does not: as if all steps
// of the newest attempt had taken equal time.
type clock struct {
	began, ended time.Time
	from, to     int
}

func clockOf(t results.Trial) clock {
	if len(t.Attempts) == 0 {
		return clock{}
	}
	a := t.Attempts[len(t.Attempts)-1]
	c := clock{a.Started, a.Ended, a.FromStep, a.LastStep}
	if c.ended.IsZero() {
		c.ended = time.Now()
	}
	return c
}

func (c clock) at(step int64) time.Time {
	if c.to <= c.from {
		return c.began
	}
	share := float64(int(step)-c.from) / float64(c.to-c.from)
	return c.began.Add(time.Duration(min(max(share, 0), 1) * float64(c.ended.Sub(c.began))))
}

// A param is a hyper-parameter as other tools keep it.
type param struct {
	name  string
	value any // string, int64 or float64
}

// params are what a trial was, what it was for, and what the search cost that it was
// a part of.
func params(t results.TrialRow, search results.SearchCost) []param {
	p := t.Params
	all := []param{
		{"data", p.Data.Name}, {"model", p.Model}, {"batch_size", int64(p.Batch)}, {"clip_norm", p.Clip}, {"noise_multiplier", p.Noise},
		{"learning_rate", p.LearnRate}, {"augmult", int64(p.AugMult)}, {"steps", int64(p.Steps)}, {"ema", p.EMA},
		{"train_examples", int64(p.Data.Train)}, {"seed", int64(p.Seed)}, {"repeat", int64(t.Repeat)}, {"delta", t.Delta},
		{"disclosure", search.Disclosure},
	}
	for _, extra := range []param{
		{"augment", string(p.Augment)}, {"optimizer", string(p.Optimizer)}, {"schedule", string(p.Schedule)}, {"clipping", string(p.Clipping)}, {"layers", p.Layers},
	} {
		if extra.value != "" {
			all = append(all, extra)
		}
	}
	for name, value := range p.Options {
		all = append(all, param{"option." + name, value})
	}
	for _, extra := range []param{{"search_composed_epsilon", float64(search.Composed)}, {"search_selection_epsilon", float64(search.Selection)}} {
		if extra.value != 0.0 {
			all = append(all, extra)
		}
	}
	if t.TargetEpsilon != 0 {
		all = append(all, param{"target_epsilon", float64(t.TargetEpsilon)})
	}
	return all
}

func (p param) String() string { return fmt.Sprint(p.value) }
