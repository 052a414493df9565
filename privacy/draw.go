package privacy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// mostRuns is where Draw stops looking; with means up to 1e5 it is never met.
const mostRuns = 1 << 24

// Draw draws the number of runs of e from its distribution, with randomness from
// r, which should be crypto/rand.Reader: whoever can foresee the number can
// undo the selection's protection. It inverts the distribution function at a
// uniform number of 53 bits, so that no probability is off by more than about
// 1e-15, far below any δ.
func (e Select) Draw(r io.Reader) (int, error) {
	if err := e.Check(); err != nil {
		return 0, fmt.Errorf("draw the number of runs: %w", err)
	}
	var bits [8]byte
	if _, err := io.ReadFull(r, bits[:]); err != nil {
		return 0, fmt.Errorf("draw the number of runs: %w", err)
	}
	k, err := e.invert((float64(binary.BigEndian.Uint64(bits[:])>>11) + 0.5) / (1 << 53))
	if err != nil {
		return 0, fmt.Errorf("draw the number of runs: %w", err)
	}
	return k, nil
}

// Quantile is the least number of runs that is exceeded with a probability of at
// most 1-p, for p in [0, 1). It takes time of the order of the answer.
func (e Select) Quantile(p float64) (int, error) {
	if err := e.Check(); err != nil {
		return 0, fmt.Errorf("quantile of the number of runs: %w", err)
	}
	if !(p >= 0 && p < 1) {
		return 0, fmt.Errorf("quantile of the number of runs: %v is no probability below 1", p)
	}
	k, err := e.invert(p)
	if err != nil {
		return 0, fmt.Errorf("quantile of the number of runs: %w", err)
	}
	return k, nil
}

// invert is the least number k of runs with Pr[K ≤ k] ≥ u.
func (e Select) invert(u float64) (int, error) {
	first, ratio := e.masses()
	if first == 0 {
		return 0, fmt.Errorf("a %s number with mean %v is out of reach; take a mean below 700", e.Count, e.Mean)
	}
	mass, k := first, e.least()
	for u > mass && k < mostRuns {
		u -= mass
		mass *= ratio(k)
		k++
	}
	return k, nil
}

// least is the smallest number of runs.
func (e Select) least() int {
	if e.Count == Poisson {
		return 0
	}
	return 1
}

// masses are the probability of the least number of runs, and what takes that
// of k runs to that of k+1 (Papernot, Steinke 2022, arXiv:2110.03620,
// Definition 1: Pr[K=k] ∝ (1-γ)^k·Π_{l<k}(l+η)/(l+1), and (1-γ)^k/k for η = 0).
func (e Select) masses() (first float64, ratio func(k int) float64) {
	if e.Count == Poisson {
		return math.Exp(-e.Mean), func(k int) float64 { return e.Mean / float64(k+1) }
	}
	γ, η := e.stopping(), e.shape()
	switch {
	case e.Mean == 1:
		first = 1
	case η == 0:
		first = (1 - γ) / -math.Log(γ)
	default: // η(1-γ)/(γ^-η - 1)
		first = η * (1 - γ) / math.Expm1(-η*math.Log(γ))
	}
	return first, func(k int) float64 { return (1 - γ) * (float64(k) + η) / float64(k+1) }
}
