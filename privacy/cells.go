package privacy

import "math"

// A cell is a set of outputs whose losses lie between lo and hi. With its mass
// under P it keeps lift = ∫ p·(1 - exp(lo - L)), from which its mass under Q
// follows without cancellation: e^-lo·(mass - lift).
type cell struct {
	lo, hi float64
	mass   float64
	lift   float64
}

// merged is the loss of the cell if all its outputs are taken for one, which
// reveals less: ln of the ratio of its masses.
func (c cell) merged() float64 {
	return min(max(c.lo-math.Log1p(-c.lift/c.mass), c.lo), c.hi)
}

// tails is how many deviations from the outermost mean cells reach, so that
// the mass beyond is at most share on each side.
func tails(share float64) float64 {
	return math.Sqrt(2 * math.Log(1/max(share, 1e-300))) // Pr[N > x] ≤ exp(-x²/2)/2
}

// cells calls yield for cells that cover the outputs of p up to tails
// deviations, each at most width wide in loss (roughly) and short enough in x
// for the quadrature inside to be exact to rounding. What is left on the side of
// high losses has at most the mass of one normal tail.
func (p pair) cells(width, tails float64, yield func(cell)) {
	least, most := p.p.means()
	from, to := least-tails*p.σ, most+tails*p.σ
	widest := min(p.σ/8, p.σ*p.σ/(2*p.steepness()))
	dx, at := widest, p.loss(from)
	for x := from; x < to; {
		dx = min(dx, to-x)
		next := p.loss(x + dx)
		if gap := math.Abs(next - at); gap > 1.5*width {
			dx *= max(width/gap, 0.1)
			continue
		}
		if c := p.cell(x, dx, min(at, next), max(at, next)); c.mass > 0 {
			yield(c)
		}
		x += dx
		if gap := math.Abs(next - at); gap > 0 {
			dx *= min(width/gap, 2)
		} else {
			dx *= 2
		}
		dx, at = min(dx, widest), next
	}
}

// cell integrates over [x, x+dx] by Gauss and Legendre's rule, of three points
// where the cell is short and of five otherwise.
func (p pair) cell(x, dx, lo, hi float64) cell {
	c := cell{lo: lo, hi: hi}
	at, weight := fiveAt[:], fiveWeight[:]
	if dx < p.σ/100 {
		at, weight = threeAt[:], threeWeight[:]
	}
	scale := dx / (p.σ * math.Sqrt(2*math.Pi))
	for i, t := range at {
		y := x + dx*t
		ratio := p.p.logRatio(y, p.σ)
		loss := ratio
		if len(p.q) > 0 {
			loss -= p.q.logRatio(y, p.σ)
		}
		m := scale * weight[i] * math.Exp(ratio-y*y/(2*p.σ*p.σ))
		c.mass += m
		c.lift -= m * math.Expm1(lo-loss)
	}
	return c
}

// The rules of three and five points on [0, 1] (Abramowitz, Stegun 25.4.29).
var (
	threeAt     = [3]float64{0.1127016653792583, 0.5, 0.8872983346207417}
	threeWeight = [3]float64{5. / 18, 8. / 18, 5. / 18}
	fiveAt      = [5]float64{0.046910077030668004, 0.23076534494715845, 0.5, 0.76923465505284155, 0.953089922969332}
	fiveWeight  = [5]float64{0.11846344252809454, 0.23931433524968324, 0.28444444444444444, 0.23931433524968324, 0.11846344252809454}
)
