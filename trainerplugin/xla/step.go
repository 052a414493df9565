package xla

import (
	"fmt"
	"slices"

	"sweep"
	"sweep/trainerplugin/model"
)

// checkStep says what is wrong with c besides what check does.
func (c Config) checkStep() error {
	augmentations := []sweep.Augmentation{"", sweep.Flip, sweep.Crop, sweep.CropFlip}
	clippings := []sweep.Clipping{sweep.Flat, sweep.Automatic, sweep.PerLayer}
	switch {
	case c.Views < 1:
		return fmt.Errorf("lower %s: %d views; there is at least 1 for each example", c.Model, c.Views)
	case !slices.Contains(augmentations, c.Augment):
		return fmt.Errorf("lower %s: augmentation %q; there are %q", c.Model, c.Augment, augmentations)
	case !slices.Contains(clippings, c.Clipping):
		return fmt.Errorf("lower %s: clipping %q; there are %q", c.Model, string(c.Clipping), clippings)
	case c.Optimizer != sweep.SGD && c.Optimizer != sweep.Adam:
		return fmt.Errorf("lower %s: optimizer %q; it is %q for SGD, or %q", c.Model, c.Optimizer, sweep.SGD, sweep.Adam)
	}
	return nil
}

// LowerStep is one update of private training, as [dpsgd.Train] defines it: the
// clipped sum of the batch's gradients, noise, the optimiser, the moving average.
// Its arguments are [Images], [Labels], [Table] where Pixels is U8, [Indices],
// [Words], [Scalars], [Weights], [Frozen] where something is, [Average], and the
// moments that the optimiser keeps; its results the state, which takes over the
// arguments' memory, and [Norms], [Losses], [Clipped] and [Report].
//
// An example whose gradient is not finite counts as zero. An empty batch is a
// step like any other.
func LowerStep(c Config) (*Program, error) {
	if err := c.checkStep(); err != nil {
		return nil, err
	}
	return lower(c, c.Views, func(g *model.Graph) *Program {
		n, _ := sizes(g)
		state := []Spec{{Name: Average, Element: F64, Shape: []int{n}, Alias: Average}}
		for _, m := range c.moments() {
			state = append(state, Spec{Name: m, Element: F32, Shape: []int{n}, Alias: m})
		}
		p := &Program{
			Name:    "step",
			Args:    slices.Concat(c.stagedArgs(), c.batchArgs(), weightArgs(g, true), state),
			Results: append(weightArgs(g, false)[:1], state...),
		}
		p.Results = append(p.Results, c.batchResults()...)
		for i := range p.Results {
			p.Results[i].Alias = ""
		}
		function(p, func(e *emitter, in map[string]value) map[string]value { return step(e, c, g, in) })
		return p
	})
}

// moments names what the optimiser keeps.
func (c Config) moments() []string {
	switch {
	case c.Optimizer == sweep.Adam:
		return []string{Moment0, Moment1}
	case c.Momentum:
		return []string{Moment0}
	}
	return nil
}

func step(e *emitter, c Config, g *model.Graph, in map[string]value) map[string]value {
	b := newBatch(c, g, in, prepare(e, c, g.Params, in[Weights], in[Frozen]))
	s := b.run(e)
	sum := b.flat(e, s)
	out, diverged := update(e, c, sum, in)
	b.report(e, s, sum, diverged, out)
	return out
}

// LowerGradients is the first half of a step: the clipped sum, [Sum], of the
// batch's gradients, with no noise, and [Norms], [Losses], [Clipped] and
// [Report]. Its arguments are those of [LowerStep] but for [Average] and moments.
func LowerGradients(c Config) (*Program, error) {
	if err := c.checkStep(); err != nil {
		return nil, err
	}
	return lower(c, c.Views, func(g *model.Graph) *Program { return gradientsOf(c, g) })
}

func gradientsOf(c Config, g *model.Graph) *Program {
	n, _ := sizes(g)
	p := &Program{
		Name:    "gradients",
		Args:    slices.Concat(c.stagedArgs(), c.batchArgs(), weightArgs(g, false)),
		Results: append([]Spec{{Name: Sum, Element: F32, Shape: []int{n}}}, c.batchResults()...),
	}
	function(p, func(e *emitter, in map[string]value) map[string]value {
		b := newBatch(c, g, in, prepare(e, c, g.Params, in[Weights], in[Frozen]))
		s := b.run(e)
		out := map[string]value{Sum: b.flat(e, s)}
		b.report(e, s, out[Sum], e.constant(Bool, nil, 0), out)
		return out
	})
	return p
}

// report adds to out what is said of the batch.
func (b *batch) report(e *emitter, s clippedSum, sum, diverged value, out map[string]value) {
	norms, losses := e.convert(s.norms, F64), e.convert(s.losses, F64)
	inBatch := e.compare("LT", e.iota(I32, losses.shape, 0), e.broadcast(s.size, losses.shape))
	finite := e.binary("and", inBatch, e.isFinite(losses))
	sum = e.convert(sum, F64)
	out[Norms], out[Losses], out[Clipped] = s.norms, s.losses, s.clipped
	out[Report] = e.stack(
		e.convert(s.nonFinite, F64),
		e.total(sums, norms),
		e.total(reduction{"maximum", 0}, norms),
		e.total(sums, e.convert(s.clipped, F64)),
		e.total(sums, e.choose(finite, losses, e.like(losses, 0))),
		e.total(sums, e.convert(finite, F64)),
		e.total(sums, e.mul(sum, sum)),
		e.convert(diverged, F64),
	)
}
