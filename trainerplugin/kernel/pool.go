package kernel

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

// SquareMax sets y, rows × columns blocks, to the greatest of each square of 2×2
// blocks of x, one block apart in either direction. Rows of an array are yRow and
// xRow floats apart.
func SquareMax(y []float32, yRow int, x []float32, xRow, rows, columns int) {
	rectangle(len(y), yRow, rows, columns)
	rectangle(len(x), xRow, rows+1, columns+1)
	use.squareMax(y, yRow, x, xRow, rows, columns)
}

// SquareMaxGrad sets dx, which has a row and a column more than y, to the gradient
// of the x that SquareMax made y of, given g, that of y. Each number goes to where
// the first of the greatest came from, by rows.
func SquareMaxGrad(dx []float32, dxRow int, g []float32, gRow int, x []float32, xRow int, y []float32, yRow, rows, columns int) {
	rectangle(len(dx), dxRow, rows+1, columns+1)
	rectangle(len(g), gRow, rows, columns)
	rectangle(len(x), xRow, rows+1, columns+1)
	rectangle(len(y), yRow, rows, columns)
	clear(dx[:(columns+1)*Lanes])
	use.squareMaxGrad(dx, dxRow, g, gRow, x, xRow, y, yRow, rows, columns)
}

// rectangle panics if an array of length n does not hold rows of blocks that are
// row floats apart, or if they overlap.
func rectangle(n, row, rows, columns int) {
	if rows < 1 || columns < 1 || row < columns*Lanes {
		panic("kernel: rectangle of impossible shape")
	}
	spans(n, row, rows, columns)
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
