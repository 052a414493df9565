package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
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

// The tables of TAN: a batch that the first grid does not have, at one epsilon,
// trained in full once, and for every seed with batch and noise divided by tanScale.
var tanSteps = []int{50, 100, 200}

const (
	tanEpsilon = 1
	tanBatch   = 2048
	tanScale   = 128
	tanSeeds   = 50

	delta = 1e-5
)

// A row is one finished trial of a table. Scale divides the batch and the noise
// of the point that the row stands for; 1 is the point itself.
type row struct {
	Epsilon  float64 // that the full-scale noise was calibrated for
	Batch    int
	Learn    float64
	Steps    int
	Clip     float64
	Scale    int
	Repeat   int
	Noise    float64
	Accuracy float64
}

var heading = []string{"epsilon", "batch_size", "learning_rate", "steps", "clip_norm", "scale", "repeat", "noise_multiplier", "accuracy"}

// points lists the rows to be trained, without what training adds.
func points() (rows []row) {
	for _, ε := range gridEpsilon {
		for _, b := range gridBatch {
			rows = append(rows, grid(row{Epsilon: ε, Batch: b, Scale: 1}, gridSteps)...)
		}
	}
	rows = append(rows, grid(row{Epsilon: tanEpsilon, Batch: tanBatch, Scale: 1}, tanSteps)...)
	for seed := range tanSeeds {
		rows = append(rows, grid(row{Epsilon: tanEpsilon, Batch: tanBatch, Scale: tanScale, Repeat: seed}, tanSteps)...)
	}
	return rows
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

// train trains every point of both tables and writes them to out.
func train(ctx context.Context, out io.Writer, log io.Writer) error {
	w := csv.NewWriter(out)
	if err := w.Write(heading); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "surface")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := &trainer{dir: dir, sigma: map[string]float64{}}
	all := points()
	for i, r := range all {
		if err := t.run(ctx, &r); err != nil {
			return err
		}
		if err := w.Write(r.fields()); err != nil {
			return err
		}
		if (i+1)%100 == 0 {
			fmt.Fprintf(log, "%d of %d trained\n", i+1, len(all))
		}
	}
	w.Flush()
	return w.Error()
}

func (r row) fields() []string {
	g := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	return []string{
		g(r.Epsilon), strconv.Itoa(r.Batch), g(r.Learn), strconv.Itoa(r.Steps), g(r.Clip),
		strconv.Itoa(r.Scale), strconv.Itoa(r.Repeat), g(r.Noise), g(r.Accuracy),
	}
}

// A trainer runs rows in this process, so that the data are rendered once.
type trainer struct {
	builtin builtin.Trainer
	dir     string
	sigma   map[string]float64 // noise by its question
}

func (t *trainer) run(ctx context.Context, r *row) error {
	p := sweep.Params{
		Data: sweep.Data{Name: "glyphs", Train: 10000, Validation: 10000}, Model: "linear",
		Batch: r.Batch, Clip: r.Clip, LearnRate: r.Learn, Steps: r.Steps, EMA: 0.9, NoiseFrom: sweep.Seeded,
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
	job := trainerplugin.Job{Trial: p.ID(), Params: p, Dir: dir, Threads: 1}
	o, err := t.builtin.Train(ctx, job, func(trainerplugin.Event) error { return nil })
	if err != nil {
		return fmt.Errorf("train %+v: %w", p, err)
	}
	r.Noise, r.Accuracy = p.Noise, math.Round(o.Accuracy*1e6)/1e6
	return nil
}
