package dpsgd

import (
	"fmt"
	"math"
	"slices"

	"sweep"
)

// An optimizer turns noisy gradients into steps. What it keeps between updates
// stands in a state's moments, one number per weight each, and is computed
// from noisy gradients alone: by post-processing (Dwork and Roth 2014,
// proposition 2.1) it costs no privacy.
type optimizer interface {
	// step turns the noisy gradients g of some weights into the directions
	// against which they move, and brings their moments up to date.
	step(g []float64, moments [][]float32)
}

// momentNames says what p's optimizer keeps, in the words of PyTorch's state.
func momentNames(p sweep.Params) []string {
	switch {
	case p.Optimizer == sweep.Adam:
		return []string{"exp_avg", "exp_avg_sq"}
	case p.Momentum > 0:
		return []string{"momentum"}
	}
	return nil
}

// newOptimizer returns the rule for update t, counted from 1.
func newOptimizer(p sweep.Params, t int) optimizer {
	switch {
	case p.Optimizer == sweep.Adam:
		return adam{
			beta1: p.Beta1, beta2: p.Beta2, eps: p.AdamEps,
			share1: 1 - math.Pow(p.Beta1, float64(t)), share2: 1 - math.Pow(p.Beta2, float64(t)),
		}
	case p.Momentum > 0:
		return heavyBall{p.Momentum}
	}
	return plain{}
}

// plain is SGD: the direction is the gradient.
type plain struct{}

func (plain) step([]float64, [][]float32) {}

// heavyBall is SGD with momentum m (Polyak 1964), as PyTorch has it:
//
//	v ← m·v + G,  direction v
//
// v is 0 at first. A gradient moves a weight by η/(1-m) in all.
type heavyBall struct{ momentum float64 }

func (h heavyBall) step(g []float64, moments [][]float32) {
	v := moments[0][:len(g)]
	for j := range g {
		v[j] = float32(float64(h.momentum*float64(v[j])) + g[j])
		g[j] = float64(v[j])
	}
}

// adam is Adam (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1):
//
//	m ← β₁·m + (1-β₁)·G,  v ← β₂·v + (1-β₂)·G²
//	direction (m/(1-β₁ᵗ)) / (√(v/(1-β₂ᵗ)) + eps)
//
// G has its noise already, so that v is about (σ/B)² above the square of the
// clipped mean: where that is most of v, every weight moves as by SGD of rate
// η·B/σ. A small eps does not undo this, and a large one hides it.
type adam struct {
	beta1, beta2, eps float64
	share1, share2    float64 // 1-βᵗ: how much of the moments' weights there is yet
}

func (a adam) step(g []float64, moments [][]float32) {
	m, v := moments[0][:len(g)], moments[1][:len(g)]
	for j, x := range g {
		m[j] = float32(float64(a.beta1*float64(m[j])) + float64((1-a.beta1)*x))
		v[j] = float32(float64(a.beta2*float64(v[j])) + float64((1-a.beta2)*float64(x*x)))
		g[j] = float64(m[j]) / a.share1 / (math.Sqrt(float64(v[j])/a.share2) + a.eps)
	}
}

// learnRate is η_t, the learning rate of update t, counted from 1. It rises
// over W = p.Warmup updates, and then follows p.Schedule over the n = T-W that
// are left:
//
//	η_t = η·t/W                      t ≤ W
//	η_t = η                          constant
//	η_t = η·(1 - s/n)                linear,  s = t-W-1
//	η_t = η·(1 + cos(π·s/n))/2       cosine
//
// No update has rate 0, as the first and the last have in some libraries: each
// is paid for.
func learnRate(p sweep.Params, t int) float64 {
	if t <= p.Warmup {
		return p.LearnRate * (float64(t) / float64(p.Warmup))
	}
	done := float64(t-p.Warmup-1) / float64(p.Steps-p.Warmup)
	switch p.Schedule {
	case sweep.Linear:
		return p.LearnRate * (1 - done)
	case sweep.Cosine:
		return p.LearnRate * ((1 + math.Cos(math.Pi*done)) / 2)
	}
	return p.LearnRate
}

// checkOptimizer names the fields of p's optimizer that are out of range. A
// field of the other optimizer is 0, so that one trial has one name.
func checkOptimizer(p sweep.Params) (wrong []string) {
	complain := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	fraction := func(x float64) bool { return x >= 0 && x < 1 }
	switch p.Optimizer {
	case sweep.SGD:
		complain(fraction(p.Momentum), "momentum: %v; it is at least 0 and below 1", p.Momentum)
		complain(p.Beta1 == 0 && p.Beta2 == 0 && p.AdamEps == 0, "beta1, beta2, adam_eps: %v, %v, %v; SGD has none, so they are 0", p.Beta1, p.Beta2, p.AdamEps)
	case sweep.Adam:
		complain(p.Momentum == 0, "momentum: %v; adam has beta1 in its place", p.Momentum)
		complain(fraction(p.Beta1), "beta1: %v; it is at least 0 and below 1", p.Beta1)
		complain(fraction(p.Beta2), "beta2: %v; it is at least 0 and below 1", p.Beta2)
		complain(p.AdamEps > 0 && !math.IsInf(p.AdamEps, 0), "adam_eps: %v; it is a positive, finite number", p.AdamEps)
	default:
		complain(false, "optimizer: %q; it is %q for SGD, or %q", p.Optimizer, sweep.SGD, sweep.Adam)
	}
	complain(p.WeightDecay >= 0 && !math.IsInf(p.WeightDecay, 0), "weight_decay: %v; it is at least 0, and finite", p.WeightDecay)
	schedules := []sweep.Schedule{sweep.Constant, sweep.Linear, sweep.Cosine}
	complain(slices.Contains(schedules, p.Schedule), "schedule: %q; it is one of %q", p.Schedule, schedules)
	complain(p.Warmup >= 0 && (p.Warmup == 0 || p.Warmup < p.Steps), "warmup: %d; it is at least 0 and below the %d steps", p.Warmup, p.Steps)
	return wrong
}
