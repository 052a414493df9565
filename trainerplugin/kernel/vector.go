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

// WindowMax sets each block v of y to the greatest of the blocks of x that begin
// at v·step·Lanes plus one of the taps, lane by lane.
func WindowMax(y, x []float32, taps []int, step int) {
	window(len(y), len(x), taps, step)
	use.windowMax(y, x, taps, step)
}

// WindowMaxGrad hands g, the gradient of y as WindowMax made it of x, to dx: it
// adds each number to where the first of the greatest, in the order of taps,
// came from. Places are the taps of dx, which may lie otherwise than x.
func WindowMaxGrad(dx, g, x, y []float32, places, taps []int, step int) {
	whole(len(y), len(g))
	if len(places) != len(taps) {
		panic("kernel: lengths differ")
	}
	window(len(y), len(x), taps, step)
	window(len(y), len(dx), places, step)
	use.windowMaxGrad(dx, g, x, y, places, taps, step)
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

// window checks that an array of m floats holds the windows of n floats of
// results.
func window(n, m int, taps []int, step int) {
	whole(n)
	if step < 1 || len(taps) == 0 {
		panic("kernel: empty window")
	}
	for _, t := range taps {
		if n > 0 && (t < 0 || t+(n/Lanes-1)*step*Lanes+Lanes > m) {
			panic("kernel: window reaches outside its array")
		}
	}
}
