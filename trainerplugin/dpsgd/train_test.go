package dpsgd

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sweep"
	"sweep/trainerplugin"
)

var errStop = errors.New("host asked to stop")

// opened returns a loop that is ready for its first step.
func opened(t *testing.T, j trainerplugin.Job, d Data) *loop {
	t.Helper()
	l := &loop{job: j, engine: small, data: d, report: ignore, pace: pace{start: time.Now()}}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	return l
}

// With σ = 0 and a bound that no gradient reaches, a step is plain SGD: the
// weights move by η/(B·C) times the sum of gradients, computed here in float64
// from the examples that the loop asked for.
func TestPlainSGD(t *testing.T) {
	const clip = 1e6
	j := job(t, func(j *trainerplugin.Job) {
		j.Params.Clip, j.Params.Noise, j.Params.LearnRate = clip, 0, 0.25*clip
		j.Params.AugMult, j.Params.Augment = 2, sweep.Flip
	})
	d := blobs()
	var asked [][2]int
	view := d.View
	d.View = func(step, i, k int, img []float32) int {
		asked = append(asked, [2]int{i, k})
		return view(step, i, k, img)
	}
	l := opened(t, j, d)
	want := make([]float64, len(l.weights))
	for i, w := range l.weights {
		want[i] = float64(w)
	}
	examples := 0
	for step := 1; step <= j.Params.Steps; step++ {
		at := slices.Clone(l.weights)
		asked = nil
		if _, err := l.update(t.Context()); err != nil {
			t.Fatal(err)
		}
		g, x := make([]float64, len(want)), make([]float32, small.inputs)
		for _, a := range asked {
			label := view(step, a[0], a[1], x)
			small.gradient(at, x, label, 0.5, g) // the mean of two views
		}
		for i := range want {
			want[i] -= 0.25 / 8 * g[i]
			if diff := math.Abs(want[i] - float64(l.weights[i])); diff > 1e-6 {
				t.Fatalf("step %d: weight %d is off by %g", step, i, diff)
			}
		}
		examples += len(asked) / 2
	}
	if examples < 20 { // 48 expected, sd 6
		t.Errorf("saw %d examples in 6 batches of 8", examples)
	}
}

// The average is the sum of all weights there have been, each with the product
// of the decays since: the recursion solved.
func TestAverage(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.Params.EMA = 0.25 }) // the warm-up ends in the midst
	l := opened(t, j, blobs())
	history := [][]float32{slices.Clone(l.weights)}
	for range j.Params.Steps {
		if _, err := l.update(t.Context()); err != nil {
			t.Fatal(err)
		}
		history = append(history, slices.Clone(l.weights))
	}
	decay := []float64{0, 2. / 11, 3. / 12, 0.25, 0.25, 0.25, 0.25} // min(0.25, (1+t)/(10+t))
	for i := range l.ema {
		want := 0.0
		for t, w := range history {
			share := 1 - decay[t]
			for _, later := range decay[t+1:] {
				share *= later
			}
			want += share * float64(w[i])
		}
		if diff := math.Abs(l.ema[i] - want); diff > 1e-12 {
			t.Fatalf("average of weight %d is %v, want %v", i, l.ema[i], want)
		}
	}
}

// The last value of the warm-up that the paper's shortest run reaches is 0.98983
// (paper notes, section 5).
func TestWarmDecay(t *testing.T) {
	if got := warmDecay(0.999, 875); math.Abs(got-0.98983) > 5e-6 {
		t.Errorf("μ_875 = %v, want 0.98983", got)
	}
	if got := warmDecay(0.999, 1e6); got != 0.999 {
		t.Errorf("μ of late steps = %v, want 0.999", got)
	}
}

