package kernel

// The functions of this file are the linear maps of Winograd's convolution
// F(2×2, 3×3), which takes 16 products where the direct one takes 36 (Lavin
// and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section
// 4.1). A tile is 2×2 results, x the 4×4 pixels that they see and w a filter:
//
//	y = Aᵀ·[(G·w·Gᵀ) ⊙ (Bᵀ·x·B)]·A
//
//	     1  0 -1  0         1  0  0
//	Bᵀ = 0  1  1  0     G = ½  ½  ½     Aᵀ = 1  1  1  0
//	     0 -1  1  0         ½ -½  ½          0  1 -1 -1
//	     0  1  0 -1         0  0  1
//
// All work on blocks of Lanes channels at once, and on a row of tiles or
// several filters. The 4×4 numbers of a tile lie in 16 planes: number (i, j) of
// tile t begins at (4i+j)·plane + t·Lanes, or t·step where there is one. They
// panic where an array is too short.

// WinogradProducts is the number of planes.
const WinogradProducts = 16

// WinogradBias is the plane whose number adds to all results of a tile alike.
const WinogradBias = 5

// WinogradInput sets v to Bᵀ·x·B for tiles whose pixels begin at x and, for
// each tile after, two pixels on. Rows of pixels are row floats apart.
func WinogradInput(v []float32, plane, step int, x []float32, row, tiles int) {
	spans(len(v)-max(0, step)*(tiles-1), plane, WinogradProducts, 1)
	spans(len(v), step, tiles, 1)
	spans(len(x), row, 4, 2*tiles+2)
	use.winogradInput(v, plane, step, x, row, tiles)
}

// WinogradOutput sets y to Aᵀ·m·A: two rows of pixels, row floats apart.
func WinogradOutput(y []float32, row int, m []float32, plane, tiles int) {
	spans(len(m), plane, WinogradProducts, tiles)
	spans(len(y), row, 2, 2*tiles)
	use.winogradOutput(y, row, m, plane, tiles)
}

// WinogradOutputGrad sets w to A·dy·Aᵀ, the gradient of WinogradOutput's m.
func WinogradOutputGrad(w []float32, plane int, dy []float32, row, tiles int) {
	spans(len(w), plane, WinogradProducts, tiles)
	spans(len(dy), row, 2, 2*tiles)
	use.winogradOutputGrad(w, plane, dy, row, tiles)
}

// WinogradFilter sets u to G·w·Gᵀ for n filters: w is [3][3][n][Lanes]. If
// turned is true, each filter is turned by half a circle first, as the gradient
// of a convolution's input reads it.
func WinogradFilter(u []float32, plane int, w []float32, n int, turned bool) {
	spans(len(u), plane, WinogradProducts, n)
	spans(len(w), n*Lanes, 9, n)
	use.winogradFilter(u, plane, w, n, turned)
}

// WinogradFilterGrad sets dw to Gᵀ·u·G, the gradient of w given that of its
// transform, or adds it to dw.
func WinogradFilterGrad(dw, u []float32, plane, n int, add bool) {
	spans(len(u), plane, WinogradProducts, n)
	spans(len(dw), n*Lanes, 9, n)
	use.winogradFilterGrad(dw, u, plane, n, add)
}

// spans panics if an array of length n does not hold blocks blocks at each of
// count places that are stride apart.
func spans(n, stride, count, blocks int) {
	if stride < 0 || blocks < 0 || blocks > 0 && n < (count-1)*stride+blocks*Lanes {
		panic("kernel: tiles reach outside an array")
	}
}
