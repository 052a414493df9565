package kernel

// The functions below take arrays of equal length, a multiple of Lanes, and
// panic otherwise. Arrays may be the same, but must not overlap otherwise.

// Axpy adds a·x to y.
func Axpy(y []float32, a float32, x []float32) {
	whole(len(y), len(x))
	use.axpy(y, a, x)
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

// Max raises each block v of y to block v·step of x, where that is greater.
func Max(y, x []float32, step int) {
	whole(len(y))
	strided(len(y), len(x), step)
	use.maximum(y, x, step)
}

// MaxGrad hands gradient from maxima to where they came from: wherever block
// v·step of x equals block v of y, it moves g's number to dx. Called on each
// place of a pooling window in turn, it gives the gradient to the first
// maximum.
func MaxGrad(dx, g, x, y []float32, step int) {
	whole(len(y), len(g))
	strided(len(y), len(x), step)
	strided(len(y), len(dx), step)
	use.maxGrad(dx, g, x, y, step)
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

func strided(n, m, step int) {
	if n > 0 && (step < 1 || m < (n/Lanes-1)*step*Lanes+Lanes) {
		panic("kernel: strided array too short")
	}
}
