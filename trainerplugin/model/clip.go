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
		nonFinite += c.add(sum, m, first, n)
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

// add clips the gradients of m's n examples, of which first is the first's
// number, and adds them to sum. It counts those that are not finite, which it
// leaves out.
func (c *clipping) add(sum []float32, m *machine, first, n int) (nonFinite int) {
	scales := m.scales[:n]
	for e := range scales {
		square := 0.0
		for i, p := range c.engine.params {
			square += m.normSq(e, i, p, c.engine.packed[i])
		}
		scales[e] = 0
		if norm := math.Sqrt(square); math.IsNaN(norm) || math.IsInf(norm, 0) {
			nonFinite++
		} else {
			c.stats.Norms[first+e] = norm
			scales[e] = float32(min(1/c.clip, 1/(norm+1e-10)))
		}
	}
	at := 0
	for i, p := range c.engine.params {
		m.addTo(sum[at:][:p.Packed()], i, scales)
		at += p.Packed()
	}
	return nonFinite
}
