package xla

import "sweep"

// update makes of the clipped sum, F32 [P], the trial's next state, as package
// dpsgd does on the CPU: for each weight j
//
//	G_j = (sum_j + σ·Δ·z_j) / B
//	w_j ← w_j - η_t·(d_j + λ·w_j),  d the optimiser's direction, for SGD G
//	ema_j ← μ_t·ema_j + (1-μ_t)·w_j
//
// in float64; weights and moments are then rounded to float32. diverged is Bool
// []: whether one of those is no longer finite.
func update(e *emitter, c Config, sum value, in map[string]value) (out map[string]value, diverged value) {
	n := sum.shape
	scalar := func(i int) value { return e.broadcast(e.at(in[Scalars], i), n) }
	z := normals(e, in[Words], n[0])
	g := e.div(e.add(e.convert(sum, F64), e.mul(scalar(scalarNoiseStd), z)), scalar(scalarBatch))

	direction, moments := c.direction(e, g, in, scalar)
	w := e.convert(in[Weights], F64)
	direction = e.add(direction, e.mul(scalar(scalarWeightDecay), w))
	weights := e.convert(e.sub(w, e.mul(scalar(scalarLearnRate), direction)), F32)
	decay := scalar(scalarEMA)
	average := e.add(e.mul(decay, in[Average]), e.mul(e.sub(e.like(decay, 1), decay), e.convert(weights, F64)))

	out = map[string]value{Weights: weights, Average: average}
	finite := e.total(all, e.isFinite(weights))
	for i, name := range c.moments() {
		out[name] = moments[i]
		finite = e.binary("and", finite, e.total(all, e.isFinite(moments[i])))
	}
	return out, e.unary("not", finite)
}

// direction is the optimiser's, F64, and its moments after the step, F32. See
// package dpsgd for the formulas and their sources.
func (c Config) direction(e *emitter, g value, in map[string]value, scalar func(int) value) (value, []value) {
	old := func(name string) value { return e.convert(in[name], F64) }
	round := func(v value) value { return e.convert(v, F32) }
	switch {
	case c.Optimizer == sweep.Adam:
		mix := func(beta, old, x value) value {
			return round(e.add(e.mul(beta, old), e.mul(e.sub(e.like(beta, 1), beta), x)))
		}
		m := mix(scalar(scalarBeta1), old(Moment0), g)
		v := mix(scalar(scalarBeta2), old(Moment1), e.mul(g, g))
		root := e.unary("sqrt", e.div(e.convert(v, F64), scalar(scalarShare2)))
		up := e.div(e.convert(m, F64), scalar(scalarShare1))
		return e.div(up, e.add(root, scalar(scalarAdamEps))), []value{m, v}
	case c.Momentum:
		v := round(e.add(e.mul(scalar(scalarMomentum), old(Moment0)), g))
		return e.convert(v, F64), []value{v}
	}
	return g, nil
}
