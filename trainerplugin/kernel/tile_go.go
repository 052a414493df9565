package kernel

// tileGo is Tile in plain Go: two rows by four columns at a time, so that the
// sums stay in registers.
func tileGo(t *Tile) {
	tileBlock(t, t.B0, t.C0, t.D0)
	if t.B1 != nil {
		tileBlock(t, t.B1, t.C1, t.D1)
	}
}

func tileBlock(t *Tile, b, c, d []float32) {
	for l := 0; l < Lanes; l += 4 {
		r := 0
		for ; r+2 <= t.Rows; r += 2 {
			tile2x4(t, r, b[l:], c[r*t.CRow+l:], d[r*t.DRow+l:])
		}
		if r < t.Rows {
			tile1x4(t, r, b[l:], c[r*t.CRow+l:], d[r*t.DRow+l:])
		}
	}
}

func tile2x4(t *Tile, row int, b, c, d []float32) {
	d1 := d[t.DRow : t.DRow+4]
	s0, s1, s2, s3 := d[0], d[1], d[2], d[3]
	u0, u1, u2, u3 := d1[0], d1[1], d1[2], d1[3]
	base, aStep, bStep := row*t.ARow, t.AStep, t.BStep
	for _, tap := range t.Taps.list {
		x, y := t.A[base+tap.A:], t.A[base+tap.A+t.ARow:]
		w := b[tap.B:]
		i, j := 0, 0
		for range t.Depth {
			p, q := x[i], y[i]
			v := (*[4]float32)(w[j:])
			s0 += p * v[0]
			s1 += p * v[1]
			s2 += p * v[2]
			s3 += p * v[3]
			u0 += q * v[0]
			u1 += q * v[1]
			u2 += q * v[2]
			u3 += q * v[3]
			i += aStep
			j += bStep
		}
	}
	c[0], c[1], c[2], c[3] = s0, s1, s2, s3
	c1 := c[t.CRow : t.CRow+4]
	c1[0], c1[1], c1[2], c1[3] = u0, u1, u2, u3
}

func tile1x4(t *Tile, row int, b, c, d []float32) {
	s0, s1, s2, s3 := d[0], d[1], d[2], d[3]
	base, aStep, bStep := row*t.ARow, t.AStep, t.BStep
	for _, tap := range t.Taps.list {
		x, w := t.A[base+tap.A:], b[tap.B:]
		i, j := 0, 0
		for range t.Depth {
			p := x[i]
			v := (*[4]float32)(w[j:])
			s0 += p * v[0]
			s1 += p * v[1]
			s2 += p * v[2]
			s3 += p * v[3]
			i += aStep
			j += bStep
		}
	}
	c[0], c[1], c[2], c[3] = s0, s1, s2, s3
}
