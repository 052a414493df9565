package dpsgd

import (
	"context"
	"fmt"
	"math"

	"sweep"
	"sweep/trainerplugin"
)

// A Stepper is an [Engine] that keeps a trial's state where it computes, on a
// device, and makes whole updates there: views, clipped sum, noise, update and
// average. It was made for one trial and has its data.
//
// Compilers for devices choose kernels by how fast they are at the moment, so a
// Stepper need not repeat its bits in another process. A trial that goes on from
// a checkpoint on one therefore draws fresh noise where noise is secure: noise
// that was used is never laid over a sum that differs by its rounding.
type Stepper interface {
	Engine

	// Load gives it the state that Step goes on from, and keeps no reference.
	Load(s State) error

	// Step makes one update. If it fails the state is lost; what was loaded
	// before, or a checkpoint, is the way back. It finishes whatever becomes of
	// ctx once the noise of the step may have been used.
	Step(ctx context.Context, u *Update) (StepSums, error)

	// Save copies the state into s, which has its lengths.
	Save(s State) error
}

// A State is what updates change.
type State struct {
	Weights []float32
	Average []float64
	Moments [][]float32 // what the optimizer keeps; none for plain SGD, one with momentum, two for Adam
}

// A StepKey is the 256-bit key of one step's noise. It formats as a placeholder.
type StepKey [secretSize]byte

// Format writes a placeholder whatever the verb.
func (StepKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[secret]") }

// An Update is one step of private SGD, by its numbers. [Train] says what they
// mean. It holds a secret, so it is passed by its address, which is all that a
// crash then shows.
type Update struct {
	Step    int   // t, counted from 1; views are drawn for it
	Members []int // the Poisson batch: places in the training examples, ascending
	Noise   StepKey

	NoiseStd    float64 // σ·Δ: standard deviation of the noise in the sum; 0 is none
	Batch       float64 // B: the nominal batch
	LearnRate   float64 // η_t
	WeightDecay float64 // λ
	EMA         float64 // μ_t

	Momentum       float64 // of SGD that has some
	Beta1, Beta2   float64 // of Adam
	AdamEps        float64
	Share1, Share2 float64 // 1 - β₁ᵗ and 1 - β₂ᵗ
}

// newDeviceUpdate is update t of a trial with parameters p for a Stepper.
func newDeviceUpdate(p sweep.Params, t int, members []int, key []byte) *Update {
	u := newUpdate(p, t, 1)
	d := &Update{
		Step: t, Members: members, Noise: StepKey(key),
		NoiseStd: u.noise, Batch: u.batch, LearnRate: u.learnRate, WeightDecay: u.weightDecay, EMA: u.decay,
	}
	switch o := u.optimizer.(type) {
	case heavyBall:
		d.Momentum = o.momentum
	case adam:
		d.Beta1, d.Beta2, d.AdamEps, d.Share1, d.Share2 = o.beta1, o.beta2, o.eps, o.share1, o.share2
	}
	return d
}

// StepSums are what was seen of a batch, in sums over its examples. They come
// from private data and have no noise.
type StepSums struct {
	NonFinite    int     // gradients that were not finite and counted as zero
	NormSum      float64 // of the others' L2 norms before clipping
	NormMax      float64
	Clipped      int     // gradients that were made shorter
	LossSum      float64 // of losses that are finite, each the mean over its views, in nats
	FiniteLosses int
	SumSquares   float64 // ‖Σ c_i‖²
	Diverged     bool    // a weight or moment is no longer finite
}

// updateOn makes the next step on the device.
func (l *loop) updateOn(ctx context.Context, t int, members []int) (trainerplugin.Progress, error) {
	p := l.job.Params
	u := newDeviceUpdate(p, t, members, l.secret.key(forDevice, t))
	l.stale = true
	sums, err := l.device.Step(ctx, u)
	if err != nil {
		return trainerplugin.Progress{}, fmt.Errorf("step %d: %w", t, err)
	}
	m := sums.progress(len(members))
	m.Step, m.LearnRate, m.SignalToNoise = t, u.LearnRate, noiseRatio(sums.SumSquares, len(l.weights), u.NoiseStd)
	if sums.Diverged {
		if err := l.fetch(); err != nil {
			return m, err
		}
		return m, fmt.Errorf("%w: step %d: %s", trainerplugin.ErrDiverged, t, firstNonFinite(l.engine.Tensors(), l.weights))
	}
	l.count(t, len(members), sums.NonFinite)
	m.NonFinite = l.nonFinite
	return m, nil
}

// fetch brings l.state up to date with the device, if there is one.
func (l *loop) fetch() error {
	if !l.stale {
		return nil
	}
	if err := l.device.Save(State{l.weights, l.ema, l.moments}); err != nil {
		return fmt.Errorf("fetch the state after step %d: %w", l.step, err)
	}
	l.stale = false
	return nil
}

// noiseRatio is √(squares/n) over the noise's standard deviation: near enough
// the norm of n numbers over the expected norm of noise in n dimensions, which it
// exceeds by a factor of 1 + 1/(4n). It is finite however small the noise is, and
// 0 without noise.
func noiseRatio(squares float64, n int, noise float64) float64 {
	if noise == 0 {
		return 0
	}
	return min(math.Sqrt(squares/float64(n))/noise, math.MaxFloat64)
}
