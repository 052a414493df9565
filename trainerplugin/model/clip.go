package model

import (
	"context"
	"fmt"
	"math"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/kernel"
)

// clipping is one call of ClippedSum.
type clipping struct {
	engine *Engine
	batch  dpsgd.Batch
	clip   float64
	order  *order

	chunkSize int // examples
	stats     dpsgd.GradStats
}

// work sums chunks until there are none.
func (c *clipping) work(ctx context.Context, m *machine, sum []float32) {
	for {
		i, ok := c.order.claim()
		if !ok {
			return
		}
		clear(sum)
		nonFinite, err := c.chunk(ctx, m, i, sum)
		if err != nil {
			c.order.fail(err)
			return
		}
		c.order.commit(i, func() {
			kernel.Axpy(c.engine.total, 1, sum)
			c.stats.NonFinite += nonFinite
		})
	}
}

// chunk adds the clipped gradients of the chunk's examples to sum.
func (c *clipping) chunk(ctx context.Context, m *machine, chunk int, sum []float32) (nonFinite int, err error) {
	end := min((chunk+1)*c.chunkSize, c.batch.Len)
	for first := chunk * c.chunkSize; first < end; first += m.Group.Examples {
		n := min(m.Group.Examples, end-first)
		for view := 0; view < c.batch.Views; view += m.Group.Views {
			if ctx.Err() != nil {
				return 0, context.Cause(ctx)
			}
			if err := c.views(m, first, n, view); err != nil {
				return 0, err
			}
		}
		for e := range n {
			norm, ok := c.add(sum, m, e)
			c.stats.Norms[first+e] = norm
			if !ok {
				nonFinite++
			}
		}
	}
	return nonFinite, nil
}

// views differentiates some views of n examples, beginning with the given ones,
// and adds to what the views before gave.
func (c *clipping) views(m *machine, first, n, view int) error {
	share := 1 / float64(c.batch.Views)
	for e := range n {
		for v := range m.Group.Views {
			i := e*m.Group.Views + v
			at := func(img []float32) int { return c.batch.View(first+e, view+v, img) }
			if err := m.put(i, at, c.engine.in.Classes); err != nil {
				return fmt.Errorf("example %d of the batch: %w", first+e, err)
			}
			m.weights.Row(i, 1)[0] = float32(share)
		}
	}
	if err := m.differentiate(n, view > 0); err != nil {
		return fmt.Errorf("differentiate %s: %w", c.engine.arch.name, err)
	}
	for e := range n {
		for v := range m.Group.Views {
			c.stats.Losses[first+e] += float64(m.loss.Row(e*m.Group.Views+v, 1)[0]) * share
		}
	}
	return nil
}

// add clips the gradient of m's example e and adds it to sum. It returns the
// norm before clipping, or 0 and false if that is not finite.
func (c *clipping) add(sum []float32, m *machine, e int) (norm float64, ok bool) {
	g := m.example(e)
	square, at := 0.0, 0
	for i, p := range c.engine.params {
		square += p.NormSq(c.engine.packed[i], g[at:][:p.Packed()])
		at += p.Packed()
	}
	norm = math.Sqrt(square)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return 0, false
	}
	kernel.Axpy(sum, float32(min(1/c.clip, 1/(norm+1e-10))), g)
	return norm, true
}
