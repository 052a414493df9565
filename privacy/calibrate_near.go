package privacy

import (
	"errors"
	"math"
)

// nearEpsilon is about the ε at which δ is e^logδ: two terms of the expansion at
// the saddle point (Daniels 1954, Ann. Math. Statist. 25, eq. 2.6) of the
// integrand of δ(ε), some 1e-5 off for hundreds of steps. It bounds nothing. c is
// the saddle point; from is one to start at, 0 if none is known.
func (d direction) nearEpsilon(logδ, from float64) (ε, c float64, err error) {
	if c = from; c == 0 {
		_, _, k2, err := d.cumulant(1)
		if err != nil {
			return 0, 0, err
		}
		c = math.Sqrt(-2 * logδ / k2)
	}
	for range 30 {
		k, err := d.moments(c)
		if err != nil {
			return 0, 0, err
		}
		a, b := 1/c, 1/(1+c)
		ε = k[1] - a - b
		f2, f3, f4 := k[2]+a*a+b*b, k[3]-2*(a*a*a+b*b*b), k[4]+6*(a*a*a*a+b*b*b*b)
		second := math.Tanh(f4/(8*f2*f2) - 5*f3*f3/(24*f2*f2*f2)) // small, but for a few steep steps, of which it says nothing
		above := logSaddle(c, k[0]-c*ε, k[2]) + second - logδ
		if math.Abs(above) < 1e-4 {
			return ε + above/c, c, nil // d ln δ/dε is -c
		}
		c *= math.Exp(max(-1, min(1, above/(c*c*f2))))
	}
	return 0, 0, ErrNotApplicable
}

// moments are K(c) and its first four derivatives.
func (d direction) moments(c float64) (k [5]float64, err error) {
	for _, s := range d {
		t, err := s.law.tilt(c, 0, rounded)
		if err != nil {
			return k, err
		}
		var third, fourth float64
		for i, w := range t.weights {
			l := t.losses[i] - t.mean
			third += w * l * l * l
			fourth += w * l * l * l * l
		}
		n := float64(s.times)
		for j, v := range []float64{t.k, t.mean, t.vari, third, fourth - 3*t.vari*t.vari} {
			k[j] += n * v
		}
	}
	return k, nil
}

// nearNoise is about the σ at which event costs the target, found from guess on,
// and d ln ε/d ln σ there. It knows only what [Exact], [Certified] and [PLD] answer.
// A guess that is far too large says nothing where losses are far from normal, so
// smaller ones follow.
func (c Calibration) nearNoise(event func(sigma float64) Event, guess float64) (σ, slope float64, ok bool) {
	for _, f := range []float64{1, 0.8, 0.65, 0.5} {
		if σ, slope, ok = c.nearNoiseFrom(event, max(f*guess, leastNoise)); ok {
			return σ, slope, true
		}
	}
	return 0, 0, false
}

func (c Calibration) nearNoiseFrom(event func(sigma float64) Event, guess float64) (σ, slope float64, ok bool) {
	switch {
	case c.Accountant != Certified && c.Accountant != Exact && c.Accountant != PLD, c.Target.Delta == 0:
		return 0, 0, false
	case c.Target.Check() != nil, c.question(event(guess)).check() != nil:
		return 0, 0, false
	}
	saddlePoint := 0.0
	excess := func(logσ float64) float64 {
		ds, err := directions(c.question(event(math.Exp(logσ))))
		if err != nil || len(ds) == 0 {
			return math.NaN()
		}
		ε, at, err := ds[0].nearEpsilon(math.Log(c.Target.Delta), saddlePoint)
		if err != nil { // one term says less, but is found more often
			at, ε, err = saddleFor(ds[0].cumulant, math.Log(c.Target.Delta))
		}
		if err != nil {
			return math.NaN()
		}
		saddlePoint = at
		return math.Log(ε / c.Target.Epsilon)
	}
	x := math.Log(guess)
	y := excess(x)
	slope = -1.5
	for range 20 {
		next := x - max(-1, min(1, y/slope))
		if !(next > math.Log(leastNoise) && next < math.Log(mostNoise)) {
			break
		}
		at := excess(next)
		if next != x {
			slope = (at - y) / (next - x)
		}
		if x, y = next, at; math.Abs(y) < 1e-9 {
			return math.Exp(x), slope, slope < 0
		}
	}
	return math.Exp(x), slope, math.Abs(y) < 0.02 && slope < 0
}

// quickNoise is [Calibration.NoiseOf] where ε is smooth in σ: from near, which
// [Calibration.nearNoise] has found, steps along the slope lead to the answer, or
// next to it. The answer itself is always priced. That the next smaller decimal
// costs too much is either priced or, where [Exact] priced two and the line through
// them meets the target well apart from it, read off that line, which is straight
// enough for that; see lineFor.
func (c Calibration) quickNoise(event func(sigma float64) Event, near, slope float64) (sigma float64, ok bool) {
	priced := map[int]float64{}
	smooth := c.Accountant != PLD // and none is known that [Exact] did not price
	price := func(i int) error {  // ln(cost/target) of a decimal
		ε, err := 0.0, ErrNotApplicable
		if smooth {
			ε, err = exactly(c.question(event(decimalAt(i))), c.Target.Delta)
		}
		if errors.Is(err, ErrNotApplicable) && c.Accountant != Exact {
			smooth = false
			ε, err = c.cost(event(decimalAt(i)))
		}
		if err == nil && !(ε > 0) {
			err = ErrNotApplicable
		}
		priced[i] = math.Log(ε / c.Target.Epsilon)
		return err
	}
	last := decimalIndex(near)
	before := last + lineFor // as yet there is no line
	if price(last) != nil {
		return 0, false
	}
	for range 8 {
		root := math.Exp(math.Log(decimalAt(last)) - priced[last]/slope)
		if !(root > leastNoise && root < mostNoise) {
			return 0, false
		}
		i := decimalIndex(root)
		if decimalAt(i) < root {
			i++
		}
		if y, known := priced[i]; known {
			below, known := priced[i-1]
			switch {
			case y > 0 || known && below <= 0:
				return 0, false
			case known, smooth && slope > steepest && max(last, before, i)-min(last, before, i) < lineFor && apart(root, i):
				return decimalAt(i), true
			}
			i--
		}
		if price(i) != nil {
			return 0, false
		}
		slope = (priced[i] - priced[last]) / (math.Log(decimalAt(i)) - math.Log(decimalAt(last)))
		before, last = last, i
	}
	return 0, false
}

// exactly is the ε of [Exact].
func exactly(q Question, delta float64) (float64, error) {
	p, err := newExact(q)
	if err != nil {
		return 0, err
	}
	return p.epsilon(delta)
}

// How many decimals apart two points may be, and how steep ln ε over ln σ between
// them, for the line through them to be taken for ε beside one of them. It errs
// there by half the product of both distances and of the curve's bend over its
// slope, which is a few units and, where the curve is steep, about the slope: with
// decimals 1e-6 of their value apart at most, by under a fortieth of one.
const (
	lineFor  = 5000
	steepest = -10
)

// apart reports whether root, at most decimal i, is well above the one before.
func apart(root float64, i int) bool {
	below := decimalAt(i - 1)
	return root > below+(decimalAt(i)-below)/20
}
