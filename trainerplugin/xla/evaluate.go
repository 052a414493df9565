package xla

import (
	"math"
	"slices"

	"sweep/trainerplugin/model"
)

// LowerEvaluate classifies all staged images, without augmentation. Its
// arguments are [Images], [Labels], [Table] where Pixels is U8, [Weights] and
// [Frozen] where something is; its results [Correct] and [LossSum]. Logits that
// are not numbers are a wrong answer.
func LowerEvaluate(c Config) (*Program, error) {
	c.Views, c.Augment = 1, ""
	return lower(c, 1, func(g *model.Graph) *Program {
		p := &Program{
			Name:    "evaluate",
			Args:    slices.Concat(c.stagedArgs(), weightArgs(g, false)),
			Results: []Spec{{Name: Correct, Element: I32}, {Name: LossSum, Element: F64}},
		}
		function(p, func(e *emitter, in map[string]value) map[string]value { return evaluate(e, c, g, in) })
		return p
	})
}

func evaluate(e *emitter, c Config, g *model.Graph, in map[string]value) map[string]value {
	b := &batch{config: c, graph: g, staged: stagedOf(in), params: prepare(e, c, g.Params, in[Weights], in[Frozen])}
	constants := b.staged.values()
	for _, p := range b.params {
		constants = append(constants, p.values()...)
	}
	state := []value{e.constant(I32, nil, 0), e.constant(I32, nil, 0), e.constant(F64, nil, 0)}
	state = e.while(state, constants,
		func(state []value) value { return e.compare("LT", state[0], e.like(state[0], float64(c.Images))) },
		func(state, vs []value) []value {
			inner := *b
			inner.staged, vs = b.staged.with(vs)
			inner.params = nil
			for _, p := range b.params {
				p, vs = p.with(vs)
				inner.params = append(inner.params, p)
			}
			correct, loss := inner.score(e, state[0])
			return []value{e.plus(state[0], float64(c.Microbatch)), e.add(state[1], correct), e.add(state[2], loss)}
		})
	return map[string]value{Correct: state[1], LossSum: state[2]}
}

// score classifies the images from place first on; places beyond the last do not
// count.
func (b *batch) score(e *emitter, first value) (correct, loss value) {
	c := b.config
	n := []int{c.Microbatch}
	places := e.add(e.iota(I32, n, 0), e.broadcast(first, n))
	last := e.like(places, float64(c.Images-1))
	counts := e.compare("LE", places, last)
	l := b.inputs(e, e.min(places, last))
	losses := e.convert(l.of(b.graph.Loss), F64)
	loss = e.total(sums, e.choose(counts, losses, e.like(losses, 0)))
	right := e.binary("and", counts, e.compare("EQ", firstGreatest(e, l.of(b.graph.Logits)), l.of(b.graph.Labels)))
	return e.total(sums, e.convert(right, I32)), loss
}

// firstGreatest is the place of the first greatest number of each row, I32
// [rows]. Numbers only count; where there are none it is -1.
func firstGreatest(e *emitter, v value) value {
	lowest := e.like(v, math.Inf(-1))
	v = e.choose(e.compare("EQ", v, v), v, lowest)
	top := e.reduce(maxima, v, 1)
	at := e.iota(I32, v.shape, 1)
	found := e.binary("and", e.compare("EQ", v, e.along(top, v, 0)), e.compare("GT", v, lowest))
	none := e.like(at, float64(v.shape[1]))
	first := e.reduce(reduction{"minimum", float64(v.shape[1])}, e.choose(found, at, none), 1)
	return e.choose(e.compare("LT", first, e.like(first, float64(v.shape[1]))), first, e.like(first, -1))
}
