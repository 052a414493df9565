package xla

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// relu is max(x, 0) of stored activations, in float32.
func (l *lowering) relu(x value) value {
	x = l.wide(x)
	return l.max(x, l.like(x, 0))
}

// perGroup sums v, F32 [images, channels], over the channels of each group.
func (l *lowering) perGroup(v value, groups int) value {
	return l.reduce(sums, l.reshape(v, v.shape[0], groups, v.shape[1]/groups), 2)
}

// perChannel gives each channel its group's number, F32 [images, groups].
func (l *lowering) perChannel(v value, channels int) value {
	n, groups := v.shape[0], v.shape[1]
	return l.reshape(l.broadcast(v, []int{n, groups, channels / groups}, 0, 1), n, channels)
}

// moments: images → mean and 1/√(var + ε) of each group, F32 [images, groups].
func (l *lowering) moments(_ *G.Node, d op.Description, in G.Nodes) []value {
	r := l.relu(l.of(in[0]))
	count := float64(r.len() / r.shape[0] / d.Groups)
	mean := l.times(l.perGroup(l.reduce(sums, r, 1, 2), d.Groups), 1/count)
	square := l.times(l.perGroup(l.reduce(sums, l.mul(r, r), 1, 2), d.Groups), 1/count)
	variance := l.sub(square, l.mul(mean, mean))
	variance = l.max(variance, l.like(variance, 0))
	return []value{mean, l.unary("rsqrt", l.plus(variance, op.GroupNormEpsilon))}
}

// groupNorm: images, moments, scale, offset → images, as a·max(x, 0) + b.
func (l *lowering) groupNorm(_ op.Description, in G.Nodes) value {
	r, moments := l.relu(l.of(in[0])), l.all(in[1])
	channels := r.shape[3]
	mean, invStd := l.perChannel(moments[0], channels), l.perChannel(moments[1], channels)
	a := l.mul(invStd, l.along(l.param(in[2]).value, invStd, 1))
	b := l.sub(l.along(l.param(in[3]).value, a, 1), l.mul(mean, a))
	return l.add(l.mul(r, l.along(a, r, 0, 3)), l.along(b, r, 0, 3))
}

// groupNormSums: images, dy → Σ dy and Σ dy·max(x, 0) over the pixels of each
// channel, F32 [images, channels].
func (l *lowering) groupNormSums(_ *G.Node, _ op.Description, in G.Nodes) []value {
	r, dy := l.relu(l.of(in[0])), l.wide(l.of(in[1]))
	return []value{l.reduce(sums, dy, 1, 2), l.reduce(sums, l.mul(dy, r), 1, 2)}
}

// groupNormInputGrad: dy, images, moments, sums, scale → images. With
// r̂ = (r - mean)/std and averages over a group,
//
//	dr = (scale·dy - avg(scale·dy) - r̂·avg(scale·dy·r̂)) / std,  dx = dr where x > 0
func (l *lowering) groupNormInputGrad(d op.Description, in G.Nodes) value {
	dy, r, moments, dots := l.wide(l.of(in[0])), l.relu(l.of(in[1])), l.all(in[2]), l.all(in[3])
	channels := r.shape[3]
	mean, invStd := l.perChannel(moments[0], channels), l.perChannel(moments[1], channels)
	scale := l.along(l.param(in[4]).value, mean, 1)
	count := float64(r.len() / r.shape[0] / d.Groups)
	average := func(v value) value {
		return l.perChannel(l.times(l.perGroup(l.mul(scale, v), d.Groups), 1/count), channels)
	}
	avg, avgHat := average(dots[0]), average(l.scaleDots(moments, dots))
	dy = l.mul(dy, l.along(scale, dy, 0, 3))
	hat := l.mul(l.sub(r, l.along(mean, r, 0, 3)), l.along(invStd, r, 0, 3))
	dr := l.sub(l.sub(dy, l.along(avg, dy, 0, 3)), l.mul(hat, l.along(avgHat, hat, 0, 3)))
	dr = l.mul(dr, l.along(invStd, dr, 0, 3))
	return l.choose(l.compare("GT", r, l.like(r, 0)), dr, l.like(dr, 0))
}

// scaleDots is Σ dy·(r - mean)/std of each channel.
func (l *lowering) scaleDots(moments, dots []value) value {
	channels := dots[0].shape[1]
	mean, invStd := l.perChannel(moments[0], channels), l.perChannel(moments[1], channels)
	return l.mul(invStd, l.sub(dots[1], l.mul(mean, dots[0])))
}

// groupNormScaleGrad: moments, sums → per-example gradient.
func (l *lowering) groupNormScaleGrad(_ op.Description, in G.Nodes) gradient {
	return l.ofViews(l.scaleDots(l.all(in[0]), l.all(in[1])))
}

// groupNormOffsetGrad: sums → per-example gradient.
func (l *lowering) groupNormOffsetGrad(_ op.Description, in G.Nodes) gradient {
	return l.ofViews(l.all(in[0])[0])
}
