package op

import "fmt"

// Padding says what a window does at the edge of an image.
type Padding int

const (
	// Valid keeps windows inside: the output has ⌊(n-k)/s⌋ + 1 places.
	Valid Padding = iota
	// Same pads with zeros as TensorFlow and JAX do, so that the output has
	// ⌈n/s⌉ places; an odd number of zeros has the larger half after the image.
	Same
)

// A Window is a square that moves over an image.
type Window struct {
	Size, Stride int
	Padding      Padding
}

// span is a window's movement along one side.
type span struct{ in, out, before, after int }

// along places w on a side of n pixels.
func (w Window) along(n int) (span, error) {
	if w.Size < 1 || w.Stride < 1 {
		return span{}, fmt.Errorf("window of size %d and stride %d", w.Size, w.Stride)
	}
	s := span{in: n, out: (n-w.Size)/w.Stride + 1}
	if w.Padding == Same {
		s.out = (n + w.Stride - 1) / w.Stride
		pad := max(0, (s.out-1)*w.Stride+w.Size-n)
		s.before, s.after = pad/2, pad-pad/2
	} else if w.Size > n {
		return span{}, fmt.Errorf("window of %d does not fit in %d pixels", w.Size, n)
	}
	return s, nil
}

// over places w on images of m's size.
func (w Window) over(m *image) (y, x span, err error) {
	if y, err = w.along(m.height); err == nil {
		x, err = w.along(m.width)
	}
	return y, x, err
}

// taps is which positions of a window of the given size and stride lie in the
// image for result i: from the first on, count of them.
func (s span) taps(i, size, stride int) (first, count int) {
	begin := i*stride - s.before
	first = max(0, -begin)
	return first, max(0, min(size, s.in-begin)-first)
}
