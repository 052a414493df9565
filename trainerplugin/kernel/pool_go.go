package kernel

func windowMaxGo(y, x []float32, taps []int, step int) {
	for v := 0; v < len(y); v += Lanes {
		top := (*Vector)(y[v:])
		*top = Vector(x[v*step+taps[0]:])
		for _, tap := range taps[1:] {
			u := (*Vector)(x[v*step+tap:])
			for l := range u {
				if u[l] > top[l] {
					top[l] = u[l]
				}
			}
		}
	}
}

func windowMaxGradGo(dx, g, x, y []float32, places, taps []int, step int) {
	for v := 0; v < len(y); v += Lanes {
		left, top := Vector(g[v:]), (*Vector)(y[v:])
		for i, tap := range taps {
			d, u := (*Vector)(dx[v*step+places[i]:]), (*Vector)(x[v*step+tap:])
			for l := range d {
				if u[l] == top[l] {
					d[l] += left[l]
					left[l] = 0
				}
			}
		}
	}
}

func squareMaxGo(y []float32, yRow int, x []float32, xRow, rows, columns int) {
	taps := []int{0, xRow, Lanes, xRow + Lanes}
	for r := range rows {
		windowMaxGo(y[r*yRow:][:columns*Lanes], x[r*xRow:], taps, 1)
	}
}

func squareMaxGradGo(dx []float32, dxRow int, g []float32, gRow int, x []float32, xRow int, y []float32, yRow, rows, columns int) {
	places, taps := []int{0, Lanes, dxRow, dxRow + Lanes}, []int{0, Lanes, xRow, xRow + Lanes}
	for r := range rows {
		clear(dx[(r+1)*dxRow:][:(columns+1)*Lanes])
		windowMaxGradGo(dx[r*dxRow:], g[r*gRow:], x[r*xRow:], y[r*yRow:][:columns*Lanes], places, taps, 1)
	}
}
