package privacy

import "math"

// largestSum bounds the terms summed for one divergence. Above this order the
// divergence of a subsampled Gaussian counts as unbounded, which costs
// tightness only for ε below about 0.002.
const largestSum = 1 << 13

// rounding is added to every ln A so that rounding errors of the sums cannot
// lower a bound. It is some ten times what was seen against 50 digits.
const rounding = 1e-14

// poissonDivergence is the Rényi divergence of order α > 1 of one step of the
// Poisson-subsampled Gaussian mechanism, D_α(P‖Q) = ln A(α) / (α-1) with
//
//	P = (1-q)·N(0, σ²) + q·N(1, σ²),   Q = N(0, σ²),   A(α) = E_Q[(P/Q)^α]
//
// which is the larger of both directions (Mironov, Talwar, Zhang 2019,
// arXiv:1908.10530, Theorem 5 and section 3.3).
func poissonDivergence(q, σ, α float64) float64 {
	switch {
	case q == 0:
		return 0
	case σ == 0:
		return math.Inf(1)
	case q == 1, σ < leastNoise: // sampling only helps; for so small σ the sums would lose their digits
		return α / (2 * σ * σ)
	case α > largestSum:
		return math.Inf(1)
	}
	var logA float64
	if α == math.Floor(α) {
		logA = logMomentInteger(q, σ, int(α))
	} else {
		logA = logMomentReal(q, σ, α)
	}
	return (max(logA, 0) + rounding*q) / (α - 1)
}

// logMomentInteger is ln A(α) for an integer α ≥ 2, by the binomial sum
//
//	A = Σ_k C(α,k) (1-q)^(α-k) q^k exp((k²-k)/(2σ²))
//
// with the binomial theorem's 1 taken out of it, so that an A near 1, as tiny
// q have it, keeps all its digits.
func logMomentInteger(q, σ float64, α int) float64 {
	logQ, log1Q := math.Log(q), math.Log1p(-q)
	logC := math.Log(float64(α)) // ln C(α, k), from k = 1
	s := newLogSum()
	for k := 2; k <= α; k++ {
		logC += math.Log(float64(α-k+1) / float64(k))
		x := float64(k) * float64(k-1) / (2 * σ * σ)
		s.add(logC + float64(α-k)*log1Q + float64(k)*logQ + logExpm1(x))
	}
	return log1pExp(s.log())
}

// logMomentReal is ln A(α) for any real α > 1. Splitting the expectation at
// z = σ² ln(1/q - 1) + 1/2, where both parts of the mixture are equal, and
// expanding each half by the binomial series gives
//
//	A = Σ_k C(α,k) (1-q)^(α-k) q^k     exp((k²-k)/(2σ²)) Φc((k-z)/σ)
//	  + Σ_k C(α,k) (1-q)^k     q^(α-k) exp((j²-j)/(2σ²)) Φc((z-j)/σ),   j = α-k
//
// with Φc the normal upper tail. C(α,k) alternates in sign from k > α on; the
// signs matter, and dropping them overstates low orders up to forty-fold.
func logMomentReal(q, σ, α float64) float64 {
	logQ, log1Q := math.Log(q), math.Log1p(-q)
	z := σ*σ*(log1Q-logQ) + 0.5
	term := func(k int, logC float64) float64 {
		i, j := float64(k), α-float64(k)
		upper := j*log1Q + i*logQ + (i*i-i)/(2*σ*σ) + logNormalTail((i-z)/σ)
		lower := i*log1Q + j*logQ + (j*j-j)/(2*σ*σ) + logNormalTail((z-j)/σ)
		return logC + logAdd(upper, lower)
	}
	s := newLogSum()
	logC, k := 0.0, 0 // ln |C(α, k)|
	for ; float64(k) < α; k++ {
		s.add(term(k, logC))
		logC += math.Log((α - float64(k)) / float64(k+1))
	}
	s.add(logAlternating(func() float64 {
		t := term(k, logC)
		logC += math.Log((float64(k) - α) / float64(k+1))
		k++
		return t
	}))
	return s.log()
}

// logAlternating is ln(a_0 - a_1 + a_2 - …), where next returns ln a_k in turn,
// by the acceleration of Cohen, Rodriguez Villegas and Zagier (2000,
// Experimental Mathematics 9, Algorithm 1). The tails of both series above
// are moments of positive measures: |C(α,k)| is a Beta integral and the rest
// a Laplace transform in k. For those the relative error is at most
// 2·(3+√8)^-n, which is 1e-18 here.
func logAlternating(next func() float64) float64 {
	const n = 24
	d := math.Pow(3+math.Sqrt(8), n)
	d = (d + 1/d) / 2
	b, c, sum := -1.0, -d, 0.0
	first := next()
	for k := range n {
		a := 1.0
		if k > 0 {
			a = math.Exp(next() - first)
		}
		c = b - c
		sum += c * a
		x := float64(k)
		b *= (x + n) * (x - n) / ((x + 0.5) * (x + 1))
	}
	return first + math.Log(sum/d)
}
