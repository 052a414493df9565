package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"

	"sweep"
	"sweep/privacy"
	"sweep/trainerplugin"
	"sweep/trainerplugin/builtin"
)

// The grid of the recorded surface: every combination is trained once, by
// softmax regression on the glyphs, with noise calibrated to its epsilon.
var (
	gridEpsilon = []float64{0.25, 1, 4}
	gridBatch   = []int{32, 64, 128, 256, 512}
	gridLearn   = []float64{0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16}
	gridSteps   = []int{25, 50, 100, 200}
	gridClip    = []float64{0.5, 2, 8}
)

const (
	gridEMA = 0.9
	delta   = 1e-5
)

// A row is one finished trial of a table. Scale divides the batch and the noise
// of the point that the row stands for; 1 is the point itself.
type row struct {
	Epsilon  float64 // that the full-scale noise was calibrated for
	Batch    int
	Learn    float64
	Steps    int
	Clip     float64
	EMA      float64
	Scale    int
	Repeat   int
	Noise    float64
	Accuracy float64
}

var heading = []string{"epsilon", "batch_size", "learning_rate", "steps", "clip_norm", "ema", "scale", "repeat", "noise_multiplier", "accuracy"}

func (r row) numbers() []float64 {
	return []float64{r.Epsilon, float64(r.Batch), r.Learn, float64(r.Steps), r.Clip, r.EMA, float64(r.Scale), float64(r.Repeat), r.Noise, r.Accuracy}
}

// point is the row without what training adds.
func (r row) point() row {
	r.Noise, r.Accuracy = 0, 0
	return r
}

// grid varies what the tables share.
func grid(r row, steps []int) (rows []row) {
	for _, r.Learn = range gridLearn {
		for _, r.Steps = range steps {
			for _, r.Clip = range gridClip {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// A table has finished trials, and trains those that it lacks, in this process,
// so that the data are rendered once.
type table struct {
	rows    map[row]row // by point
	trained int
	builtin builtin.Trainer
	dir     string
	sigma   map[string]float64 // noise by its question
}

func newTable() (*table, error) {
	dir, err := os.MkdirTemp("", "surface")
	return &table{rows: map[row]row{}, dir: dir, sigma: map[string]float64{}}, err
}

func (t *table) close() { os.RemoveAll(t.dir) }

// fill gives r its noise and its accuracy.
func (t *table) fill(ctx context.Context, r *row) error {
	known, ok := t.rows[r.point()]
	if !ok {
		known = r.point()
		if err := t.train(ctx, &known); err != nil {
			return err
		}
		t.rows[r.point()] = known
		if t.trained++; t.trained%100 == 0 {
			fmt.Fprintf(os.Stderr, "bench: %d trained\n", t.trained)
		}
	}
	*r = known
	return nil
}

func (t *table) train(ctx context.Context, r *row) error {
	p := sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 10000, Validation: 10000}, Model: "linear",
		Batch: r.Batch, Clip: r.Clip, LearnRate: r.Learn, Steps: r.Steps, EMA: r.EMA, NoiseFrom: sweep.Seeded,
	}
	key := fmt.Sprint(r.Epsilon, r.Batch, r.Steps)
	σ, ok := t.sigma[key]
	if !ok {
		var err error
		if σ, err = privacy.CalibrateNoise(privacy.Certified, privacy.Budget{Epsilon: r.Epsilon, Delta: delta}, p.SampleRate(), p.Steps); err != nil {
			return err
		}
		t.sigma[key] = σ
	}
	p.Batch, p.Noise = r.Batch/r.Scale, σ/float64(r.Scale)
	p = p.WithRepeat(r.Repeat)
	dir, err := os.MkdirTemp(t.dir, "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	job := trainerplugin.Job{Trial: p.ID(), Params: p, Dir: dir, Threads: 1}
	o, err := t.builtin.Train(ctx, job, func(trainerplugin.Event) error { return nil })
	if err != nil {
		return fmt.Errorf("train %+v: %w", p, err)
	}
	r.Noise, r.Accuracy = p.Noise, math.Round(o.Accuracy*1e6)/1e6
	return nil
}

// train fills an empty table with all that the report needs, and writes it to out.
func train(ctx context.Context, t *table, out io.Writer) error {
	for _, ε := range gridEpsilon {
		for _, b := range gridBatch {
			for _, r := range grid(row{Epsilon: ε, Batch: b, EMA: gridEMA, Scale: 1}, gridSteps) {
				if err := t.fill(ctx, &r); err != nil {
					return err
				}
			}
		}
	}
	if err := scaled(ctx, io.Discard, t); err != nil {
		return err
	}
	return t.write(out)
}

// write writes the rows as CSV, in their order.
func (t *table) write(out io.Writer) error {
	rows := make([]row, 0, len(t.rows))
	for _, r := range t.rows {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Scale, b.Scale), slices.Compare(a.numbers(), b.numbers()))
	})
	w := csv.NewWriter(out)
	if err := w.Write(heading); err != nil {
		return err
	}
	for _, r := range rows {
		var fields []string
		for _, v := range r.numbers() {
			fields = append(fields, strconv.FormatFloat(v, 'g', -1, 64))
		}
		if err := w.Write(fields); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
