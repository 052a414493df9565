package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// eachHalf runs body for the two registers of a block.
func eachHalf(body func(i int)) {
	body(0)
	body(1)
}

func sums() {
	text("sumSquaresAVX2", "func(x []float32) float64", "Σ x², in float64.")
	x := pointer("x")
	var acc [4]reg.VecVirtual
	for i := range acc {
		acc[i] = YMM()
		VXORPD(acc[i], acc[i], acc[i])
	}
	blocks("x", func() {
		for i := range acc {
			v := YMM()
			VCVTPS2PD(Mem{Base: x, Disp: 16 * i}, v)
			VFMADD231PD(v, v, acc[i])
		}
		advance(x)
	})
	VADDPD(acc[1], acc[0], acc[0])
	VADDPD(acc[3], acc[2], acc[2])
	VADDPD(acc[2], acc[0], acc[0])
	high := XMM()
	VEXTRACTF128(Imm(1), acc[0], high)
	low := acc[0].AsX()
	VADDPD(high, low, low)
	VHADDPD(low, low, low)
	Store(low, ReturnIndex(0))
	done()

	text("laneSumsAVX2", "func(s *[16]float32, x []float32)", "Adds to each lane of s the sum of x's.")
	s := Load(Param("s"), GP64()).(reg.GPVirtual)
	from := pointer("x")
	sum := [2]reg.VecVirtual{YMM(), YMM()}
	eachHalf(func(i int) { VMOVUPS(half(s, i), sum[i]) })
	blocks("x", func() {
		eachHalf(func(i int) { VADDPS(half(from, i), sum[i], sum[i]) })
		advance(from)
	})
	eachHalf(func(i int) { VMOVUPS(sum[i], half(s, i)) })
	done()
}

func pointwise() {
	text("axpyAVX2", "func(y []float32, a float32, x []float32)", "y += a·x.")
	y, x, a := pointer("y"), pointer("x"), YMM()
	factor, _ := Param("a").Resolve()
	VBROADCASTSS(factor.Addr, a)
	blocks("y", func() {
		eachHalf(func(i int) {
			v := YMM()
			VMOVUPS(half(y, i), v)
			VFMADD231PS(half(x, i), a, v)
			VMOVUPS(v, half(y, i))
		})
		advance(y, x)
	})
	done()

	text("addAVX2", "func(y, a, b []float32)", "y = a + b.")
	to, p, q := pointer("y"), pointer("a"), pointer("b")
	blocks("y", func() {
		eachHalf(func(i int) {
			v := YMM()
			VMOVUPS(half(p, i), v)
			VADDPS(half(q, i), v, v)
			VMOVUPS(v, half(to, i))
		})
		advance(to, p, q)
	})
	done()
}

// hyperbolic is tanh by the rational approximation of the plain Go form.
func hyperbolic() {
	odd := []Mem{
		constant("tanhA13", -2.76076847742355e-16), constant("tanhA11", 2.00018790482477e-13),
		constant("tanhA9", -8.60467152213735e-11), constant("tanhA7", 5.12229709037114e-08),
		constant("tanhA5", 1.48572235717979e-05), constant("tanhA3", 6.37261928875436e-04),
		constant("tanhA1", 4.89352455891786e-03),
	}
	even := []Mem{
		constant("tanhB6", 1.19825839466702e-06), constant("tanhB4", 1.18534705686654e-04),
		constant("tanhB2", 2.26843463243900e-03), constant("tanhB0", 4.89352518554385e-03),
	}
	end, begin, one := constant("tanhEnd", 7.90531110763549805), constant("tanhBegin", -7.90531110763549805), constant("one", 1)

	text("tanhAVX2", "func(y, x []float32)", "y = tanh x.")
	y, x := pointer("y"), pointer("x")
	top, bottom := YMM(), YMM()
	VMOVUPS(end, top)
	VMOVUPS(begin, bottom)
	blocks("y", func() {
		eachHalf(func(i int) {
			v, square := YMM(), YMM()
			// The number is the second source, which these return if it is
			// not a number.
			VMINPS(half(x, i), top, v)
			VMAXPS(v, bottom, v)
			VMULPS(v, v, square)
			p, q := horner(square, odd), horner(square, even)
			VMULPS(v, p, p)
			VDIVPS(q, p, p)
			VMOVUPS(p, half(y, i))
		})
		advance(y, x)
	})
	done()

	text("tanhGradAVX2", "func(dx, dy, y []float32)", "dx = dy·(1 - y²).")
	dx, dy, from := pointer("dx"), pointer("dy"), pointer("y")
	unit := YMM()
	VMOVUPS(one, unit)
	blocks("dx", func() {
		eachHalf(func(i int) {
			v, d := YMM(), YMM()
			VMOVUPS(half(from, i), v)
			VMOVAPS(unit, d)
			VFNMADD231PS(v, v, d)
			VMULPS(half(dy, i), d, d)
			VMOVUPS(d, half(dx, i))
		})
		advance(dx, dy, from)
	})
	done()
}

// horner evaluates a polynomial, highest coefficient first.
func horner(x reg.VecVirtual, coefficients []Mem) reg.VecVirtual {
	p := YMM()
	VMOVUPS(coefficients[0], p)
	for _, c := range coefficients[1:] {
		VFMADD213PS(c, x, p)
	}
	return p
}
