package model

import (
	"context"
	"fmt"
	"math"
	"sync"

	"sweep/trainerplugin/dpsgd"
)

// Evaluate classifies e's examples without augmentation; see [dpsgd.Engine].
// Logits that are not numbers are a wrong answer.
func (e *Engine) Evaluate(ctx context.Context, weights []float32, x dpsgd.Examples) (dpsgd.Score, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.pack(weights); err != nil {
		return dpsgd.Score{}, err
	}
	pieces := (x.Len + e.images - 1) / e.images
	ms, err := e.workers(shape{e.images, 1, true}, min(e.threads, pieces))
	if err != nil {
		return dpsgd.Score{}, err
	}
	var score dpsgd.Score
	o := newOrder(pieces)
	var wg sync.WaitGroup
	for _, m := range ms {
		wg.Go(func() {
			for {
				i, ok := o.claim()
				if !ok {
					return
				}
				s, err := e.score(ctx, m, x, i*e.images)
				if err != nil {
					o.fail(err)
					return
				}
				o.commit(i, func() {
					score.Correct += s.Correct
					score.LossSum += s.LossSum
				})
			}
		})
	}
	wg.Wait()
	if o.err != nil {
		e.machines = map[shape][]*machine{} // one of them may be left half-way
		return dpsgd.Score{}, o.err
	}
	return score, nil
}

// score classifies the examples that m takes at once, from first on.
func (e *Engine) score(ctx context.Context, m *machine, x dpsgd.Examples, first int) (dpsgd.Score, error) {
	if ctx.Err() != nil {
		return dpsgd.Score{}, context.Cause(ctx)
	}
	n := min(m.Group.Examples, x.Len-first)
	for i := range n {
		if err := m.put(i, func(img []float32) int { return x.At(first+i, img) }, e.in.Classes); err != nil {
			return dpsgd.Score{}, fmt.Errorf("example %d: %w", first+i, err)
		}
	}
	if err := m.classify(n); err != nil {
		return dpsgd.Score{}, fmt.Errorf("classify with %s: %w", e.arch.name, err)
	}
	var s dpsgd.Score
	for i := range n {
		s.LossSum += float64(m.loss.Row(i, 1)[0])
		if argmax(m.logits.Row(i, e.in.Classes)) == int(m.labels.Row(i, 1)[0]) {
			s.Correct++
		}
	}
	return s, nil
}

// argmax is the first greatest of x, or -1 if none is a number.
func argmax(x []float32) int {
	best, top := -1, math.Inf(-1)
	for i, v := range x {
		if float64(v) > top {
			best, top = i, float64(v)
		}
	}
	return best
}
