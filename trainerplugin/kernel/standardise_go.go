package kernel

func shiftedSumsGo(s, q *Wide, x []float32, shift *Vector) {
	for ; len(x) >= Lanes; x = x[Lanes:] {
		v := (*Vector)(x)
		for l := range v {
			d := float64(v[l]) - float64(shift[l])
			s[l] += d
			q[l] += d * d
		}
	}
}

func standardiseGo(unit, y, x []float32, mean, invStd, gain *Wide) {
	for ; len(x) >= Lanes; x, y, unit = x[Lanes:], y[Lanes:], unit[Lanes:] {
		v, to, u := (*Vector)(x), (*Vector)(y), (*Vector)(unit)
		for l := range v {
			d := (float64(v[l]) - mean[l]) * invStd[l]
			u[l], to[l] = float32(d), float32(d*gain[l])
		}
	}
}

func standardiseGradGo(dw, g, unit []float32, mean, along, scale *Wide) {
	for ; len(dw) >= Lanes; dw, g, unit = dw[Lanes:], g[Lanes:], unit[Lanes:] {
		to, v, u := (*Vector)(dw), (*Vector)(g), (*Vector)(unit)
		for l := range v {
			to[l] += float32(scale[l] * (float64(v[l]) - mean[l] - float64(u[l])*along[l]))
		}
	}
}
