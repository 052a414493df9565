package privacy

import (
	"fmt"
	"math"
)

// outcomes is the loss of a mechanism with finitely many outcomes.
type outcomes []outcome

type outcome struct{ mass, loss float64 } // mass under P

// answers are the outcomes of one randomized response: with u = Random/k, the
// truth has the probability 1-Random+u, and each other option u.
func answers(e RandomizedResponse) outcomes {
	u := e.Random / float64(e.Options)
	most := math.Log1p((1 - e.Random) / u)
	o := outcomes{{1 - e.Random + u, most}, {u, -most}}
	if e.Options > 2 {
		o = append(o, outcome{float64(e.Options-2) * u, 0})
	}
	return o
}

func (o outcomes) cells(_, _ float64, yield func(cell)) {
	for _, x := range o {
		yield(cell{lo: x.loss, hi: x.loss, mass: x.mass})
	}
}

func (o outcomes) nodes([]node, float64, float64, float64) ([]node, error) {
	return nil, fmt.Errorf("%w: a loss with atoms has no decaying transform", ErrNotApplicable)
}

func (o outcomes) excess(ε float64) (δ, weighted float64) {
	for _, x := range o {
		if x.loss > ε {
			δ -= x.mass * math.Expm1(ε-x.loss)
			weighted += x.mass * math.Exp(ε-x.loss)
		}
	}
	return δ, weighted
}

func (o outcomes) most() float64 {
	top := math.Inf(-1)
	for _, x := range o {
		top = max(top, x.loss)
	}
	return top
}

func (o outcomes) near(float64) float64      { return o.most() / 2 }
func (o outcomes) gaussian() (float64, bool) { return 0, false }

// laplace is the loss of Laplace noise of scale b against the same shifted by
// 1: L(x) = (|x-1| - |x|)/b with x of density exp(-|x|/b)/(2b).
type laplace struct{ b float64 }

func (l laplace) cells(width, _ float64, yield func(cell)) {
	top := 1 / l.b
	yield(cell{lo: top, hi: top, mass: 0.5})
	yield(cell{lo: -top, hi: -top, mass: math.Exp(-top) / 2})
	n := math.Ceil(max(2*top/width, 16))
	for i := range int(n) {
		lo, hi := top*(1-2*float64(i+1)/n), top*(1-2*float64(i)/n)
		// In between, x = (1 - bL)/2 and the density of L is exp(-x/b)/4 = exp((L-top)/2)/4.
		half := (hi - lo) / 2
		mass := math.Exp((lo-top)/2) * math.Expm1(half) / 2
		yield(cell{lo: lo, hi: hi, mass: mass, lift: mass * -math.Expm1(-half)})
	}
}

func (l laplace) nodes([]node, float64, float64, float64) ([]node, error) {
	return outcomes(nil).nodes(nil, 0, 0, 0)
}

// excess follows from x < (1 - bε)/2 for losses above ε.
func (l laplace) excess(ε float64) (δ, weighted float64) {
	top := 1 / l.b
	switch {
	case ε >= top:
		return 0, 0
	case ε <= -top:
		return -math.Expm1(ε), math.Exp(ε)
	}
	return -math.Expm1((ε - top) / 2), math.Exp((ε-top)/2) / 2
}

func (l laplace) most() float64             { return 1 / l.b }
func (l laplace) near(float64) float64      { return 1 / l.b / 2 }
func (l laplace) gaussian() (float64, bool) { return 0, false }
