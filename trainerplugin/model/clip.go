package model

import (
	"context"
	"fmt"
	"math"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/kernel"
)

// clipping is one call of SumClipped.
type clipping struct {
	engine *Engine
	batch  dpsgd.Batch
	by     dpsgd.Clipping
	block  []int // of each parameter's gradient: they are clipped by block
	blocks int
	order  *order

	chunkSize int            // examples
	sums      chan []float32 // packed sums that nobody uses
	total     []float32      // the packed sum of all chunks so far; nil before the first
	stats     dpsgd.GradStats
}

// A worker is one goroutine's part in it.
type worker struct {
	*machine
	sum            []float32   // of the chunk's examples so far
	empty          bool        // there were none, whatever sum holds
	norms, factors []float64   // of one example's blocks
	scales         [][]float32 // each block's factors, by example
}

func (c *clipping) newWorker(m *machine) *worker {
	w := &worker{machine: m, norms: make([]float64, c.blocks), factors: make([]float64, c.blocks)}
	for range c.blocks {
		w.scales = append(w.scales, make([]float32, m.Group.Examples))
	}
	return w
}

// work sums chunks until there are none. Whoever claims one holds a sum already,
// so that the first chunk that was not handed in is always being worked on.
func (c *clipping) work(ctx context.Context, w *worker) {
	for {
		select {
		case w.sum = <-c.sums:
		case <-c.order.failed:
			return
		}
		i, ok := c.order.claim()
		if !ok {
			c.sums <- w.sum
			return
		}
		w.empty = true
		nonFinite, err := c.chunk(ctx, w, i)
		if err != nil {
			c.order.fail(err)
			return
		}
		sum := w.sum
		c.order.commit(i, func() { c.use(sum, nonFinite) })
	}
}

// use adds the sum of a chunk to the total.
func (c *clipping) use(sum []float32, nonFinite int) {
	c.stats.NonFinite += nonFinite
	if c.total == nil {
		c.total = sum
		return
	}
	kernel.Axpy(c.total, 1, sum)
	c.sums <- sum
}

// chunk adds the clipped gradients of the chunk's examples to the worker's sum.
func (c *clipping) chunk(ctx context.Context, m *worker, chunk int) (nonFinite int, err error) {
	end := min((chunk+1)*c.chunkSize, c.batch.Len)
	for first := chunk * c.chunkSize; first < end; first += m.Group.Examples {
		n := min(m.Group.Examples, end-first)
		for view := 0; view < c.batch.Views; view += m.Group.Views {
			if ctx.Err() != nil {
				return 0, context.Cause(ctx)
			}
			if err := c.views(m.machine, first, n, view); err != nil {
				return 0, err
			}
		}
		bad, err := c.add(m, first, n)
		if err != nil {
			return 0, err
		}
		nonFinite += bad
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

// add clips the gradients of n examples, of which first is the first's number,
// and adds them to the worker's sum. It counts those that are not finite, which
// it leaves out.
func (c *clipping) add(w *worker, first, n int) (nonFinite int, err error) {
	for e := range n {
		if w.oneByOne {
			if err := w.gradient(e); err != nil {
				return 0, fmt.Errorf("differentiate %s: %w", c.engine.arch.name, err)
			}
		}
		norm, ok := c.measure(w, e)
		if !ok {
			nonFinite++
			clear(w.factors)
		} else {
			c.stats.Norms[first+e] = norm
			c.by.Factors(w.norms, w.factors)
			if c.stats.Clipped != nil {
				c.stats.Clipped[first+e] = c.by.Clipped(w.norms)
			}
		}
		for b, f := range w.factors {
			w.scales[b][e] = float32(f)
		}
		if w.oneByOne {
			c.addTo(w, e, e+1, func(i int) bool { return w.grads[i].Outer() == nil })
		}
	}
	c.addTo(w, 0, n, func(i int) bool { return !w.oneByOne || w.grads[i].Outer() != nil })
	w.empty = false
	return nonFinite, nil
}

// addTo adds to the worker's sum the gradients of examples first to end with
// respect to the parameters that are asked for.
func (c *clipping) addTo(w *worker, first, end int, asked func(param int) bool) {
	at := 0
	for i, p := range c.engine.params {
		if asked(i) {
			w.addTo(w.sum[at:][:p.Packed()], i, w.scales[c.block[i]][:end], first, w.empty && first == 0)
		}
		at += p.Packed()
	}
}

// measure finds the norms of the blocks of example e's gradient, and of the
// whole of it, or false if one of them is not finite.
func (c *clipping) measure(w *worker, e int) (norm float64, finite bool) {
	clear(w.norms)
	for i, p := range c.engine.params {
		w.norms[c.block[i]] += w.normSq(e, i, p, c.engine.packed[i])
	}
	square := 0.0
	for b, s := range w.norms {
		square += s
		w.norms[b] = math.Sqrt(s)
	}
	norm = math.Sqrt(square)
	return norm, !math.IsNaN(norm) && !math.IsInf(norm, 0)
}
