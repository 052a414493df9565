package dpsgd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// away is a Stepper whose device is a state of its own. What it does with an
// update it takes from the update's numbers, by the formulas of the papers.
type away struct {
	linear
	params sweep.Params
	data   Data
	held   *State
	fail   int // step that fails
}

func (a *away) Load(s State) error {
	a.held = &State{slices.Clone(s.Weights), slices.Clone(s.Average), nil}
	for _, m := range s.Moments {
		a.held.Moments = append(a.held.Moments, slices.Clone(m))
	}
	return nil
}

func (a *away) Save(s State) error {
	copy(s.Weights, a.held.Weights)
	copy(s.Average, a.held.Average)
	for i, m := range a.held.Moments {
		copy(s.Moments[i], m)
	}
	return nil
}

func (a *away) Step(ctx context.Context, u *Update) (StepSums, error) {
	if u.Step == a.fail {
		a.held = nil
		return StepSums{}, errors.New("device on fire")
	}
	b := Batch{Len: len(u.Members), Views: max(1, a.params.AugMult), View: func(i, k int, img []float32) int {
		return a.data.View(u.Step, u.Members[i], k, img)
	}}
	sum := make([]float32, len(a.held.Weights))
	stats, err := a.ClippedSum(ctx, a.held.Weights, b, a.params.Clip, sum)
	if err != nil {
		return StepSums{}, err
	}
	s := StepSums{NonFinite: stats.NonFinite, FiniteLosses: len(stats.Losses)}
	for i, norm := range stats.Norms {
		s.NormSum, s.NormMax, s.LossSum = s.NormSum+norm, max(s.NormMax, norm), s.LossSum+stats.Losses[i]
		if norm > a.params.Clip {
			s.Clipped++
		}
	}
	z := make([]float64, len(sum))
	if key := newSecret(a.params).key; u.NoiseStd > 0 && a.params.NoiseFrom == sweep.Seeded {
		// A device's generator has a key of its own; here it is the loop's, so
		// that the two can be compared.
		if !slices.Equal(u.Noise[:], key(forDevice, u.Step)) {
			return StepSums{}, errors.New("noise key is not the step's")
		}
		newGenerator(key(forNoise, u.Step)).fillNoise(0, z)
	}
	for j := range sum {
		s.SumSquares += float64(sum[j]) * float64(sum[j])
		g := (float64(sum[j]) + u.NoiseStd*z[j]) / u.Batch
		d := g
		switch m := a.held.Moments; len(m) {
		case 1:
			m[0][j] = float32(u.Momentum*float64(m[0][j]) + g)
			d = float64(m[0][j])
		case 2:
			m[0][j] = float32(u.Beta1*float64(m[0][j]) + (1-u.Beta1)*g)
			m[1][j] = float32(u.Beta2*float64(m[1][j]) + (1-u.Beta2)*g*g)
			d = float64(m[0][j]) / u.Share1 / (math.Sqrt(float64(m[1][j])/u.Share2) + u.AdamEps)
		}
		w := float64(a.held.Weights[j])
		a.held.Weights[j] = float32(w - u.LearnRate*(d+u.WeightDecay*w))
		a.held.Average[j] = u.EMA*a.held.Average[j] + (1-u.EMA)*float64(a.held.Weights[j])
		s.Diverged = s.Diverged || !isFinite(a.held.Weights[j])
	}
	return s, nil
}

// trainAway trains j on a Stepper.
func trainAway(t *testing.T, ctx context.Context, j trainerplugin.Job, change func(*away), report func(trainerplugin.Event) error) (sweep.Outcome, error) {
	t.Helper()
	a := &away{linear: small, params: j.Params, data: blobs()}
	if change != nil {
		change(a)
	}
	return Train(ctx, j, a, blobs(), report)
}

