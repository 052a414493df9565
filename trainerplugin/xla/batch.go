package xla

import (
	"math"

	"sweep"
	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
)

// A batch is the loop over the microbatches of one batch.
type batch struct {
	config Config
	graph  *model.Graph
	staged staged
	params []prepared

	indices, words, scalars value
	block                   []int // of each trained parameter: blocks are clipped apart
	blocks                  int
}

// A clippedSum is what it leaves.
type clippedSum struct {
	sums            []value // of each trained parameter, packed
	norms, losses   value   // F32 [capacity]
	clipped         value   // Bool [capacity]
	nonFinite, size value   // I32 []
}

func newBatch(c Config, g *model.Graph, in map[string]value, params []prepared) *batch {
	b := &batch{
		config: c, graph: g, staged: stagedOf(in), params: params,
		indices: in[Indices], words: in[Words], scalars: in[Scalars], blocks: 1,
	}
	var tensors []dpsgd.Tensor
	for _, p := range b.trained() {
		tensors = append(tensors, dpsgd.Tensor{Name: p.param.Tensors[0].Name})
	}
	b.block = make([]int, len(tensors))
	if c.Clipping == sweep.PerLayer {
		b.block, b.blocks = dpsgd.Layers(tensors)
	}
	return b
}

// trained are the parameters that have gradients.
func (b *batch) trained() []prepared {
	var out []prepared
	for _, p := range b.params {
		if !p.param.Frozen {
			out = append(out, p)
		}
	}
	return out
}

// constants are what the loop reads; enter is b inside it.
func (b *batch) constants() []value {
	vs := append(b.staged.values(), b.indices, b.words, b.scalars)
	for _, p := range b.params {
		vs = append(vs, p.values()...)
	}
	return vs
}

func (b *batch) enter(vs []value) *batch {
	inner := *b
	inner.staged, vs = b.staged.with(vs)
	inner.indices, inner.words, inner.scalars, vs = vs[0], vs[1], vs[2], vs[3:]
	inner.params = nil
	for _, p := range b.params {
		p, vs = p.with(vs)
		inner.params = append(inner.params, p)
	}
	return &inner
}

// run prints the loop: as many microbatches as the batch takes, none for an
// empty one.
func (b *batch) run(e *emitter) clippedSum {
	c := b.config
	places := []int{c.Capacity()}
	size := e.convert(e.at(b.words, wordCount), I32)
	state := []value{
		e.constant(I32, nil, 0), size, e.constant(I32, nil, 0),
		e.constant(F32, places, 0), e.constant(F32, places, 0), e.constant(Bool, places, 0),
	}
	fixed := len(state)
	for _, p := range b.trained() {
		state = append(state, e.constant(F32, p.packed(), 0))
	}
	state = e.while(state, b.constants(),
		func(state []value) value { return e.compare("LT", state[0], state[1]) },
		func(state, constants []value) []value {
			m := b.enter(constants).microbatch(e, state[0], state[1])
			next := []value{
				e.plus(state[0], float64(c.Microbatch)), state[1], e.add(state[2], m.nonFinite),
				e.put(state[3], m.norms, state[0]), e.put(state[4], m.losses, state[0]), e.put(state[5], m.clipped, state[0]),
			}
			for i, s := range m.sums {
				next = append(next, e.add(state[fixed+i], s))
			}
			return next
		})
	return clippedSum{sums: state[fixed:], size: state[1], nonFinite: state[2], norms: state[3], losses: state[4], clipped: state[5]}
}

