package dpsgd

import (
	"math"
	"sync"
	"sync/atomic"
)

// chunk is how many weights a goroutine updates at a time. It is even, as
// [generator.fillNoise] wants, and its noise fits the second-level cache.
const chunk = 1024

// An update is one step of private SGD in the notation of the paper, section 1.
type update struct {
	batch     float64 // B: the nominal batch, whatever its realised size
	noise     float64 // σ
	learnRate float64 // η
	decay     float64 // μ_t of this step
	threads   int
}

// apply makes the step, for each weight j:
//
//	G_j = (sum_j + σ·z_j) / B,  z ~ N(0, I)
//	w_j ← w_j - η·G_j
//	ema_j ← μ_t·ema_j + (1-μ_t)·w_j
//
// in float64; w_j is then rounded to float32. Each weight is a matter of its
// own, so any number of threads gives the same bits. It reports whether every
// weight is still finite.
func (u update) apply(sum, weights []float32, ema []float64, z generator) (finite bool) {
	var left atomic.Bool
	eachChunk(len(weights), u.threads, func() func(lo, hi int) {
		noise := make([]float64, chunk)
		return func(lo, hi int) {
			noise := noise[:hi-lo]
			if u.noise > 0 {
				z.fillNoise(lo, noise)
			}
			if !u.applyTo(sum[lo:hi], noise, weights[lo:hi], ema[lo:hi]) {
				left.Store(true)
			}
		}
	})
	return !left.Load()
}

// applyTo is apply for one chunk and the noise drawn for it.
func (u update) applyTo(sum []float32, noise []float64, weights []float32, ema []float64) (finite bool) {
	finite = true
	for j, z := range noise {
		g := (float64(sum[j]) + float64(u.noise*z)) / u.batch
		w := float32(float64(weights[j]) - float64(u.learnRate*g))
		weights[j] = w
		ema[j] = float64(u.decay*ema[j]) + float64((1-u.decay)*float64(w))
		finite = finite && !math.IsInf(float64(w), 0) && w == w
	}
	return finite
}

// warmDecay is μ_t = min(μ, (1+t)/(10+t)) of update t, counted from 1: early
// averages forget the initial weights quickly.
func warmDecay(decay float64, t int) float64 {
	return min(decay, float64(1+t)/float64(10+t))
}

// eachChunk calls functions that worker makes, one for each goroutine, until
// [0, n) is covered by chunks [lo, hi).
func eachChunk(n, threads int, worker func() func(lo, hi int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(threads, (n+chunk-1)/chunk) {
		wg.Go(func() {
			do := worker()
			for {
				lo := int(next.Add(chunk)) - chunk
				if lo >= n {
					return
				}
				do(lo, min(lo+chunk, n))
			}
		})
	}
	wg.Wait()
}