// Removing one member of the batch, all other randomness equal, moves the
// clipped sum by at most 1, and the weights by at most η/B: the sensitivity that
// the accounting of σ relies on.
func TestSensitivity(t *testing.T) {
	for _, clip := range []float64{0.01, 0.5, 100} {
		j := job(t, func(j *trainerplugin.Job) { j.Params.Clip, j.Params.Batch = clip, 20 })
		with := opened(t, j, blobs())
		if _, err := with.update(t.Context()); err != nil {
			t.Fatal(err)
		}
		members := poissonBatch(40, 20, newGenerator(with.secret.key(forSampling, 1)).words())
		if len(members) < 5 {
			t.Fatalf("batch has %d members", len(members))
		}
		largest := 0.0
		for _, gone := range members {
			j.Dir = t.TempDir()
			without := opened(t, j, blobs())
			without.engine = leavesOut{small, slices.Index(members, gone)}
			if _, err := without.update(t.Context()); err != nil {
				t.Fatal(err)
			}
			moved := distance(with.sum, without.sum)
			largest = max(largest, moved)
			if moved > 1+1e-6 {
				t.Errorf("clip %v: without example %d the sum moves by %v", clip, gone, moved)
			}
			// One float32 rounding of each weight comes on top of η/B.
			if moved := distance(with.weights, without.weights); moved > 0.25/20+1e-6 {
				t.Errorf("clip %v: without example %d the weights move by %v", clip, gone, moved)
			}
		}
		if clip == 0.01 && largest < 1-1e-5 {
			t.Errorf("all gradients are clipped, but the largest part in the sum is %v", largest)
		}
	}
}

// leavesOut is its engine on the batch less one member.
type leavesOut struct {
	Engine
	member int
}

func (e leavesOut) ClippedSum(ctx context.Context, w []float32, b Batch, clip float64, sum []float32) (GradStats, error) {
	view := b.View
	b.Len--
	b.View = func(i, k int, img []float32) int {
		if i >= e.member {
			i++
		}
		return view(i, k, img)
	}
	return e.Engine.ClippedSum(ctx, w, b, clip, sum)
}

func distance(a, b []float32) float64 {
	diff := make([]float64, len(a))
	for i := range a {
		diff[i] = float64(a[i]) - float64(b[i])
	}
	return norm2(diff)
}

// An empty batch moves the weights by noise alone, scaled by the nominal batch.
func TestEmptyBatch(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.Params.Batch = 1 })
	l := opened(t, j, blobs())
	for step := 1; step < 100; step++ {
		before := slices.Clone(l.weights)
		m, err := l.update(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.BatchSize > 0 {
			continue
		}
		z := make([]float64, len(before))
		newGenerator(l.secret.key(forNoise, step)).fillNoise(0, z)
		for i, w := range before {
			if want := float32(float64(w) - 0.25*z[i]); math.Abs(float64(l.weights[i]-want)) > 1e-6 {
				t.Errorf("weight %d is %v, want %v", i, l.weights[i], want)
			}
		}
		if m.Loss != 0 || m.GradNormMean != 0 || m.ClippedShare != 0 || m.SignalToNoise != 0 {
			t.Errorf("metrics of an empty batch: %+v", m)
		}
		return
	}
	t.Error("no batch was empty") // each is with chance 0.975^40 = 0.36
}

func TestLearns(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) {
		j.Params.Steps, j.Params.Batch, j.Params.LearnRate = 60, 20, 1
	})
	o, events := run(t, j)
	if o.Accuracy < 0.8 || o.Loss > 0.7 { // chance is 1/3 and ln 3
		t.Errorf("accuracy %v, loss %v", o.Accuracy, o.Loss)
	}
	if o.Steps != 60 || o.Examples != 20 || o.Split != sweep.Validation || o.DataDigest != "sha256:b10b5" || o.Seconds <= 0 {
		t.Errorf("outcome %+v", o)
	}
	if want := (trainerplugin.Started{NoiseID: events[0].(trainerplugin.Started).NoiseID}); events[0] != want {
		t.Errorf("first event %+v", events[0])
	}
	last := events[len(events)-1].(trainerplugin.Evaluation)
	if last.Accuracy != o.Accuracy || last.Loss != o.Loss || last.Step != 60 {
		t.Errorf("last event %+v, outcome %+v", last, o)
	}
}

