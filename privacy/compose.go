package privacy

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// A repeated is a lattice composed with itself.
type repeated struct {
	lattice
	times int
}

// logMoment is ln Σ mass·exp(c·loss), without what is at +∞.
func (l lattice) logMoment(c float64) float64 {
	top := math.Inf(-1)
	for i, m := range l.mass {
		if m > 0 {
			top = max(top, math.Log(m)+c*l.loss(i))
		}
	}
	if math.IsInf(top, -1) {
		return top
	}
	var sum float64
	for i, m := range l.mass {
		if m > 0 {
			sum += m * math.Exp(c*l.loss(i)-top)
		}
	}
	return top + math.Log(sum)
}

// A window is a composed privacy loss distribution from some loss upwards, with
// bounds on what the computation may have done to it.
type window struct {
	lattice
	above    []float64 // above[i] = Σ_{j≥i} mass[j]
	weighted []float64 // Σ_{j≥i} mass[j]·exp(loss(i) - loss(j)): the same under Q, but for e^loss(i)
	folded   float64   // at most what wrapping around added to δ
	missing  float64   // at most what lies above the window
	round    float64   // relative error by rounding
}

// compose returns the distribution of the sum of all parts' losses from the loss
// from upwards. Masses are first tilted by exp(c·loss), so that small δ keep
// their digits, and composed by one Fourier transform for each part on a circle of
// n points. Wrapping around can only add to δ, and by how much is bounded by
// Chernoff's inequality.
func compose(parts []repeated, c, from float64, n int) window {
	w := window{lattice: lattice{h: parts[0].h, mass: make([]float64, n)}}
	fft := fourier.NewFFT(n)
	product := make([]complex128, n/2+1)
	var k, steps float64
	for _, p := range parts {
		t := float64(p.times)
		m := p.logMoment(c)
		k, steps = k+t*m, steps+t
		w.infinite += t * p.infinite
		w.origin += t * p.origin
		for i, z := range fft.Coefficients(nil, p.folded(c, m, n)) {
			product[i] += complex(t*math.Log(math.Hypot(real(z), imag(z))), t*math.Atan2(imag(z), real(z)))
		}
	}
	w.first = int(math.Floor((from - w.origin) / w.h))
	for i, z := range product {
		if real(z) < -60 { // e^-60 of the whole is below rounding
			product[i] = 0
			continue
		}
		sin, cos := math.Sincos(imag(z))
		r := math.Exp(real(z)) / float64(n)
		product[i] = complex(r*cos, r*sin)
	}
	circle := fft.Sequence(nil, product)
	for i := range w.mass {
		at := mod(w.first+i, n)
		w.mass[i] = max(circle[at], 0) * math.Exp(k-c*w.loss(i))
	}
	w.round = 1e-15 * (steps + 100)
	w.bounds(parts, c, k)
	w.accumulate()
	return w
}

// folded is l tilted by c and divided by e^m, wrapped around n points.
func (l lattice) folded(c, m float64, n int) []float64 {
	out := make([]float64, n)
	for i, x := range l.mass {
		if x > 0 {
			out[mod(l.first+i, n)] += x * math.Exp(c*l.loss(i)-m)
		}
	}
	return out
}

// bounds sets how much of δ may come from outside the window. With D its
// width, a loss l+jD that was wrapped to l counts e^{cjD} times; the losses
// above from+jD weigh at most exp(K(b) - b(from+jD)) for any b.
func (w *window) bounds(parts []repeated, c, k float64) {
	from, D := w.loss(0), w.h*float64(len(w.mass))
	below := math.Exp(-c*D) / -math.Expm1(-c*D)
	above, missing := math.Inf(1), 1.0
	for _, f := range []float64{1.1, 1.25, 1.5, 2, 3} {
		b, at := c*f, 0.0
		for _, p := range parts {
			at += float64(p.times) * p.logMoment(b)
		}
		above = min(above, math.Exp(at-b*from-(b-c)*D)/-math.Expm1(-(b-c)*D))
		missing = min(missing, math.Exp(at-b*(from+D)))
	}
	w.folded = below + above
	w.missing = missing
}

func mod(i, n int) int { return ((i % n) + n) % n }

// accumulate fills above and weighted.
func (w *window) accumulate() {
	n := len(w.mass)
	w.above, w.weighted = make([]float64, n+1), make([]float64, n+1)
	step := math.Exp(-w.h)
	for i := n - 1; i >= 0; i-- {
		w.above[i] = w.above[i+1] + w.mass[i]
		w.weighted[i] = w.weighted[i+1]*step + w.mass[i]
	}
}

// sums are Σ mass and Σ mass·exp(ε - loss) over losses above ε, which must not
// lie below the window; their difference is δ(ε).
func (w window) sums(ε float64) (p, q float64) {
	i := int(math.Floor((ε-w.origin)/w.h)) + 1 - w.first
	i = min(max(i, 0), len(w.mass))
	return w.above[i], w.weighted[i] * math.Exp(ε-w.loss(i))
}

// upper is at least δ(ε) of a dominating composition.
func (w window) upper(ε float64) float64 {
	p, q := w.sums(ε)
	return max(p-q, 0) + w.round*p + w.missing + w.infinite
}

// lower is at most δ(ε) of a dominated composition.
func (w window) lower(ε float64) float64 {
	p, q := w.sums(ε)
	return max(p-q-w.round*p-w.folded, 0)
}
