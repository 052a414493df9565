package canary

import (
	"context"
	"slices"

	"sweep"
	"sweep/trainerplugin/dataset"
	"sweep/trainerplugin/dpsgd"
)

// absent is the label of a canary that is not in the training set.
const absent = -1

// data is the training set of a trial with parameters p as the loop sees it. Its
// View returns absent, or, given no image to write to, the label alone.
func (s *Set) data(p sweep.Params) dpsgd.Data {
	held := s.part.Part(p.EvaluatedOn())
	return dpsgd.Data{
		Digest: "audit", // kept nowhere; a digest of these examples would tell the coins
		View: func(step, i, k int, img []float32) int {
			return s.view(img, p.Augment, dataset.Draw{Key: p.Seed, Step: step, Example: i, View: k})
		},
		Held: dpsgd.Examples{Len: held.Len(), At: held.At},
	}
}

func (s *Set) view(img []float32, aug sweep.Augmentation, d dataset.Draw) (label int) {
	j := d.Example - s.first
	switch {
	case j >= 0 && !s.in[j]:
		return absent
	case j >= 0:
		s.draw(j, img, aug, d)
		return s.labels[j]
	case img == nil:
		return s.part.Train.Label(d.Example)
	}
	return s.part.Train.View(img, aug, d)
}

// draw writes a view of canary j into img, if there is one.
func (s *Set) draw(j int, img []float32, aug sweep.Augmentation, d dataset.Draw) {
	switch {
	case img == nil:
	case s.pixels == nil:
		s.part.Train.View(img, aug, d)
	default:
		set := s.part.Train.Set()
		n := set.PixelCount()
		set.DrawView(img, s.pixels[j*n:(j+1)*n], aug, d)
	}
}

// canaries are all canaries as one batch, whether they were trained on or not,
// without augmentation.
func (s *Set) canaries() dpsgd.Batch {
	return dpsgd.Batch{Len: len(s.in), Views: 1, View: func(j, _ int, img []float32) int {
		s.draw(j, img, "", dataset.Draw{Example: s.first + j})
		return s.labels[j]
	}}
}

// A witness is an engine that leaves absent canaries out of its sums and remembers
// the weights that it is shown.
type witness struct {
	dpsgd.Engine
	initial   []float32                                          // weights before the first update
	evaluated [][]float32                                        // weights that were evaluated
	each      func(ctx context.Context, weights []float32) error // is told of the weights before each update, unless nil
}

func (w *witness) ClippedSum(ctx context.Context, weights []float32, b dpsgd.Batch, clip float64, sum []float32) (dpsgd.GradStats, error) {
	if w.initial == nil {
		w.initial = slices.Clone(weights)
	}
	if w.each != nil {
		if err := w.each(ctx, weights); err != nil {
			return dpsgd.GradStats{}, err
		}
	}
	var there []int
	for i := range b.Len {
		if b.View(i, 0, nil) != absent {
			there = append(there, i)
		}
	}
	present := dpsgd.Batch{Len: len(there), Views: b.Views, View: func(i, k int, img []float32) int { return b.View(there[i], k, img) }}
	return w.Engine.ClippedSum(ctx, weights, present, clip, sum)
}

func (w *witness) Evaluate(ctx context.Context, weights []float32, e dpsgd.Examples) (dpsgd.Score, error) {
	w.evaluated = append(w.evaluated, slices.Clone(weights))
	return w.Engine.Evaluate(ctx, weights, e)
}
