package strategy

import (
	"math"
	"math/rand/v2"
)

// A parzen is a density over a space: a mixture of products, one for each
// observed point and a wide one for the prior. It is the estimator of
// multivariate TPE (Falkner, Klein, Hutter 2018, BOHB, §3.2) in the form that
// Optuna 4.5 has it: bandwidth 0.2·n^(-1/(d+4)) of the unit interval, and never
// below 1/min(100, n+2).
type parzen struct {
	space   Space
	weights []float64   // of the kernels, the prior's last; they sum to 1
	at      []Point     // centres, without the prior's
	sigma   float64     // of all kernels but the prior's, which has 1
	logs    []float64   // of the weights
	norm    [][]float64 // of each dimension and kernel, the log of what a density is divided by
}

// newParzen centres kernels at the points, which are weighted in proportion to
// weights, and the prior by 1.
func newParzen(s Space, points []Point, weights []float64) *parzen {
	n := len(points)
	p := &parzen{space: s, at: points, weights: append(weights[:n:n], 1)}
	p.sigma = 0.2 * math.Pow(float64(max(n, 1)), -1/(float64(len(s.Dims))+4))
	p.sigma = min(max(p.sigma, 1/min(100, float64(n)+2)), 1)
	total := 0.0
	for _, w := range p.weights {
		total += w
	}
	for i := range p.weights {
		p.weights[i] /= total
	}
	p.logs, p.norm = make([]float64, n+1), make([][]float64, len(s.Dims))
	for k, w := range p.weights {
		p.logs[k] = math.Log(w)
	}
	for d, dim := range s.Dims {
		p.norm[d] = make([]float64, n+1)
		for k := range n + 1 {
			μ, σ := p.kernel(d, k)
			p.norm[d][k] = logMass(-μ/σ, (1-μ)/σ)
			if dim.Levels == 0 {
				p.norm[d][k] += math.Log(σ * math.Sqrt(2*math.Pi))
			}
		}
	}
	return p
}

// kernel is the centre and the width of kernel k in dimension d.
func (p *parzen) kernel(d, k int) (μ, σ float64) {
	if k == len(p.at) {
		return 0.5, 1
	}
	return p.at[k][d], p.sigma
}

// logDensity is the log of p at x; at levels, of their probability.
func (p *parzen) logDensity(x Point) float64 {
	logs := make([]float64, len(p.weights))
	most := math.Inf(-1)
	for k := range p.weights {
		logs[k] = p.logs[k]
		for d := range p.space.Dims {
			logs[k] += p.logKernel(d, k, x[d])
		}
		most = max(most, logs[k])
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - most)
	}
	return most + math.Log(sum)
}

func (p *parzen) logKernel(d, k int, x float64) float64 {
	dim := p.space.Dims[d]
	μ, σ := p.kernel(d, k)
	switch {
	case dim.Unordered:
		return math.Log(p.choice(dim, k, μ, x))
	case dim.Levels > 0:
		half := 0.5 / float64(dim.Levels)
		return logMass((x-half-μ)/σ, (x+half-μ)/σ) - p.norm[d][k]
	}
	z := (x - μ) / σ
	return -z*z/2 - p.norm[d][k]
}

// choice is the probability of a name under a kernel: its own name's weight is
// one more than the prior's share, which all names have.
func (p *parzen) choice(dim Dim, k int, μ, x float64) float64 {
	if k == len(p.at) {
		return 1 / float64(dim.Levels)
	}
	share := 1 / float64(len(p.at)+1)
	w := share
	if math.Abs(x-μ) < 0.5/float64(dim.Levels) {
		w++
	}
	return w / (1 + share*float64(dim.Levels))
}

// logMass is log(Φ(b) - Φ(a)) for a < b, by the tail that is nearer.
func logMass(a, b float64) float64 {
	if a > 0 {
		a, b = -b, -a
	}
	m := (math.Erfc(-b/math.Sqrt2) - math.Erfc(-a/math.Sqrt2)) / 2
	return math.Log(max(m, 1e-300))
}

// draw samples p: a kernel by its weight, then each coordinate by the kernel.
func (p *parzen) draw(r *rand.Rand) Point {
	k, u := 0, r.Float64()
	for ; k < len(p.weights)-1 && u >= p.weights[k]; k++ {
		u -= p.weights[k]
	}
	x := make(Point, len(p.space.Dims))
	for d, dim := range p.space.Dims {
		μ, σ := p.kernel(d, k)
		if dim.Unordered {
			x[d] = p.drawChoice(r, dim, k, μ)
			continue
		}
		low, high := math.Erf(-μ/σ/math.Sqrt2), math.Erf((1-μ)/σ/math.Sqrt2)
		z := math.Sqrt2 * math.Erfinv(low+(high-low)*r.Float64())
		x[d] = min(max(μ+σ*z, 0), 1)
	}
	return x
}

func (p *parzen) drawChoice(r *rand.Rand, dim Dim, k int, μ float64) float64 {
	u := r.Float64()
	for l := range dim.Levels {
		x := (float64(l) + 0.5) / float64(dim.Levels)
		if u -= p.choice(dim, k, μ, x); u < 0 || l == dim.Levels-1 {
			return x
		}
	}
	return μ
}