// microbatch differentiates the examples from place first on and clips their
// gradients.
func (b *batch) microbatch(e *emitter, first, size value) clippedSum {
	c := b.config
	n := []int{c.Microbatch}
	inBatch := e.compare("LT", e.add(e.iota(I32, n, 0), e.broadcast(first, n)), e.broadcast(size, n))
	l := b.inputs(e, e.window(b.indices, first, c.Microbatch))
	losses := l.reshape(l.of(b.graph.Loss), c.Microbatch, c.Views)
	losses = e.times(e.reduce(sums, losses, 1), 1/float64(c.Views))

	var gradients []gradient
	squares := make([]value, b.blocks)
	for i, p := range b.trained() {
		g := l.gradient(b.graph.Grads[i])
		gradients = append(gradients, g)
		block := b.block[i]
		squares[block] = e.accumulate(squares[block], e.convert(g.squares(e, p), F64))
	}
	f := b.factors(e, squares)
	use := e.binary("and", inBatch, f.finite)
	out := clippedSum{
		norms:     e.choose(use, f.norm, e.like(f.norm, 0)),
		losses:    e.choose(inBatch, losses, e.like(losses, 0)),
		clipped:   e.binary("and", use, f.clipped),
		nonFinite: e.total(sums, e.convert(e.binary("and", inBatch, e.unary("not", f.finite)), I32)),
	}
	for i, g := range gradients {
		scale := f.scales[b.block[i]]
		out.sums = append(out.sums, g.weighted(e, e.choose(use, scale, e.like(scale, 0)), use))
	}
	return out
}

// inputs is a lowering whose graph has the views of the examples at the given
// places of the staged images.
func (b *batch) inputs(e *emitter, places value) *lowering {
	c := b.config
	l := newLowering(e, c, b.graph, b.params)
	images, labels := b.staged.pick(e, places)
	images = views(e, images, places, b.words, c.Views, c.Augment)
	l.done[b.graph.Images] = []value{l.store(images)}
	labels = e.broadcast(labels, []int{c.Microbatch, c.Views}, 0)
	l.done[b.graph.Labels] = []value{e.reshape(labels, c.Microbatch*c.Views)}
	l.done[b.graph.Weights] = []value{e.constant(F32, []int{c.Microbatch * c.Views}, 1/float64(c.Views))}
	return l
}

// factors are what the gradients of a microbatch are multiplied by.
type factors struct {
	norm    value   // F32 [examples]: of the whole gradient
	finite  value   // Bool [examples]
	clipped value   // Bool [examples]
	scales  []value // F32 [examples]: of each block
}

// normMargin is by how much norms are raised before gradients are divided by
// them: more than what float32 loses in sums of squares, which run over at most
// a few thousand numbers before they are joined. An example's part in the sum is
// so at most as long as promised.
const normMargin = 1 + 0x1p-17

// factors are those of [dpsgd.Clipping.Factors], of squared norms F64 [examples].
func (b *batch) factors(e *emitter, squares []value) factors {
	root := math.Sqrt(float64(len(squares)))
	clip := e.broadcast(e.at(b.scalars, scalarClip), squares[0].shape)
	one := e.like(clip, 1)
	var f factors
	var total value
	for _, s := range squares {
		total = e.accumulate(total, s)
		norm := e.unary("sqrt", s)
		raised := e.times(norm, normMargin)
		var factor, clipped value
		if b.config.Clipping == sweep.Automatic {
			factor = e.div(one, e.plus(raised, 0.01))
			clipped = e.constant(Bool, norm.shape, 1)
		} else {
			factor = e.min(e.div(one, clip), e.div(e.like(norm, 1/root), e.plus(raised, 1e-10)))
			clipped = e.compare("GT", norm, e.times(clip, 1/root))
		}
		f.scales = append(f.scales, e.convert(factor, F32))
		if f.clipped.id == "" {
			f.clipped = clipped
		} else {
			f.clipped = e.binary("or", f.clipped, clipped)
		}
	}
	f.norm = e.convert(e.unary("sqrt", total), F32)
	f.finite = e.isFinite(f.norm)
	return f
}

// flat is the sum of gradients with respect to the flat weights, F32 [P].
func (b *batch) flat(e *emitter, s clippedSum) value {
	var parts []value
	for i, p := range b.trained() {
		parts = append(parts, p.unpack(e, s.sums[i]))
	}
	return e.concat(0, parts...)
}
