package dpsgd

import (
	"math"
	"time"

	"sweep/trainerplugin"
)

// sumUp adds up what an engine saw of a batch. Losses that are not finite belong
// to gradients that count as zero, and are left out; so are such gradients'
// norms.
func sumUp(stats GradStats, c Clipping) StepSums {
	s := StepSums{NonFinite: stats.NonFinite}
	for i, norm := range stats.Norms {
		s.NormSum += norm
		s.NormMax = max(s.NormMax, norm)
		if stats.Clipped == nil && c.Clipped([]float64{norm}) || stats.Clipped != nil && stats.Clipped[i] {
			s.Clipped++
		}
		if loss := stats.Losses[i]; !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			s.LossSum += loss
			s.FiniteLosses++
		}
	}
	return s
}

// progress turns sums over n examples into the numbers people watch. They come
// from private data and no noise is added to them: no epsilon covers their
// publication.
func (s StepSums) progress(n int) trainerplugin.Progress {
	return trainerplugin.Progress{
		BatchSize:    n,
		Loss:         ratio(s.LossSum, s.FiniteLosses),
		GradNormMean: ratio(s.NormSum, n-s.NonFinite),
		GradNormMax:  s.NormMax,
		ClippedShare: ratio(float64(s.Clipped), n),
	}
}

// ratio is sum/n, or 0 where there is nothing to divide by.
func ratio(sum float64, n int) float64 {
	if n <= 0 {
		return 0
	}
	return sum / float64(n)
}

// squares is ‖x‖².
func squares(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

// A pace is how fast an attempt has been.
type pace struct {
	start time.Time
	steps int // made by this attempt
	views int // differentiated by this attempt
}

func (p pace) seconds() float64 { return time.Since(p.start).Seconds() }

// fill adds to m what depends on the clock; left is how many steps remain.
func (p pace) fill(m *trainerplugin.Progress, left int) {
	m.SecondsElapsed = p.seconds()
	m.SecondsToFinish = m.SecondsElapsed / float64(p.steps) * float64(left)
	if m.SecondsElapsed > 0 {
		m.ExamplesPerSec = float64(p.views) / m.SecondsElapsed
	}
}
