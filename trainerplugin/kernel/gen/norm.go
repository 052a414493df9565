package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A vector is one number for each channel of a block, in two registers.
type vector struct {
	at   reg.GPVirtual
	regs [2]reg.VecVirtual
}

// vectorOf loads the named parameter.
func vectorOf(name string) vector {
	v := vector{at: Load(Param(name), GP64()).(reg.GPVirtual)}
	eachHalf(func(i int) {
		v.regs[i] = YMM()
		VMOVUPS(half(v.at, i), v.regs[i])
	})
	return v
}

func (v vector) store() {
	eachHalf(func(i int) { VMOVUPS(v.regs[i], half(v.at, i)) })
}

func zero() reg.VecVirtual {
	z := YMM()
	VXORPS(z, z, z)
	return z
}

// relu loads max(x, 0). Max returns its second source where either is not a
// number: x must be it, so that what is no number stays visible.
func relu(x Mem, zero reg.VecVirtual) reg.VecVirtual {
	v := YMM()
	VMOVUPS(x, v)
	VMAXPS(v, zero, v)
	return v
}

func normalisation() {
	text("reluSumsAVX2", "func(s, q *[16]float32, x []float32)", "Adds the sums of relu x and of its squares.")
	s, q, x, none := vectorOf("s"), vectorOf("q"), pointer("x"), zero()
	blocks("x", func() {
		eachHalf(func(i int) {
			v := relu(half(x, i), none)
			VADDPS(v, s.regs[i], s.regs[i])
			VFMADD231PS(v, v, q.regs[i])
		})
		advance(x)
	})
	s.store()
	q.store()
	done()

	text("reluAffineAVX2", "func(y, x []float32, a, b *[16]float32)", "y = a·relu x + b.")
	y, from, a, b, none := pointer("y"), pointer("x"), vectorOf("a"), vectorOf("b"), zero()
	blocks("y", func() {
		eachHalf(func(i int) {
			v := relu(half(from, i), none)
			VFMADD213PS(b.regs[i], a.regs[i], v)
			VMOVUPS(v, half(y, i))
		})
		advance(y, from)
	})
	done()

	text("laneScaleAVX2", "func(y, x []float32, a *[16]float32)", "y = a·x.")
	y, from, a = pointer("y"), pointer("x"), vectorOf("a")
	blocks("y", func() {
		eachHalf(func(i int) {
			v := YMM()
			VMULPS(half(from, i), a.regs[i], v)
			VMOVUPS(v, half(y, i))
		})
		advance(y, from)
	})
	done()

	text("filterSumsAVX2", "func(s, q, d *[16]float32, g, w []float32)", "Adds the sums of g, g² and g·w.")
	s, q, d, g, w := vectorOf("s"), vectorOf("q"), vectorOf("d"), pointer("g"), pointer("w")
	blocks("g", func() {
		eachHalf(func(i int) {
			v := YMM()
			VMOVUPS(half(g, i), v)
			VADDPS(v, s.regs[i], s.regs[i])
			VFMADD231PS(v, v, q.regs[i])
			VFMADD231PS(half(w, i), v, d.regs[i])
		})
		advance(g, w)
	})
	s.store()
	q.store()
	d.store()
	done()
}

func normalisationGrad() {
	text("reluDotsAVX2", "func(s, d *[16]float32, g, x []float32)", "Adds the sums of g and of g·relu x.")
	s, d, g, x, none := vectorOf("s"), vectorOf("d"), pointer("g"), pointer("x"), zero()
	blocks("x", func() {
		eachHalf(func(i int) {
			u, v := YMM(), relu(half(x, i), none)
			VMOVUPS(half(g, i), u)
			VADDPS(u, s.regs[i], s.regs[i])
			VFMADD231PS(u, v, d.regs[i])
		})
		advance(g, x)
	})
	s.store()
	d.store()
	done()

	text("reluAffineGradAVX2", "func(dx, g, x []float32, a, b, c *[16]float32)", "dx = a·g + b·x + c where x > 0, else 0.")
	dx, g, x, none := pointer("dx"), pointer("g"), pointer("x"), zero()
	a, b, c := vectorOf("a"), vectorOf("b"), vectorOf("c")
	blocks("dx", func() {
		eachHalf(func(i int) {
			v, sum, positive := YMM(), YMM(), YMM()
			VMOVUPS(half(x, i), v)
			VMOVAPS(c.regs[i], sum)
			VFMADD231PS(v, b.regs[i], sum)
			VFMADD231PS(half(g, i), a.regs[i], sum)
			VCMPPS(Imm(1), v, none, positive) // 0 < x
			VANDPS(sum, positive, sum)
			VMOVUPS(sum, half(dx, i))
		})
		advance(dx, g, x)
	})
	done()
}
