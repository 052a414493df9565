package privacy

import "math"

// losses is the privacy loss of one step between two neighbouring data sets, in
// one direction.
type losses interface {
	// cells calls yield for cells that cover the outputs up to so many normal
	// deviations, each about width wide in loss at most. Those left out on the
	// side of high losses have at most the mass of one normal tail.
	cells(width, deviations float64, yield func(cell))
	// nodes appends nodes of a quadrature under the tilt c, good up to frequency u,
	// that can be checked to e^-nats. The error wraps ErrNotApplicable where there is none.
	nodes(to []node, c, u, nats float64) ([]node, error)
	// excess is ∫ max(p - e^ε q, 0) and ∫ e^ε q over the outputs where that is
	// positive.
	excess(ε float64) (δ, weighted float64)
	// most is the supremum of the loss, +Inf if there is none.
	most() float64
	// near is a loss that is exceeded with about the probability delta.
	near(delta float64) float64
	// logMoment is ln E_P[exp(c·L)], c > 0.
	logMoment(c float64) float64
	// gaussian returns μ if the step is a plain Gaussian release.
	gaussian() (μ float64, ok bool)
}

// A law is the privacy loss of one step: a public coin chooses a branch, whose
// losses then decide. Most laws have one branch.
type law []branch

type branch struct {
	weight float64 // (0, 1]; all of a law sum to 1
	losses
}

// A spell is one law composed with itself.
type spell struct {
	law   law
	times int
}

// A direction is the composition of spells when the neighbours are taken in
// one order. A guarantee holds if it holds in every direction.
type direction []spell

// merged draws all Gaussian releases together into one, which is exact: those
// of μ1, μ2, … compose to √(μ1² + μ2² + …).
func (d direction) merged() direction {
	var out direction
	var μ2 float64
	for _, s := range d {
		if len(s.law) == 1 {
			if μ, ok := s.law[0].gaussian(); ok {
				μ2 += float64(s.times) * μ * μ
				continue
			}
		}
		out = append(out, s)
	}
	if μ2 > 0 {
		out = append(out, spell{law{{1, gaussianPair(math.Sqrt(μ2))}}, 1})
	}
	return out
}

// steps is the number of laws composed.
func (d direction) steps() float64 {
	var n float64
	for _, s := range d {
		n += float64(s.times)
	}
	return n
}

// variation bounds δ(0), the total variation distance, by the sum of the steps'.
func (d direction) variation() float64 {
	var sum float64
	for _, s := range d {
		one, _, _ := single{s.law}.delta(0)
		sum += float64(s.times) * one
	}
	return sum
}

// most is the supremum of the composed loss.
func (d direction) most() float64 {
	var sum float64
	for _, s := range d {
		top := math.Inf(-1)
		for _, b := range s.law {
			top = max(top, b.most())
		}
		sum += float64(s.times) * top
	}
	return sum
}

// cells is the law's cells, over all branches.
func (l law) cells(width, deviations float64, yield func(cell)) {
	for _, b := range l {
		b.cells(width, deviations, func(c cell) {
			c.mass *= b.weight
			c.lift *= b.weight
			yield(c)
		})
	}
}

// tilt is the loss at the tilt c ≥ 0, good for characteristic functions up to
// the frequency u that can be checked to e^-nats.
func (l law) tilt(c, u, nats float64) (tilt, error) {
	var nodes []node
	for _, b := range l {
		first := len(nodes)
		var err error
		if nodes, err = b.nodes(nodes, c, u, nats); err != nil {
			return tilt{}, err
		}
		for i := first; i < len(nodes); i++ {
			nodes[i].logMass += math.Log(b.weight)
		}
	}
	return summarize(nodes, c), nil
}
