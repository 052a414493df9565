package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// planes walks the 16 planes of tiles with four pointers, one for each row of
// the 4×4 square.
type planes struct {
	rows           [4]reg.GPVirtual
	stride, triple reg.GPVirtual
}

func planesOf(slice, stride string) planes {
	p := planes{stride: inBytes(stride), triple: GP64()}
	LEAQ(Mem{Base: p.stride, Index: p.stride, Scale: 2}, p.triple)
	p.rows[0] = pointer(slice)
	for i := 1; i < 4; i++ {
		p.rows[i] = GP64()
		LEAQ(Mem{Base: p.rows[i-1], Index: p.stride, Scale: 4}, p.rows[i])
	}
	return p
}

// at is one half of the block of plane (i, j).
func (p planes) at(i, j, half int) Mem { return apart(p.rows[i], p.stride, p.triple, j, 32*half) }

// advance moves to the next block of every plane.
func (p planes) advance() { advance(p.rows[:]...) }

// advanceBy moves as many bytes on in every plane.
func (p planes) advanceBy(step reg.GPVirtual) {
	for _, row := range p.rows {
		ADDQ(step, row)
	}
}

// apart is the address j strides from base, for j up to 3.
func apart(base, stride, triple reg.GPVirtual, j, disp int) Mem {
	m := Mem{Base: base, Disp: disp}
	switch j {
	case 1, 2:
		m.Index, m.Scale = stride, uint8(j)
	case 3:
		m.Index, m.Scale = triple, 1
	}
	return m
}

// fresh returns n registers.
func fresh(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = YMM()
	}
	return v
}

func winograd() {
	winogradInput()
	winogradOutput()
	winogradOutputGrad()
	oneHalf := constant("oneHalf", 0.5)
	winogradFilter(oneHalf)
	winogradFilterGrad(oneHalf, "winogradFilterGradAVX2", "Sets dw to Gᵀ·u·G.", func(sum reg.VecVirtual, to Mem) { VMOVUPS(sum, to) })
	winogradFilterGrad(oneHalf, "winogradFilterGradAddAVX2", "Adds Gᵀ·u·G to dw.", func(sum reg.VecVirtual, to Mem) {
		VADDPS(to, sum, sum)
		VMOVUPS(sum, to)
	})
}

// winogradInput applies Bᵀ to the columns of a square, a row of the result at
// a time, and then to that row.
func winogradInput() {
	text("winogradInputAVX2", "func(v []float32, plane, step int, x []float32, row, tiles int)", "Bᵀ·x·B of a row of tiles.")
	to, step, x, row, triple := planesOf("v", "plane"), inBytes("step"), pointer("x"), inBytes("row"), GP64()
	LEAQ(Mem{Base: row, Index: row, Scale: 2}, triple)
	times(Load(Param("tiles"), GP64()), func() {
		eachHalf(func(half int) {
			for i := range 4 {
				c, sum := fresh(4), YMM()
				for j := range c {
					at := func(r int) Mem { return apart(x, row, triple, r, lanes*j+32*half) }
					switch i {
					case 0:
						VMOVUPS(at(0), c[j])
						VSUBPS(at(2), c[j], c[j])
					case 1:
						VMOVUPS(at(1), c[j])
						VADDPS(at(2), c[j], c[j])
					case 2:
						VMOVUPS(at(2), c[j])
						VSUBPS(at(1), c[j], c[j])
					case 3:
						VMOVUPS(at(1), c[j])
						VSUBPS(at(3), c[j], c[j])
					}
				}
				VSUBPS(c[2], c[0], c[0])
				VMOVUPS(c[0], to.at(i, 0, half))
				VADDPS(c[2], c[1], sum)
				VMOVUPS(sum, to.at(i, 1, half))
				VSUBPS(c[1], c[2], c[2])
				VMOVUPS(c[2], to.at(i, 2, half))
				VSUBPS(c[3], c[1], c[1])
				VMOVUPS(c[1], to.at(i, 3, half))
			}
		})
		ADDQ(Imm(2*lanes), x)
		to.advanceBy(step)
	})
	done()
}

func winogradOutput() {
	text("winogradOutputAVX2", "func(y []float32, row int, m []float32, plane, tiles int)", "Aᵀ·m·A of a row of tiles.")
	from, y, row := planesOf("m", "plane"), pointer("y"), inBytes("row")
	times(Load(Param("tiles"), GP64()), func() {
		eachHalf(func(half int) {
			top, bottom := fresh(4), fresh(4)
			for j := range 4 {
				second := YMM()
				VMOVUPS(from.at(1, j, half), bottom[j])
				VMOVUPS(from.at(2, j, half), second)
				VADDPS(second, bottom[j], top[j])
				VADDPS(from.at(0, j, half), top[j], top[j])
				VSUBPS(second, bottom[j], bottom[j])
				VSUBPS(from.at(3, j, half), bottom[j], bottom[j])
			}
			for i, t := range [][]reg.VecVirtual{top, bottom} {
				VADDPS(t[1], t[0], t[0])
				VADDPS(t[2], t[0], t[0])
				VMOVUPS(t[0], apart(y, row, row, i, 32*half))
				VSUBPS(t[2], t[1], t[1])
				VSUBPS(t[3], t[1], t[1])
				VMOVUPS(t[1], apart(y, row, row, i, lanes+32*half))
			}
		})
		ADDQ(Imm(2*lanes), y)
		from.advance()
	})
	done()
}

