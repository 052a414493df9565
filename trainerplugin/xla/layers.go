package xla

import (
	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/op"
)

// matrix is the activations of a layer side by side, F32 [images, features], by
// rows, pixels and channels.
func (l *lowering) matrix(n *G.Node) value {
	v := l.wide(l.of(n))
	return l.reshape(v, v.shape[0], v.len()/v.shape[0])
}

// dense: images, weights, bias → matrix.
func (l *lowering) dense(_ op.Description, in G.Nodes) value {
	x, w := l.operand(l.matrix(in[0])), l.param(in[1]).value
	y := l.dot(x, w, product{leftSum: []int{1}, rightSum: []int{0}}, l.config.exact())
	return l.add(y, l.along(l.param(in[2]).value, y, 1))
}

// denseInputGrad: dy, weights → images.
func (l *lowering) denseInputGrad(_ op.Description, in G.Nodes) value {
	dy, w := l.operand(l.matrix(in[0])), l.param(in[1]).value
	return l.dot(dy, w, product{leftSum: []int{1}, rightSum: []int{1}}, l.config.exact())
}

// denseWeightGrad: images, dy → per-example gradient. It is in float32 whatever
// the precision: beside convolutions it is little work.
func (l *lowering) denseWeightGrad(_ op.Description, in G.Nodes) gradient {
	views := func(v value) value { return l.reshape(v, l.config.Microbatch, l.config.Views, v.shape[1]) }
	g := &denseGrad{x: views(l.matrix(in[0])), dy: views(l.matrix(in[1]))}
	if l.config.Views > 1 {
		g.g = l.dot(g.x, g.dy, product{leftBatch: []int{0}, rightBatch: []int{0}, leftSum: []int{1}, rightSum: []int{1}}, true)
	}
	return g
}

// biasGrad: dy → per-example gradient.
func (l *lowering) biasGrad(_ op.Description, in G.Nodes) gradient {
	dy := l.wide(l.of(in[0]))
	if dy.rank() == 4 {
		dy = l.reduce(sums, dy, 1, 2)
	}
	return l.ofViews(dy)
}

// sum: images, images → images.
func (l *lowering) sum(_ op.Description, in G.Nodes) value {
	return l.add(l.wide(l.of(in[0])), l.wide(l.of(in[1])))
}

// mean: images → matrix.
func (l *lowering) mean(_ op.Description, in G.Nodes) value {
	x := l.wide(l.of(in[0]))
	if x.rank() == 2 {
		return x
	}
	return l.times(l.reduce(sums, x, 1, 2), 1/float64(x.shape[1]*x.shape[2]))
}

// meanGrad: dy → images.
func meanGrad(l *lowering, n *G.Node, _ op.Description, in G.Nodes) []value {
	dy, shape := l.of(in[0]), l.shape(n)
	if len(shape) == 2 {
		return []value{dy}
	}
	dy = l.times(dy, 1/float64(shape[1]*shape[2]))
	return []value{l.store(l.broadcast(dy, shape, 0, 3))}
}

// join: shortcut, branch, gain → images.
func (l *lowering) join(d op.Description, in G.Nodes) value {
	return l.add(l.wide(l.of(in[0])), l.gained(d, in[1], in[2]))
}

// joinBranchGrad: dy, gain → images.
func (l *lowering) joinBranchGrad(d op.Description, in G.Nodes) value {
	return l.gained(d, in[0], in[1])
}

// gained is alpha·gain·x.
func (l *lowering) gained(d op.Description, x, gain *G.Node) value {
	v := l.wide(l.of(x))
	a := l.times(l.reshape(l.param(gain).value), float64(d.Scale))
	return l.mul(v, l.along(a, v))
}

// joinGainGrad: branch, dy → per-example gradient, alpha·Σ branch·dy.
func (l *lowering) joinGainGrad(d op.Description, in G.Nodes) gradient {
	v := l.mul(l.matrix(in[0]), l.matrix(in[1]))
	v = l.times(l.reduce(sums, v, 1), float64(d.Scale))
	return l.ofViews(l.reshape(v, v.shape[0], 1))
}

// gate: images, gates → factor·x·σ(z), with one z for each channel.
func (l *lowering) gate(d op.Description, in G.Nodes) value {
	x, z := l.wide(l.of(in[0])), l.of(in[1])
	open := l.times(l.unary("logistic", z), float64(d.Scale))
	if x.rank() == 2 {
		return l.mul(x, open)
	}
	return l.mul(x, l.along(open, x, 0, 3))
}

// gateGrad: images, gates, dy → gradient of the gates, factor·σ'(z)·Σ x·dy.
func (l *lowering) gateGrad(d op.Description, in G.Nodes) value {
	x, z, dy := l.wide(l.of(in[0])), l.of(in[1]), l.wide(l.of(in[2]))
	products := l.mul(x, dy)
	if products.rank() == 4 {
		products = l.reduce(sums, products, 1, 2)
	}
	s := l.unary("logistic", z)
	slope := l.times(l.mul(s, l.sub(l.like(s, 1), s)), float64(d.Scale))
	return l.mul(slope, products)
}

// onehot is Bool [images, classes]: true at each label.
func (l *lowering) onehot(labels value, classes int) value {
	shape := []int{labels.shape[0], classes}
	return l.compare("EQ", l.broadcast(labels, shape, 0), l.iota(I32, shape, 1))
}

// logSumExp of each row of F64 [images, classes].
func (l *lowering) logSumExp(logits value) value {
	top := l.reduce(maxima, logits, 1)
	exp := l.unary("exponential", l.sub(logits, l.along(top, logits, 0)))
	return l.add(top, l.unary("log", l.reduce(sums, exp, 1)))
}

// crossEntropy: logits, labels → losses. It and its derivative are in float64:
// they are little work, and differences of numbers that are nearly equal.
func (l *lowering) crossEntropy(_ op.Description, in G.Nodes) value {
	logits := l.convert(l.of(in[0]), F64)
	at := l.onehot(l.of(in[1]), logits.shape[1])
	picked := l.reduce(sums, l.choose(at, logits, l.like(logits, 0)), 1)
	return l.convert(l.sub(l.logSumExp(logits), picked), F32)
}

// crossEntropyGrad: logits, labels, gradient of the losses → (softmax - onehot)·grad.
func (l *lowering) crossEntropyGrad(_ op.Description, in G.Nodes) value {
	logits := l.convert(l.of(in[0]), F64)
	at := l.onehot(l.of(in[1]), logits.shape[1])
	z := l.sub(logits, l.along(l.logSumExp(logits), logits, 0))
	p := l.choose(at, l.unary("exponential_minus_one", z), l.unary("exponential", z))
	grad := l.convert(l.of(in[2]), F64)
	return l.convert(l.mul(p, l.along(grad, p, 0)), F32)
}
