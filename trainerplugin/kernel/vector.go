package kernel

// The functions below take arrays of equal length, a multiple of Lanes, and
// panic otherwise. Arrays may be the same, but must not overlap otherwise.

// Axpy adds a·x to y.
func Axpy(y []float32, a float32, x []float32) {
	whole(len(y), len(x))
	use.axpy(y, a, x)
}

// Scale sets y to a·x.
func Scale(y []float32, a float32, x []float32) {
	v := splat(a)
	defer splats.Put(v)
	LaneScale(y, x, v)
}

// Add sets y to a + b.
func Add(y, a, b []float32) {
	whole(len(y), len(a), len(b))
	use.add(y, a, b)
}

// SumSquares returns Σ x², summed in float64: its relative error is below
// len(x)·2⁻⁵³.
func SumSquares(x []float32) float64 {
	whole(len(x))
	return use.sumSquares(x)
}

// LaneSums adds to s[l] the sum of x[l], x[l+Lanes], ….
func LaneSums(s *Vector, x []float32) {
	whole(len(x))
	use.laneSums(s, x)
}

// Tanh sets y to tanh x, within 5e-7.
func Tanh(y, x []float32) {
	whole(len(y), len(x))
	use.tanh(y, x)
}

// TanhGrad sets dx to dy·(1 - y²), where y is tanh x.
func TanhGrad(dx, dy, y []float32) {
	whole(len(dx), len(dy), len(y))
	use.tanhGrad(dx, dy, y)
}

func whole(n int, others ...int) {
	if n%Lanes != 0 {
		panic("kernel: length is no multiple of Lanes")
	}
	for _, m := range others {
		if m != n {
			panic("kernel: lengths differ")
		}
	}
}