func winogradOutputGrad() {
	text("winogradOutputGradAVX2", "func(w []float32, plane int, dy []float32, row, tiles int)", "A·dy·Aᵀ of a row of tiles.")
	to, dy, row, none := planesOf("w", "plane"), pointer("dy"), inBytes("row"), zero()
	times(Load(Param("tiles"), GP64()), func() {
		eachHalf(func(half int) {
			var columns [2][]reg.VecVirtual
			for j := range columns {
				c := fresh(4)
				VMOVUPS(apart(dy, row, row, 0, lanes*j+32*half), c[0])
				VMOVUPS(apart(dy, row, row, 1, lanes*j+32*half), c[3])
				VADDPS(c[3], c[0], c[1])
				VSUBPS(c[3], c[0], c[2])
				VSUBPS(c[3], none, c[3])
				columns[j] = c
			}
			for i := range 4 {
				a, b, v := columns[0][i], columns[1][i], YMM()
				VMOVUPS(a, to.at(i, 0, half))
				VADDPS(b, a, v)
				VMOVUPS(v, to.at(i, 1, half))
				VSUBPS(b, a, a)
				VMOVUPS(a, to.at(i, 2, half))
				VSUBPS(b, none, b)
				VMOVUPS(b, to.at(i, 3, half))
			}
		})
		ADDQ(Imm(2*lanes), dy)
		to.advance()
	})
	done()
}

// taps is the nine places of a 3×3 filter.
type taps struct {
	rows   [3]reg.GPVirtual
	stride reg.GPVirtual
}

func tapsAt(first, stride reg.GPVirtual) taps {
	t := taps{stride: stride}
	t.rows[0] = first
	triple := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, triple)
	for i := 1; i < 3; i++ {
		t.rows[i] = GP64()
		LEAQ(Mem{Base: t.rows[i-1], Index: triple, Scale: 1}, t.rows[i])
	}
	return t
}

func (t taps) at(y, x, half int) Mem { return apart(t.rows[y], t.stride, t.stride, x, 32*half) }

func winogradFilter(oneHalf Mem) {
	text("winogradFilterAVX2", "func(u []float32, plane int, w *float32, stride, n int)", "G·w·Gᵀ of n blocks, whose nine taps are a stride apart.")
	to, first := planesOf("u", "plane"), Load(Param("w"), GP64()).(reg.GPVirtual)
	from := tapsAt(first, inBytes("stride"))
	factor := YMM()
	VMOVUPS(oneHalf, factor)
	times(Load(Param("n"), GP64()), func() {
		eachHalf(func(half int) {
			var columns [3][]reg.VecVirtual
			for x := range columns {
				load := fresh(3)
				for y, v := range load {
					VMOVUPS(from.at(y, x, half), v)
				}
				columns[x] = spread(load, factor)
			}
			for i := range 4 {
				r := spread([]reg.VecVirtual{columns[0][i], columns[1][i], columns[2][i]}, factor)
				for j, v := range r {
					VMOVUPS(v, to.at(i, j, half))
				}
			}
		})
		to.advance()
		advance(from.rows[:]...)
	})
	done()
}

// spread is G times three numbers, which it consumes: the first, half the sum
// of all, the same with the second's sign turned, the last.
func spread(v []reg.VecVirtual, factor reg.VecVirtual) []reg.VecVirtual {
	sum, difference := YMM(), YMM()
	VADDPS(v[2], v[0], sum)
	VSUBPS(v[1], sum, difference)
	VADDPS(v[1], sum, sum)
	VMULPS(factor, sum, sum)
	VMULPS(factor, difference, difference)
	return []reg.VecVirtual{v[0], sum, difference, v[2]}
}

func winogradFilterGrad(oneHalf Mem, name, doc string, put func(sum reg.VecVirtual, to Mem)) {
	text(name, "func(dw []float32, stride int, u []float32, plane, n int)", doc)
	from := planesOf("u", "plane")
	to := tapsAt(pointer("dw"), inBytes("stride"))
	factor := YMM()
	VMOVUPS(oneHalf, factor)
	times(Load(Param("n"), GP64()), func() {
		eachHalf(func(half int) {
			var columns [4][]reg.VecVirtual
			for j := range columns {
				load := fresh(4)
				for i, v := range load {
					VMOVUPS(from.at(i, j, half), v)
				}
				columns[j] = gather(load, factor)
			}
			for y := range 3 {
				r := gather([]reg.VecVirtual{columns[0][y], columns[1][y], columns[2][y], columns[3][y]}, factor)
				for x, v := range r {
					put(v, to.at(y, x, half))
				}
			}
		})
		from.advance()
		advance(to.rows[:]...)
	})
	done()
}

// gather is Gᵀ times four numbers, which it consumes.
func gather(v []reg.VecVirtual, factor reg.VecVirtual) []reg.VecVirtual {
	sum := YMM()
	VADDPS(v[2], v[1], sum)
	VSUBPS(v[2], v[1], v[1])
	VMULPS(factor, v[1], v[1])
	VFMADD231PS(factor, sum, v[0])
	VFMADD231PS(factor, sum, v[3])
	return []reg.VecVirtual{v[0], v[1], v[3]}
}
