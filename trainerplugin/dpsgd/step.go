package dpsgd

import (
	"context"
	"fmt"
	"math"

	"sweep"
	"sweep/trainerplugin"
)

// update makes the next step.
func (l *loop) update(ctx context.Context) (trainerplugin.Progress, error) {
	p, t := l.job.Params, l.step+1
	members := poissonBatch(p.Data.Train, p.Batch, newGenerator(l.secret.key(forSampling, t)).words())
	if l.device != nil {
		return l.updateOn(ctx, t, members)
	}
	batch := Batch{Len: len(members), Views: max(1, p.AugMult), View: func(i, k int, img []float32) int {
		return l.data.View(t, members[i], k, img)
	}}
	clear(l.sum)
	c := Clipping{p.Clipping, p.Clip}
	stats, err := l.clippedSum(ctx, batch, c)
	if err != nil {
		return trainerplugin.Progress{}, fmt.Errorf("step %d: %w", t, err)
	}
	m := sumUp(stats, c).progress(batch.Len)
	u := newUpdate(p, t, l.job.Threads)
	m.Step, m.LearnRate, m.SignalToNoise = t, u.learnRate, noiseRatio(squares(l.sum), len(l.sum), u.noise)
	if !u.apply(l.sum, l.state, newGenerator(l.secret.key(forNoise, t))) {
		return m, fmt.Errorf("%w: step %d: %s", trainerplugin.ErrDiverged, t, firstNonFinite(l.engine.Tensors(), l.weights))
	}
	l.count(t, batch.Len, stats.NonFinite)
	m.NonFinite = l.nonFinite
	return m, nil
}

// count notes that step t is made, over a batch of the given size.
func (l *loop) count(t, batch, nonFinite int) {
	l.step = t
	l.nonFinite += int64(nonFinite)
	l.pace.steps++
	l.pace.views += batch * max(1, l.job.Params.AugMult)
}

// clippedSum adds the batch's clipped gradients to l.sum, which is zero.
func (l *loop) clippedSum(ctx context.Context, b Batch, c Clipping) (GradStats, error) {
	if c.Kind == sweep.Flat {
		return l.engine.ClippedSum(ctx, l.weights, b, c.Norm, l.sum)
	}
	return l.engine.(Clipper).SumClipped(ctx, l.weights, b, c, l.sum) // train has checked
}

// firstNonFinite names a weight that is not finite.
func firstNonFinite(tensors []Tensor, weights []float32) string {
	for _, t := range tensors {
		for i, w := range weights[:t.Size()] {
			if !isFinite(w) {
				return fmt.Sprintf("element %d of %s is %v; a smaller learning rate may help", i, t.Name, w)
			}
		}
		weights = weights[t.Size():]
	}
	return "the optimizer's memory of the gradients is not finite"
}

// evaluate measures both sets of weights on the held-out examples and reports it.
func (l *loop) evaluate(ctx context.Context) (trainerplugin.Evaluation, error) {
	ev, err := l.measure(ctx, l.job.Params.EvaluatedOn(), l.data.Held)
	if err != nil {
		return ev, err
	}
	return ev, l.report(ev)
}

// evaluateTest measures the test part too, where the job asks for it. It decides
// nothing, so that it cannot fail a trial that is trained.
func (l *loop) evaluateTest(ctx context.Context) error {
	if !l.job.EvaluateTest || l.data.Test.Len == 0 || l.job.Params.EvaluatedOn() == sweep.Test {
		return nil
	}
	ev, err := l.measure(ctx, sweep.Test, l.data.Test)
	switch {
	case cutShort(ctx, err):
		return err
	case err != nil:
		return l.report(trainerplugin.Note{Step: l.step, Text: fmt.Sprintf("its test figure is left out: %v", err)})
	}
	return l.report(ev)
}

// measure classifies held-out examples with both sets of weights.
func (l *loop) measure(ctx context.Context, on sweep.Split, held Examples) (trainerplugin.Evaluation, error) {
	if err := l.fetch(); err != nil {
		return trainerplugin.Evaluation{}, err
	}
	ev := trainerplugin.Evaluation{Step: l.step, Split: on, Examples: held.Len}
	last, err := l.engine.Evaluate(ctx, l.weights, held)
	if err != nil {
		return ev, fmt.Errorf("evaluate step %d: %w", l.step, err)
	}
	averaged, err := l.engine.Evaluate(ctx, l.averaged(), held)
	if err != nil {
		return ev, fmt.Errorf("evaluate step %d: %w", l.step, err)
	}
	ev.Accuracy = ratio(float64(averaged.Correct), held.Len)
	ev.LastAccuracy = ratio(float64(last.Correct), held.Len)
	ev.Loss = ratio(averaged.LossSum, held.Len)
	if math.IsNaN(ev.Loss) || math.IsInf(ev.Loss, 0) {
		return ev, fmt.Errorf("%w: step %d: loss on the %s split is %v", trainerplugin.ErrDiverged, l.step, ev.Split, ev.Loss)
	}
	return ev, nil
}