// Neither evaluations, checkpoints, reports nor threads change a bit.
func TestOutcomeDependsOnParamsAlone(t *testing.T) {
	want, _ := run(t, job(t, nil))
	for name, change := range map[string]func(*trainerplugin.Job){
		"again":       nil,
		"evaluations": func(j *trainerplugin.Job) { j.EvaluateEvery = 2 },
		"test figure": func(j *trainerplugin.Job) { j.EvaluateTest = true },
		"checkpoints": func(j *trainerplugin.Job) { j.CheckpointEvery = 1 },
		"reports":     func(j *trainerplugin.Job) { j.ReportEvery = time.Hour },
		"threads":     func(j *trainerplugin.Job) { j.Threads = 7 },
	} {
		got, _ := run(t, job(t, change))
		got.Seconds = want.Seconds
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	other, _ := run(t, job(t, func(j *trainerplugin.Job) { j.Params.Seed++ }))
	if other.WeightsDigest == want.WeightsDigest {
		t.Error("another seed gives the same weights")
	}
}

// The test part is measured once, at the end, with the weights that are the outcome's.
func TestTestFigure(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.EvaluateEvery, j.EvaluateTest = 2, true })
	o, events := run(t, j)
	var on []sweep.Split
	for _, e := range events {
		if e, ok := e.(trainerplugin.Evaluation); ok {
			on = append(on, e.Split)
		}
	}
	if want := []sweep.Split{sweep.Validation, sweep.Validation, sweep.Validation, sweep.Test}; !slices.Equal(on, want) {
		t.Fatalf("evaluations on %v, want %v", on, want)
	}
	// A trial with the same updates that is judged on the test part instead.
	d := blobs()
	d.Held = d.Test
	direct, err := Train(t.Context(), job(t, nil), small, d, ignore)
	if err != nil {
		t.Fatal(err)
	}
	got := events[len(events)-1].(trainerplugin.Evaluation)
	want := trainerplugin.Evaluation{Step: 6, Split: sweep.Test, Examples: 30, Accuracy: direct.Accuracy, LastAccuracy: direct.LastAccuracy, Loss: direct.Loss}
	if got != want || direct.WeightsDigest != o.WeightsDigest || got.Accuracy == o.Accuracy {
		t.Errorf("%+v, want %+v and another accuracy than %v", got, want, o.Accuracy)
	}
}

// A figure that decides nothing fails no trial, and none is made where there is
// nothing to measure, or where the test part itself decides.
func TestTestFigureIsLeftOut(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*trainerplugin.Job, *Data)
		note   string
	}{
		"no test part":      {func(_ *trainerplugin.Job, d *Data) { d.Test = Examples{} }, ""},
		"test part decides": {func(j *trainerplugin.Job, _ *Data) { j.Params.Data.Validation = 0 }, ""},
		"not finite": {func(_ *trainerplugin.Job, d *Data) {
			d.Test.At = func(_ int, img []float32) int { img[0] = float32(math.NaN()); return 0 }
		}, "its test figure is left out: training diverged: step 6: loss on the test split is NaN"},
	} {
		d := blobs()
		j := job(t, func(j *trainerplugin.Job) { j.EvaluateTest = true; tt.change(j, &d) })
		evaluations, notes := 0, ""
		_, err := Train(t.Context(), j, small, d, func(e trainerplugin.Event) error {
			switch e := e.(type) {
			case trainerplugin.Evaluation:
				evaluations++
			case trainerplugin.Note:
				notes += e.Text
			}
			return nil
		})
		if err != nil || evaluations != 1 || notes != tt.note {
			t.Errorf("%s: error %v, %d evaluations, notes %q, want %q", name, err, evaluations, notes, tt.note)
		}
	}
}

