package dpsgd

import (
	"sync"
	"sync/atomic"

	"sweep"
)

// chunk is how many weights a goroutine updates at a time. It is even, as
// [generator.fillNoise] wants, and its noise fits the second-level cache.
const chunk = 1024

// An update is one step of private SGD in the notation of the paper, section 1.
type update struct {
	batch       float64 // B: the nominal batch, whatever its realised size
	noise       float64 // standard deviation of the noise in the sum
	optimizer   optimizer
	learnRate   float64 // η_t of this step
	weightDecay float64 // λ
	decay       float64 // μ_t of this step
	threads     int
}

// newUpdate is update t of a trial with parameters p, counted from 1.
func newUpdate(p sweep.Params, t, threads int) update {
	return update{
		batch: float64(p.Batch), noise: p.Noise * Clipping{p.Clipping, p.Clip}.Sensitivity(), optimizer: newOptimizer(p, t),
		learnRate: learnRate(p, t), weightDecay: p.WeightDecay, decay: warmDecay(p.EMA, t), threads: max(1, threads),
	}
}

// apply makes the step, for each weight j:
//
//	G_j = (sum_j + σ·Δ·z_j) / B,  z ~ N(0, I),  Δ from [Clipping.Sensitivity]
//	w_j ← w_j - η_t·(d_j + λ·w_j),  d the optimizer's direction, for SGD G
//	ema_j ← μ_t·ema_j + (1-μ_t)·w_j
//
// in float64; w_j and the optimizer's moments are then rounded to float32. The
// decay is decoupled from the direction (Loshchilov and Hutter 2019,
// arXiv:1711.05101; without their schedule's multiplier it is η_t·λ), and so
// not clipped: it depends on no example. Each weight is a matter of its own,
// so any number of threads gives the same bits. It reports whether every weight
// and moment is still finite.
func (u update) apply(sum []float32, s *state, z generator) (finite bool) {
	var left atomic.Bool
	eachChunk(len(s.weights), u.threads, func() func(lo, hi int) {
		g, moments := make([]float64, chunk), make([][]float32, len(s.moments))
		return func(lo, hi int) {
			g := g[:hi-lo]
			if u.noise > 0 {
				z.fillNoise(lo, g)
			} else {
				clear(g)
			}
			for i, m := range s.moments {
				moments[i] = m[lo:hi]
			}
			u.gradient(sum[lo:hi], g)
			u.optimizer.step(g, moments)
			if !u.move(g, s.weights[lo:hi], s.ema[lo:hi]) || !allFinite(moments) {
				left.Store(true)
			}
		}
	})
	return !left.Load()
}

// gradient makes of standard noise z the noisy gradient G.
func (u update) gradient(sum []float32, z []float64) {
	for j := range z {
		z[j] = (float64(sum[j]) + float64(u.noise*z[j])) / u.batch
	}
}

// move moves weights against the directions d.
func (u update) move(d []float64, weights []float32, ema []float64) (finite bool) {
	finite = true
	for j, step := range d {
		if u.weightDecay > 0 {
			step += float64(u.weightDecay * float64(weights[j]))
		}
		w := float32(float64(weights[j]) - float64(u.learnRate*step))
		weights[j] = w
		ema[j] = float64(u.decay*ema[j]) + float64((1-u.decay)*float64(w))
		finite = finite && isFinite(w)
	}
	return finite
}

func allFinite(moments [][]float32) bool {
	for _, m := range moments {
		for _, x := range m {
			if !isFinite(x) {
				return false
			}
		}
	}
	return true
}

func isFinite(x float32) bool { return x-x == 0 }

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
