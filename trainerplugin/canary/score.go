package canary

import (
	"context"
	"fmt"
	"math"

	"sweep/trainerplugin/dpsgd"
)

// A Score is what an attack looks at to tell whether a canary was trained on.
// Scores are higher where it looks more so.
type Score string

const (
	// LastLoss is by how much training lowered a canary's loss, from the initial
	// weights to the last. What was easy from the start says nothing, so the drop is
	// what counts; and of all that is released the last weights hold the most, for
	// they are the sum of all updates, each with its full weight.
	LastLoss Score = "last"
	// AveragedLoss is the same for the averaged (EMA) weights: what somebody learns
	// who is given the model alone.
	AveragedLoss Score = "averaged"
	// Trajectory looks at all weights on the way, as ε covers them: with D_t by how
	// much update t lowered the loss, Σ_t (D_{t+1} - D_t)². What updates have in
	// common cancels, and what is left is whether the canary was in the one batch and
	// not in the other. It finds noise that repeats itself, and little
	// else; it costs m gradients an update.
	Trajectory Score = "trajectory"
)

// ParseScore reads the name of a score.
func ParseScore(name string) (Score, error) {
	s := Score(name)
	return s, s.check()
}

func (s Score) check() error {
	switch s {
	case LastLoss, AveragedLoss, Trajectory:
		return nil
	}
	return fmt.Errorf("unknown score %q; there are %s, %s and %s", s, LastLoss, AveragedLoss, Trajectory)
}

// A meter measures the losses of canaries.
type meter struct {
	engine dpsgd.Engine
	batch  dpsgd.Batch
	clip   float64
	sum    []float32 // of gradients, which nobody looks at
}

// losses are the canaries' losses under weights, in nats; infinite where they are
// no numbers.
func (m *meter) losses(ctx context.Context, weights []float32) ([]float64, error) {
	if m.sum == nil {
		m.sum = make([]float32, len(weights))
	}
	stats, err := m.engine.ClippedSum(ctx, weights, m.batch, m.clip, m.sum)
	for j, x := range stats.Losses {
		if math.IsNaN(x) {
			stats.Losses[j] = math.Inf(1)
		}
	}
	return stats.Losses, err
}

// drops are by how much the losses are lower under after than under before.
func (m *meter) drops(ctx context.Context, before, after []float32) ([]float64, error) {
	scores, err := m.losses(ctx, before)
	if err != nil {
		return nil, err
	}
	left, err := m.losses(ctx, after)
	if err != nil {
		return nil, err
	}
	for j := range scores {
		scores[j] = lowest(scores[j] - left[j])
	}
	return scores, nil
}

// lowest is x, or the lowest score where x is no number.
func lowest(x float64) float64 {
	if math.IsNaN(x) {
		return math.Inf(-1)
	}
	return x
}

// A trajectory adds up what [Trajectory] looks at.
type trajectory struct {
	last, drop []float64 // losses before the last update seen, and what the update before it did; nil until known
	sum        []float64
}

// add takes the losses under the next weights.
func (p *trajectory) add(losses []float64) {
	if p.sum == nil {
		p.sum = make([]float64, len(losses))
	}
	if p.last != nil {
		drop := make([]float64, len(losses))
		for j, x := range losses {
			drop[j] = p.last[j] - x
			if p.drop != nil {
				p.sum[j] += (drop[j] - p.drop[j]) * (drop[j] - p.drop[j])
			}
		}
		p.drop = drop
	}
	p.last = losses
}

// end takes the last weights and returns the scores.
func (p *trajectory) end(ctx context.Context, m *meter, last []float32) ([]float64, error) {
	losses, err := m.losses(ctx, last)
	if err != nil {
		return nil, err
	}
	p.add(losses)
	for j, x := range p.sum {
		p.sum[j] = lowest(x)
	}
	return p.sum, nil
}
