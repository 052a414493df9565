package dpsgd

import (
	"math"
	"time"

	"sweep/trainerplugin"
)

// measure turns what an engine saw of a batch into the numbers people watch.
// They come from private data and no noise is added to them: no epsilon covers
// their publication.
//
// Losses that are not finite belong to gradients that count as zero, and are
// left out of the mean; so are such gradients' norms.
func measure(stats GradStats, c Clipping) trainerplugin.Progress {
	p := trainerplugin.Progress{BatchSize: len(stats.Norms)}
	var losses, norms float64
	finite, clipped := 0, 0
	for i, norm := range stats.Norms {
		norms += norm
		p.GradNormMax = max(p.GradNormMax, norm)
		if stats.Clipped == nil && c.Clipped([]float64{norm}) || stats.Clipped != nil && stats.Clipped[i] {
			clipped++
		}
		if loss := stats.Losses[i]; !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			losses += loss
			finite++
		}
	}
	p.Loss = ratio(losses, finite)
	p.GradNormMean = ratio(norms, len(stats.Norms)-stats.NonFinite)
	p.ClippedShare = ratio(float64(clipped), len(stats.Norms))
	return p
}

// ratio is sum/n, or 0 where there is nothing to divide by.
func ratio(sum float64, n int) float64 {
	if n <= 0 {
		return 0
	}
	return sum / float64(n)
}

// signalToNoise is ‖clipped sum‖₂ over σ·√P, near enough the expected norm of
// noise in P dimensions, which it exceeds by a factor of 1 + 1/(4P). It is finite
// however small the noise is.
func signalToNoise(sum []float32, noise float64) float64 {
	if noise == 0 {
		return 0
	}
	var squares float64
	for _, x := range sum {
		squares += float64(x) * float64(x)
	}
	return min(math.Sqrt(squares/float64(len(sum)))/noise, math.MaxFloat64)
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