func TestEvents(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.EvaluateEvery, j.CheckpointEvery = 3, 1 })
	_, events := run(t, j)
	var got []string
	for _, e := range events {
		switch e := e.(type) {
		case trainerplugin.Started:
			got = append(got, "started")
		case trainerplugin.Progress:
			got = append(got, "progress")
			if e.BatchSize > 0 && !(e.Loss > 0 && e.GradNormMean > 0 && e.GradNormMax >= e.GradNormMean && e.SignalToNoise > 0) {
				t.Errorf("%+v", e)
			}
		case trainerplugin.Evaluation:
			got = append(got, "evaluation")
		case trainerplugin.Checkpoint:
			got = append(got, "checkpoint")
		}
	}
	want := "started, progress, checkpoint, progress, checkpoint, progress, evaluation, checkpoint," +
		" progress, checkpoint, progress, checkpoint, progress, evaluation"
	if got := strings.Join(got, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestReportEvery(t *testing.T) {
	_, events := run(t, job(t, func(j *trainerplugin.Job) { j.ReportEvery = time.Hour }))
	var steps []int
	for _, e := range events {
		if p, ok := e.(trainerplugin.Progress); ok {
			steps = append(steps, p.Step)
		}
	}
	if want := []int{1, 6}; !slices.Equal(steps, want) {
		t.Errorf("reported steps %v, want the first and the last", steps)
	}
}

func TestReportErrorStops(t *testing.T) {
	broken := errors.New("pipe closed")
	for n := range 9 { // whichever report it is
		j := job(t, func(j *trainerplugin.Job) { j.CheckpointEvery = 1 })
		calls := 0
		_, err := Train(t.Context(), j, small, blobs(), func(trainerplugin.Event) error {
			if calls++; calls > n {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || calls != n+1 {
			t.Errorf("report %d failed: error %v after %d reports", n, err, calls)
		}
	}
}

func TestDiverges(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.Params.LearnRate = 1e300 })
	_, err := Train(t.Context(), j, small, blobs(), ignore)
	if !errors.Is(err, trainerplugin.ErrDiverged) || !strings.Contains(err.Error(), "step 1: element") {
		t.Errorf("error %v", err)
	}
	entries, _ := os.ReadDir(j.Dir)
	if len(entries) != 0 {
		t.Errorf("left %v", entries)
	}
}

func TestDivergesInEvaluation(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.Params.LearnRate = 1e30 })
	_, err := Train(t.Context(), j, small, blobs(), ignore) // weights finite, logits infinite
	if !errors.Is(err, trainerplugin.ErrDiverged) || !strings.Contains(err.Error(), "loss on the validation split is") {
		t.Errorf("error %v", err)
	}
}

func TestNonFiniteGradientsAreCounted(t *testing.T) {
	d := blobs()
	view := d.View
	d.View = func(step, i, k int, img []float32) int {
		label := view(step, i, k, img)
		if i == 5 {
			img[0] = float32(math.NaN())
		}
		return label
	}
	j := job(t, func(j *trainerplugin.Job) { j.Params.Batch = 40 }) // everybody, always
	var last trainerplugin.Progress
	o, err := Train(t.Context(), j, small, d, func(e trainerplugin.Event) error {
		if p, ok := e.(trainerplugin.Progress); ok {
			last = p
		}
		return nil
	})
	if err != nil || o.NonFinite != 6 || last.NonFinite != 6 {
		t.Errorf("error %v, outcome counts %d, progress %d; want 6 steps of 1", err, o.NonFinite, last.NonFinite)
	}
	if math.IsNaN(last.Loss) || last.BatchSize != 40 {
		t.Errorf("last progress %+v", last)
	}
}

func TestRefuses(t *testing.T) {
	for want, change := range map[string]func(*sweep.Params){
		"batch_size: 41":                         func(p *sweep.Params) { p.Batch = 41 },
		"batch_size: 0":                          func(p *sweep.Params) { p.Batch = 0 },
		"clip_norm: 0":                           func(p *sweep.Params) { p.Clip = 0 },
		"clip_norm: NaN":                         func(p *sweep.Params) { p.Clip = math.NaN() },
		"noise_multiplier: -1; it is a positive": func(p *sweep.Params) { p.Noise = -1 },
		"learning_rate: +Inf":                    func(p *sweep.Params) { p.LearnRate = math.Inf(1) },
		"ema: 1;":                                func(p *sweep.Params) { p.EMA = 1 },
		"steps: 0":                               func(p *sweep.Params) { p.Steps = 0 },
		`noise: ""`:                              func(p *sweep.Params) { p.NoiseFrom = "" },
		"seed: ":                                 func(p *sweep.Params) { p.Seed = 1 << 53 },
		`augment: "flip", but augmult is 0`:      func(p *sweep.Params) { p.Augment = sweep.Flip },
		`augment: ""; augmult 2`:                 func(p *sweep.Params) { p.AugMult = 2 },
		"augmult: -1":                            func(p *sweep.Params) { p.AugMult = -1 },
		"data: train is 0":                       func(p *sweep.Params) { p.Data.Train = 0 },
	} {
		j := job(t, nil)
		change(&j.Params)
		_, err := Train(t.Context(), j, small, blobs(), ignore)
		if !errors.Is(err, trainerplugin.ErrRefused) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one line with %q", err, want)
		}
	}
}
