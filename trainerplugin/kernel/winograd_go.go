package kernel

// quad is one number of each row or column of a tile, for a block of channels.
type quad = [4]Vector

func winogradInputGo(v []float32, plane, step int, x []float32, row, tiles int) {
	var d, c [4]quad
	for t := range tiles {
		for i := range 4 {
			for j := range 4 {
				d[i][j] = Vector(x[i*row+(2*t+j)*Lanes:])
			}
		}
		for j := range 4 {
			for l := range Lanes {
				c[0][j][l] = d[0][j][l] - d[2][j][l]
				c[1][j][l] = d[1][j][l] + d[2][j][l]
				c[2][j][l] = d[2][j][l] - d[1][j][l]
				c[3][j][l] = d[1][j][l] - d[3][j][l]
			}
		}
		for i := range 4 {
			to := planesOf(v[t*step:], plane, i, 0)
			for l := range Lanes {
				to[0][l] = c[i][0][l] - c[i][2][l]
				to[1][l] = c[i][1][l] + c[i][2][l]
				to[2][l] = c[i][2][l] - c[i][1][l]
				to[3][l] = c[i][1][l] - c[i][3][l]
			}
		}
	}
}

// planesOf is row i of tile t's numbers.
func planesOf(v []float32, plane, i, t int) (row [4]*Vector) {
	for j := range row {
		row[j] = (*Vector)(v[(4*i+j)*plane+t*Lanes:])
	}
	return row
}

func winogradOutputGo(y []float32, row int, m []float32, plane, tiles int) {
	for t := range tiles {
		var r [2]quad
		var from [4][4]*Vector
		for i := range from {
			from[i] = planesOf(m, plane, i, t)
		}
		for j := range 4 {
			for l := range Lanes {
				a, b := from[1][j][l], from[2][j][l]
				r[0][j][l] = a + b + from[0][j][l]
				r[1][j][l] = a - b - from[3][j][l]
			}
		}
		for i := range r {
			y0, y1 := (*Vector)(y[i*row+2*t*Lanes:]), (*Vector)(y[i*row+(2*t+1)*Lanes:])
			for l := range Lanes {
				y0[l] = r[i][0][l] + r[i][1][l] + r[i][2][l]
				y1[l] = r[i][1][l] - r[i][2][l] - r[i][3][l]
			}
		}
	}
}

func winogradOutputGradGo(w []float32, plane int, dy []float32, row, tiles int) {
	for t := range tiles {
		var c [2]quad // columns
		for j := range c {
			top, bottom := (*Vector)(dy[(2*t+j)*Lanes:]), (*Vector)(dy[row+(2*t+j)*Lanes:])
			for l := range Lanes {
				a, b := top[l], bottom[l]
				c[j][0][l], c[j][1][l], c[j][2][l], c[j][3][l] = a, a+b, a-b, -b
			}
		}
		for i := range 4 {
			to := planesOf(w, plane, i, t)
			for l := range Lanes {
				a, b := c[0][i][l], c[1][i][l]
				to[0][l], to[1][l], to[2][l], to[3][l] = a, a+b, a-b, -b
			}
		}
	}
}

func winogradFilterGo(u []float32, plane int, w []float32, n int, turned bool) {
	tap := func(k, y, x int) *Vector {
		if turned {
			y, x = 2-y, 2-x
		}
		return (*Vector)(w[((3*y+x)*n+k)*Lanes:])
	}
	for k := range n {
		var c [4][3]Vector
		for x := range 3 {
			g0, g1, g2 := tap(k, 0, x), tap(k, 1, x), tap(k, 2, x)
			for l := range Lanes {
				c[0][x][l], c[1][x][l], c[2][x][l], c[3][x][l] = spread(g0[l], g1[l], g2[l])
			}
		}
		for i := range c {
			to := planesOf(u, plane, i, k)
			for l := range Lanes {
				to[0][l], to[1][l], to[2][l], to[3][l] = spread(c[i][0][l], c[i][1][l], c[i][2][l])
			}
		}
	}
}

// spread is G times three numbers.
func spread(a, b, c float32) (float32, float32, float32, float32) {
	return a, (a + c + b) / 2, (a + c - b) / 2, c
}

func winogradFilterGradGo(dw, u []float32, plane, n int, add bool) {
	for k := range n {
		var c [3]quad
		var from [4][4]*Vector
		for i := range from {
			from[i] = planesOf(u, plane, i, k)
		}
		for j := range 4 {
			for l := range Lanes {
				c[0][j][l], c[1][j][l], c[2][j][l] = gather(from[0][j][l], from[1][j][l], from[2][j][l], from[3][j][l])
			}
		}
		for y := range c {
			for l := range Lanes {
				var r [3]float32
				r[0], r[1], r[2] = gather(c[y][0][l], c[y][1][l], c[y][2][l], c[y][3][l])
				for x, v := range r {
					to := &dw[((3*y+x)*n+k)*Lanes+l]
					if add {
						v += *to
					}
					*to = v
				}
			}
		}
	}
}

// gather is Gᵀ times four numbers.
func gather(a, b, c, d float32) (float32, float32, float32) {
	return a + (b+c)/2, (b - c) / 2, (b+c)/2 + d
}