// A device that is given every update's numbers ends where the loop itself does,
// whatever the optimizer, evaluations and checkpoints on the way included.
func TestStepperIsGivenWholeUpdates(t *testing.T) {
	for name, change := range map[string]func(*sweep.Params){
		"sgd":      func(p *sweep.Params) {},
		"momentum": func(p *sweep.Params) { p.Momentum, p.WeightDecay = 0.9, 0.01 },
		"adam": func(p *sweep.Params) {
			p.Optimizer, p.Beta1, p.Beta2, p.AdamEps = sweep.Adam, 0.9, 0.999, 1e-8
			p.Schedule, p.Warmup = sweep.Cosine, 2
		},
		"views": func(p *sweep.Params) { p.AugMult, p.Augment = 3, sweep.Flip },
	} {
		t.Run(name, func(t *testing.T) {
			j := job(t, func(j *trainerplugin.Job) { change(&j.Params); j.EvaluateEvery = 2 })
			want, events := run(t, j)
			j.Dir = t.TempDir()
			var got []trainerplugin.Event
			o, err := trainAway(t, t.Context(), j, nil, func(e trainerplugin.Event) error {
				got = append(got, e)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(o.Loss-want.Loss) > 1e-5 || o.Accuracy != want.Accuracy || o.Steps != want.Steps || o.Examples != want.Examples {
				t.Errorf("outcome %+v\nwant    %+v", o, want)
			}
			if len(got) != len(events) {
				t.Fatalf("%d events, want %d", len(got), len(events))
			}
			for i := range events {
				if a, b := rounded(got[i]), rounded(events[i]); a != b {
					t.Errorf("event %d is %s\nwant %s", i, a, b)
				}
			}
		})
	}
}

// rounded is what an event says of training, to four digits.
func rounded(e trainerplugin.Event) string {
	switch e := e.(type) {
	case trainerplugin.Progress:
		return fmt.Sprintf("step %d: %d %.4g %.4g %.4g %.4g %.4g %.4g", e.Step, e.BatchSize, e.Loss, e.GradNormMean, e.GradNormMax, e.ClippedShare, e.SignalToNoise, e.LearnRate)
	case trainerplugin.Evaluation:
		return fmt.Sprintf("evaluated %d: %.4g %.4g %.4g", e.Step, e.Accuracy, e.LastAccuracy, e.Loss)
	}
	return fmt.Sprintf("%T", e)
}

// A checkpoint of the loop is taken up by a device, and the other way round.
func TestStepperResumes(t *testing.T) {
	change := func(j *trainerplugin.Job) { j.Params.Momentum = 0.9 }
	want, _ := run(t, job(t, change))
	for _, awayFirst := range []bool{true, false} {
		j := job(t, change)
		ctx, cancel := context.WithCancelCause(t.Context())
		report := func(e trainerplugin.Event) error {
			if p, ok := e.(trainerplugin.Progress); ok && p.Step == 3 {
				cancel(errStop)
			}
			return nil
		}
		var got sweep.Outcome
		var err error
		if awayFirst {
			if _, err = trainAway(t, ctx, j, nil, report); !errors.Is(err, errStop) {
				t.Fatal(err)
			}
			got, err = Train(t.Context(), j, small, blobs(), ignore)
		} else {
			if _, err = Train(ctx, j, small, blobs(), report); !errors.Is(err, errStop) {
				t.Fatal(err)
			}
			got, err = trainAway(t, t.Context(), j, nil, ignore)
		}
		if err != nil || math.Abs(got.Loss-want.Loss) > 1e-5 || got.Steps != want.Steps {
			t.Errorf("device first %t: %+v\nwant %+v; error %v", awayFirst, got, want, err)
		}
	}
}

// Even the same program draws fresh noise where a device goes on: it may round
// otherwise than before.
func TestStepperDrawsFreshNoise(t *testing.T) {
	j := job(t, func(j *trainerplugin.Job) { j.Params.NoiseFrom = sweep.Secure })
	var ids []string
	for range 2 {
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := trainAway(t, ctx, j, nil, func(e trainerplugin.Event) error {
			switch e := e.(type) {
			case trainerplugin.Started:
				ids = append(ids, e.NoiseID)
			case trainerplugin.Progress:
				cancel(errStop)
			}
			return nil
		})
		if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
	}
	if ids[0] == ids[1] {
		t.Error("both attempts have the same noise")
	}
}

// What a device loses is not taken for a state: no checkpoint is left of it.
func TestStepperFails(t *testing.T) {
	j := job(t, nil)
	_, err := trainAway(t, t.Context(), j, func(a *away) { a.fail = 4 }, ignore)
	if err == nil || !strings.Contains(err.Error(), "step 4: device on fire") {
		t.Errorf("error %v", err)
	}
	if names, err := matching(j.Dir, checkpointPattern); err != nil || len(names) > 0 {
		t.Errorf("left checkpoints %v, error %v", names, err)
	}
	j = job(t, func(j *trainerplugin.Job) { j.Params.LearnRate = 1e39 })
	if _, err = trainAway(t, t.Context(), j, nil, ignore); !errors.Is(err, trainerplugin.ErrDiverged) || !strings.Contains(err.Error(), "element ") {
		t.Errorf("diverged: error %v", err)
	}
}

// A key shows in no message.
func TestStepKeyIsNotPrinted(t *testing.T) {
	u := &Update{Noise: StepKey([]byte(strings.Repeat("k", secretSize)))}
	if s := fmt.Sprintf("%v %+v %#v", u.Noise, u, *u); strings.Contains(s, "107") || strings.Contains(s, "0x6b") || strings.Count(s, "[secret]") != 3 {
		t.Error(s)
	}
}
