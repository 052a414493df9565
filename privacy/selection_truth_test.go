package privacy

import (
	"math"
	"testing"
)

// A stopping is a law of the number of runs by its generating function
// E[z^K], the derivative of that, and its mean, from textbooks.
type stopping struct {
	count       RunCount
	shape       float64
	mean        func(γ float64) float64
	pgf, change func(γ, z float64) float64
}

var stoppings = []stopping{
	{Geometric, 0, func(γ float64) float64 { return 1 / γ },
		func(γ, z float64) float64 { return γ * z / (1 - (1-γ)*z) },
		func(γ, z float64) float64 { return γ / math.Pow(1-(1-γ)*z, 2) }},
	{Logarithmic, 0, func(γ float64) float64 { return (1 - γ) / (γ * -math.Log(γ)) },
		func(γ, z float64) float64 { return math.Log(1-(1-γ)*z) / math.Log(γ) },
		func(γ, z float64) float64 { return -(1 - γ) / (1 - (1-γ)*z) / math.Log(γ) }},
	negativeBinomial(2), negativeBinomial(-0.5), negativeBinomial(6),
	{Poisson, 0, func(γ float64) float64 { return γ },
		func(γ, z float64) float64 { return math.Exp(γ * (z - 1)) },
		func(γ, z float64) float64 { return γ * math.Exp(γ*(z-1)) }},
}

func negativeBinomial(η float64) stopping {
	return stopping{NegativeBinomial, η, func(γ float64) float64 { return η * (1 - γ) / (γ * (1 - math.Pow(γ, η))) },
		func(γ, z float64) float64 { return (math.Pow(1-(1-γ)*z, -η) - 1) / (math.Pow(γ, -η) - 1) },
		func(γ, z float64) float64 {
			return η * (1 - γ) * math.Pow(1-(1-γ)*z, -η-1) / (math.Pow(γ, -η) - 1)
		}}
}

// bestOf is the hockey-stick divergence between what two neighbours see of a
// selection: the largest of K draws of N(shift, σ²), each its own score, from the
// density K's generating function gives it, by the trapezoid rule. With no run at
// all nothing is released, on both sides alike.
func (s stopping) bestOf(γ, σ, ε float64) float64 {
	density := func(x, shift float64) float64 {
		u := (x - shift) / σ
		return s.change(γ, 0.5*math.Erfc(-u/math.Sqrt2)) * math.Exp(-u*u/2) / (σ * math.Sqrt(2*math.Pi))
	}
	const n = 8000
	var up, down float64
	low, high := -12*σ, 1+12*σ
	h := (high - low) / n
	for i := range n + 1 {
		x := low + h*float64(i)
		p, q := density(x, 1), density(x, 0)
		up += h * max(p-math.Exp(ε)*q, 0)
		down += h * max(q-math.Exp(ε)*p, 0)
	}
	return max(up, down)
}

// No price of a selection is below what one selection truly gives away: the best
// of a random number of Gaussian releases, which is known in closed form but for an
// integral. Nor is it far above: the theorems lose a factor, not orders.
func TestSelectionIsNotBelowTheTruth(t *testing.T) {
	for _, s := range stoppings {
		for _, mean := range []float64{3, 20} {
			lo, hi := 1e-9, 1.0 // γ, from the mean
			if s.count == Poisson {
				lo, hi = mean, mean
			}
			for range 200 {
				if mid := math.Sqrt(lo * hi); s.mean(mid) > mean {
					lo = mid
				} else {
					hi = mid
				}
			}
			if sum := s.pgf(hi, 1); math.Abs(sum-1) > 1e-9 || math.Abs(s.change(hi, 1)/mean-1) > 1e-6 {
				t.Fatalf("%s %v: probabilities add up to %v, mean %v", s.count, s.shape, sum, s.change(hi, 1))
			}
			for _, σ := range []float64{1, 4} {
				e := Select{Gaussian{σ, 1}, s.count, mean, s.shape}
				for _, ε := range []float64{0.5 / σ, 2 / σ, 6 / σ} {
					truth := s.bestOf(hi, σ, ε)
					for _, a := range []Accountant{Certified, RDP} {
						if δ, err := a.Delta(e, ε); err != nil || δ < truth*(1-1e-6) {
							t.Errorf("%s %v, mean %v, σ %v: δ(%v) = %v by %s, %v; the truth is %v", s.count, s.shape, mean, σ, ε, δ, a, err, truth)
						}
					}
				}
				ε, err := Certified.Epsilon(e, 1e-5)
				alone, err2 := Certified.Epsilon(e.Run, 1e-5)
				if got := s.bestOf(hi, σ, ε); err != nil || err2 != nil || got > 1e-5*(1+1e-6) || s.count != Poisson && ε > (2+max(s.shape, 0)+1)*1.5*alone {
					t.Errorf("%s %v, mean %v, σ %v: ε = %v, %v, where the truth is δ = %v; one run costs %v", s.count, s.shape, mean, σ, ε, err, got, alone)
				}
			}
		}
	}
}
