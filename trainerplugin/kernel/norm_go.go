package kernel

func reluSumsGo(s, q *Vector, x []float32) {
	for ; len(x) >= Lanes; x = x[Lanes:] {
		v := (*Vector)(x)
		for l := range v {
			r := max(v[l], 0)
			s[l] += r
			q[l] += r * r
		}
	}
}

func reluAffineGo(y, x []float32, a, b *Vector) {
	for ; len(y) >= Lanes; x, y = x[Lanes:], y[Lanes:] {
		v, to := (*Vector)(x), (*Vector)(y)
		for l := range v {
			to[l] = max(v[l], 0)*a[l] + b[l]
		}
	}
}

func reluDotsGo(s, d *Vector, g, x []float32) {
	for ; len(x) >= Lanes; x, g = x[Lanes:], g[Lanes:] {
		v, u := (*Vector)(x), (*Vector)(g)
		for l := range v {
			s[l] += u[l]
			d[l] += u[l] * max(v[l], 0)
		}
	}
}

func reluAffineGradGo(dx, g, x []float32, a, b, c *Vector) {
	for ; len(dx) >= Lanes; dx, g, x = dx[Lanes:], g[Lanes:], x[Lanes:] {
		to, u, v := (*Vector)(dx), (*Vector)(g), (*Vector)(x)
		for l := range v {
			if v[l] > 0 {
				to[l] = u[l]*a[l] + v[l]*b[l] + c[l]
			} else {
				to[l] = 0
			}
		}
	}
}

func filterSumsGo(s, q, d *Vector, g, w []float32) {
	for ; len(g) >= Lanes; g, w = g[Lanes:], w[Lanes:] {
		u, v := (*Vector)(g), (*Vector)(w)
		for l := range v {
			s[l] += u[l]
			q[l] += u[l] * u[l]
			d[l] += u[l] * v[l]
		}
	}
}

func laneScaleGo(y, x []float32, a *Vector) {
	for ; len(y) >= Lanes; x, y = x[Lanes:], y[Lanes:] {
		v, to := (*Vector)(x), (*Vector)(y)
		for l := range v {
			to[l] = v[l] * a[l]
		}
	}
}
