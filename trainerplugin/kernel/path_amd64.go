package kernel

import (
	"slices"

	"golang.org/x/sys/cpu"
)

// An extension of the instruction set, by its name in the assembly's
// "Requires" lines, which tests compare with these. Package cpu says that the
// processor has one only if the operating system saves its registers.
type extension struct {
	name string
	have bool
}

var (
	needsAVX2   = []extension{{"AVX", cpu.X86.HasAVX}, {"AVX2", cpu.X86.HasAVX2}, {"FMA3", cpu.X86.HasFMA}}
	needsAVX512 = append(needsAVX2[:len(needsAVX2):len(needsAVX2)], extension{"AVX512F", cpu.X86.HasAVX512F})
)

func haveAll(needs []extension) bool {
	return !slices.ContainsFunc(needs, func(e extension) bool { return !e.have })
}

// assembled is the paths written in assembly that this processor runs, best
// first. The AVX-512 path differs from the AVX2 one in its tiles; the
// element-wise kernels wait for memory in either.
func assembled() []path {
	if !haveAll(needsAVX2) {
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

		windowMax:     windowMaxAVX2,
		windowMaxGrad: windowMaxGradAVX2,
		squareMax:     squareMaxAVX2,
		squareMaxGrad: squareMaxGradAVX2,

		reluSums:       reluSumsAVX2,
		reluAffine:     reluAffineAVX2,
		reluDots:       reluDotsAVX2,
		reluAffineGrad: reluAffineGradAVX2,
		filterSums:     filterSumsAVX2,
		laneScale:      laneScaleAVX2,

		shiftedSums:     shiftedSumsAVX2,
		standardise:     standardiseAVX2,
		standardiseGrad: standardiseGradAVX2,

		winogradInput:      winogradInputAVX2,
		winogradOutput:     winogradOutputAVX2,
		winogradOutputGrad: winogradOutputGradAVX2,
		winogradFilter:     filterAVX2,
		winogradFilterGrad: filterGradAVX2,
	}
	avx2.maps = [maps]func(to []float32, toRow, toColumn int, from []float32, fromRow, fromColumn, n int){
		polyphaseInputAVX2, polyphaseInputGradAVX2, polyphaseOutputAVX2, polyphaseOutputGradAVX2, polyphaseFilterAVX2, polyphaseFilterGradAVX2,
	}
	if !haveAll(needsAVX512) {
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

// rowsAVX2 is the most rows by one block that AVX2's 16 registers hold.
const rowsAVX2 = 6

var tilesAVX2 = [rowsAVX2]func(runs int, taps *int, n, depth int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, d *float32, dRow int){
	tileAVX2x1, tileAVX2x2, tileAVX2x3, tileAVX2x4, tileAVX2x5, tileAVX2x6,
}

func tileAVX2(t *Tile) {
	tileRowsAVX2(t, t.B0, t.C0, t.D0)
	if t.B1 != nil {
		tileRowsAVX2(t, t.B1, t.C1, t.D1)
	}
}

func tileRowsAVX2(t *Tile, b, c, d []float32) {
	r := 0
	for _, run := range t.cut(rowsAVX2) {
		if run.count > 0 {
			t.runAVX2(run, r, b, c, d)
			r += run.count * run.rows
		}
	}
}

// runAVX2 computes runs from row r on.
func (t *Tile) runAVX2(run runs, r int, b, c, d []float32) {
	taps, n := t.terms()
	tilesAVX2[run.rows-1](run.count, taps, n, t.Depth, first(t.A, r*t.ARow), t.ARow, t.AStep,
		first(b, 0), t.BStep, &c[r*t.CRow], t.CRow, &d[r*t.DRow], t.DRow)
}

// runs is count runs of rows each.
type runs struct{ rows, count int }

// cut divides the rows into runs of at most most, as few and as equal as can be:
// the multiply-adds of a short run wait for each other. There are one or two
// lengths of runs, and a call for each.
func (t *Tile) cut(most int) [2]runs {
	n := (t.Rows + most - 1) / most
	rows, longer := t.Rows/n, t.Rows%n
	return [2]runs{{rows + 1, longer}, {rows, n - longer}}
}

// rowsAVX512 is the most rows by two blocks that AVX-512's tiles take.
const rowsAVX512 = 8

var tilesAVX512x1 = [rowsAVX512]func(runs int, taps *int, n, depth int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, d *float32, dRow int){
	tileAVX512x1x1, tileAVX512x2x1, tileAVX512x3x1, tileAVX512x4x1,
	tileAVX512x5x1, tileAVX512x6x1, tileAVX512x7x1, tileAVX512x8x1,
}

var tilesAVX512x2 = [rowsAVX512]func(runs int, taps *int, n, depth int, a *float32, aRow, aStep int, b, b1 *float32, bStep int, c, c1 *float32, cRow int, d, d1 *float32, dRow int){
	tileAVX512x1x2, tileAVX512x2x2, tileAVX512x3x2, tileAVX512x4x2,
	tileAVX512x5x2, tileAVX512x6x2, tileAVX512x7x2, tileAVX512x8x2,
}

func tileAVX512(t *Tile) {
	r := 0
	for _, run := range t.cut(rowsAVX512) {
		if run.count > 0 {
			t.runAVX512(run, r)
			r += run.count * run.rows
		}
	}
}

// runAVX512 computes runs from row r on.
func (t *Tile) runAVX512(run runs, r int) {
	taps, n := t.terms()
	a := first(t.A, r*t.ARow)
	c, d := r*t.CRow, r*t.DRow
	if t.B1 == nil {
		tilesAVX512x1[run.rows-1](run.count, taps, n, t.Depth, a, t.ARow, t.AStep,
			first(t.B0, 0), t.BStep, &t.C0[c], t.CRow, &t.D0[d], t.DRow)
		return
	}
	tilesAVX512x2[run.rows-1](run.count, taps, n, t.Depth, a, t.ARow, t.AStep,
		first(t.B0, 0), first(t.B1, 0), t.BStep, &t.C0[c], &t.C1[c], t.CRow, &t.D0[d], &t.D1[d], t.DRow)
}

// filterAVX2 is winogradFilter: filters that are turned are read backwards.
func filterAVX2(u []float32, plane int, w []float32, n int, turned bool) {
	tap, stride := 0, n*Lanes
	if turned {
		tap, stride = 8*stride, -stride
	}
	winogradFilterAVX2(u, plane, first(w, tap), stride, n)
}

func filterGradAVX2(dw, u []float32, plane, n int, add bool) {
	if add {
		winogradFilterGradAddAVX2(dw, n*Lanes, u, plane, n)
	} else {
		winogradFilterGradAVX2(dw, n*Lanes, u, plane, n)
	}
}
