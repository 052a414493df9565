package dataset

import (
	"math"
	"testing"
)

// A linear classifier must learn much and not all: glyphs are there to show
// what noise costs. (A convolutional network of 6,000 weights was measured at
// 98.4 % on 4,000 test images after 8 epochs of 40,000 images, and a linear one
// at 85.7 % after 8 epochs of 20,000.) The test is deterministic.
func TestGlyphsAreHardForLinearModels(t *testing.T) {
	s := glyphs(t, 3000, 1000)
	l := newSoftmax(s)
	for epoch := range 3 {
		l.epoch(0.004 / float64(1+epoch))
	}
	got := l.accuracy()
	t.Logf("linear softmax: %.1f %%", 100*got)
	if got < 0.65 || got > 0.92 {
		t.Errorf("linear softmax reaches %.1f %%, want 65 to 92", 100*got)
	}
}

// A softmax is multinomial logistic regression trained by stochastic gradient
// descent, one example at a time.
type softmax struct {
	set     *Set
	weights [][]float32 // by class; the last is the bias
	x       []float32
	p       []float64 // probability of each class for x
}

func newSoftmax(s *Set) *softmax {
	l := &softmax{set: s, x: make([]float32, s.PixelCount()+1), p: make([]float64, len(s.Classes))}
	for range s.Classes {
		l.weights = append(l.weights, make([]float32, len(l.x)))
	}
	l.x[len(l.x)-1] = 1
	return l
}

// predict fills l.p for image i of p and returns the likeliest class.
func (l *softmax) predict(p *Part, i int) int {
	l.set.plain(l.x, l.set.image(p, i))
	best := 0
	for c, w := range l.weights {
		var z float32
		for j, v := range w {
			z += v * l.x[j]
		}
		l.p[c] = float64(z)
		if l.p[c] > l.p[best] {
			best = c
		}
	}
	top, sum := l.p[best], 0.0
	for c := range l.p {
		l.p[c] = math.Exp(l.p[c] - top)
		sum += l.p[c]
	}
	for c := range l.p {
		l.p[c] /= sum
	}
	return best
}

func (l *softmax) epoch(rate float64) {
	for _, i := range permutation(l.set.Train.Len()) {
		l.predict(&l.set.Train, int(i))
		l.p[l.set.Train.Labels[i]]--
		for c, w := range l.weights {
			step := float32(rate * l.p[c])
			for j, v := range l.x {
				w[j] -= step * v
			}
		}
	}
}

func (l *softmax) accuracy() float64 {
	right := 0
	for i := range l.set.Test.Len() {
		if l.predict(&l.set.Test, i) == int(l.set.Test.Labels[i]) {
			right++
		}
	}
	return float64(right) / float64(l.set.Test.Len())
}
