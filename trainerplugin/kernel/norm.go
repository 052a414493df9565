package kernel

// The functions of this file serve normalisation: of activations by group,
// after a ReLU, and of filters. A Vector holds one number per channel of a
// block; relu x is max(x, 0).

// A Vector is one number for each channel of a block.
type Vector = [Lanes]float32

// ReluSums adds to s the sums of relu x, and to q those of its squares, by
// channel.
func ReluSums(s, q *Vector, x []float32) {
	whole(len(x))
	use.reluSums(s, q, x)
}

// ReluAffine sets y to a·relu x + b.
func ReluAffine(y, x []float32, a, b *Vector) {
	whole(len(y), len(x))
	use.reluAffine(y, x, a, b)
}

// ReluDots adds to s the sums of g, and to d those of g·relu x, by channel.
func ReluDots(s, d *Vector, g, x []float32) {
	whole(len(g), len(x))
	use.reluDots(s, d, g, x)
}

// ReluAffineGrad sets dx to a·g + b·x + c where x is positive, and to 0
// elsewhere.
func ReluAffineGrad(dx, g, x []float32, a, b, c *Vector) {
	whole(len(dx), len(g), len(x))
	use.reluAffineGrad(dx, g, x, a, b, c)
}

// FilterSums adds to s, q and d the sums of g, g² and g·w, by channel.
func FilterSums(s, q, d *Vector, g, w []float32) {
	whole(len(g), len(w))
	use.filterSums(s, q, d, g, w)
}

// LaneScale sets y to a·x.
func LaneScale(y, x []float32, a *Vector) {
	whole(len(y), len(x))
	use.laneScale(y, x, a)
}
