package kernel

import "golang.org/x/sys/cpu"

// assembled is the paths written in assembly that this processor runs, best
// first. The AVX-512 path differs from the AVX2 one in its tiles; the
// element-wise kernels wait for memory in either.
func assembled() []path {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return nil
	}
	avx2 := path{
		name:       "avx2",
		tile:       tileAVX2,
		axpy:       axpyAVX2,
		add:        addAVX2,
		sumSquares: sumSquaresAVX2,
		laneSums:   laneSumsAVX2,
		tanh:       tanhAVX2,
		tanhGrad:   tanhGradAVX2,
		maximum:    maximumAVX2,
		maxGrad:    maxGradAVX2,

		reluSums:       reluSumsAVX2,
		reluAffine:     reluAffineAVX2,
		reluDots:       reluDotsAVX2,
		reluAffineGrad: reluAffineGradAVX2,
		filterSums:     filterSumsAVX2,
	}
	if !cpu.X86.HasAVX512F {
		return []path{avx2}
	}
	avx512 := avx2
	avx512.name, avx512.tile = "avx512", tileAVX512
	return []path{avx512, avx2}
}

// first is the address of x's float i, which may be one past the last where
// nothing will be read.
func first(x []float32, i int) *float32 {
	if i >= len(x) {
		return nil
	}
	return &x[i]
}

func (t *Tile) terms() (taps *int, n int) {
	if len(t.Taps.list) == 0 {
		return nil, 0
	}
	return &t.Taps.list[0].A, len(t.Taps.list)
}

// tileAVX2 cuts t into four rows by one block: what AVX2's 16 registers hold.
func tileAVX2(t *Tile) {
	tileRowsAVX2(t, t.B0, t.C0, t.D0)
	if t.B1 != nil {
		tileRowsAVX2(t, t.B1, t.C1, t.D1)
	}
}

func tileRowsAVX2(t *Tile, b, c, d []float32) {
	taps, n := t.terms()
	for r := 0; r < t.Rows; r += 4 {
		a, c, d := first(t.A, r*t.ARow), &c[r*t.CRow], &d[r*t.DRow]
		kernel := tileAVX2x4
		switch t.Rows - r {
		case 1:
			kernel = tileAVX2x1
		case 2:
			kernel = tileAVX2x2
		case 3:
			kernel = tileAVX2x3
		}
		kernel(taps, n, t.Depth, a, t.ARow, t.AStep, first(b, 0), t.BStep, c, t.CRow, d, t.DRow)
	}
}

var tilesAVX512x1 = [MaxRows]func(taps *int, n, depth int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, d *float32, dRow int){
	tileAVX512x1x1, tileAVX512x2x1, tileAVX512x3x1, tileAVX512x4x1,
	tileAVX512x5x1, tileAVX512x6x1, tileAVX512x7x1, tileAVX512x8x1,
}

var tilesAVX512x2 = [MaxRows]func(taps *int, n, depth int, a *float32, aRow, aStep int, b, b1 *float32, bStep int, c, c1 *float32, cRow int, d, d1 *float32, dRow int){
	tileAVX512x1x2, tileAVX512x2x2, tileAVX512x3x2, tileAVX512x4x2,
	tileAVX512x5x2, tileAVX512x6x2, tileAVX512x7x2, tileAVX512x8x2,
}

func tileAVX512(t *Tile) {
	taps, n := t.terms()
	a := first(t.A, 0)
	if t.B1 == nil {
		tilesAVX512x1[t.Rows-1](taps, n, t.Depth, a, t.ARow, t.AStep,
			first(t.B0, 0), t.BStep, &t.C0[0], t.CRow, &t.D0[0], t.DRow)
		return
	}
	tilesAVX512x2[t.Rows-1](taps, n, t.Depth, a, t.ARow, t.AStep,
		first(t.B0, 0), first(t.B1, 0), t.BStep, &t.C0[0], &t.C1[0], t.CRow, &t.D0[0], &t.D1[0], t.DRow)
}
