package model

import "math"

// What normaliser-free networks need of the reference.

func (t *tape64) scaledRelu(x *array, gain float64) *array {
	return t.each(x, func(v float64) float64 { return gain * max(v, 0) }, func(x, _ float64) float64 {
		if x > 0 {
			return gain
		}
		return 0
	})
}

func (t *tape64) selu(x *array) *array {
	const scale, alpha = 1.0507009873554805, 1.6732632423543772
	return t.each(x, func(v float64) float64 {
		if v > 0 {
			return scale * v
		}
		return scale * alpha * math.Expm1(v)
	}, func(x, _ float64) float64 {
		if x > 0 {
			return scale
		}
		return scale * alpha * math.Exp(x)
	})
}

// gelu is x·Φ(x); its derivative is Φ(x) + x·φ(x).
func (t *tape64) gelu(x *array, gain float64) *array {
	phi := func(v float64) float64 { return (1 + math.Erf(v/math.Sqrt2)) / 2 }
	return t.each(x, func(v float64) float64 { return gain * v * phi(v) }, func(x, _ float64) float64 {
		return gain * (phi(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
	})
}

// geluTanh differentiates x·(1 + tanh u)/2 with u = √(2/π)·(x + 0.044715·x³).
func (t *tape64) geluTanh(x *array, gain float64) *array {
	root := math.Sqrt(2 / math.Pi)
	u := func(v float64) float64 { return root * (v + 0.044715*math.Pow(v, 3)) }
	return t.each(x, func(v float64) float64 { return gain * v * (1 + math.Tanh(u(v))) / 2 }, func(x, _ float64) float64 {
		sech := 1 / math.Cosh(u(x))
		return gain * ((1+math.Tanh(u(x)))/2 + x/2*sech*sech*root*(1+3*0.044715*x*x))
	})
}

// scaled is x times a constant.
func (t *tape64) scaled(x *array, a float64) *array {
	return t.each(x, func(v float64) float64 { return a * v }, func(_, _ float64) float64 { return a })
}

// skipInit is shortcut + alpha·gain·branch, with the next weight as gain.
func (t *tape64) skipInit(shortcut, branch *array, alpha float64) *array {
	gain, dgain := t.next(1)
	y := newArray(branch.h, branch.w, branch.c)
	for i := range y.v {
		y.v[i] = shortcut.v[i] + alpha*gain[0]*branch.v[i]
	}
	t.back = append(t.back, func() {
		for i, g := range y.g {
			shortcut.g[i] += g
			branch.g[i] += alpha * gain[0] * g
			dgain[0] += alpha * branch.v[i] * g
		}
	})
	return y
}

// squeezeExcite is factor·x·σ(dense(relu(dense(mean of x)))).
func (t *tape64) squeezeExcite(x *array, hidden int, factor float64) *array {
	z := t.dense(t.relu(t.dense(t.average(x), hidden)), x.c)
	s := t.each(z, func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }, func(_, y float64) float64 { return y * (1 - y) })
	y := newArray(x.h, x.w, x.c)
	for i, v := range x.v {
		y.v[i] = factor * v * s.v[i%x.c]
	}
	t.back = append(t.back, func() {
		for i, g := range y.g {
			x.g[i] += factor * g * s.v[i%x.c]
			s.g[i%x.c] += factor * g * x.v[i]
		}
	})
	return y
}

// standardisedGrouped is standardised, where outputs see the inputs of their
// group alone: a convolution whose other weights are zero.
func (t *tape64) standardisedGrouped(x *array, f filter, groups int) *array {
	per := x.c / groups
	std, dstd := t.standardisedFilters(f.size*f.size*per, f.out)
	whole, dwhole := make([]float64, f.size*f.size*x.c*f.out), make([]float64, f.size*f.size*x.c*f.out)
	at := func(i int) int { // where weight i is in the whole
		o, c, k := i%f.out, i/f.out%per, i/f.out/per
		group := o / (f.out / groups)
		return (k*x.c+group*per+c)*f.out + o
	}
	for i, v := range std {
		whole[at(i)] = v
	}
	t.back = append(t.back, func() {
		for i := range dstd {
			dstd[i] += dwhole[at(i)]
		}
	})
	return t.conv(x, f, whole, dwhole)
}
