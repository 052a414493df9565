package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func pooling() {
	text("windowMaxAVX2", "func(y, x []float32, taps []int, step int)", "The maxima over windows of x.")
	y, x, stride := pointer("y"), pointer("x"), blockStride()
	taps, more := pointer("taps"), Load(Param("taps").Len(), GP64()).(reg.GPVirtual)
	DECQ(more)
	blocks("y", func() {
		top := fresh(2)
		pixel := pointTo(x, taps)
		eachHalf(func(i int) { VMOVUPS(half(pixel, i), top[i]) })
		eachTap(taps, more, 1, func(tap reg.GPVirtual) {
			pixel := pointTo(x, tap)
			eachHalf(func(i int) {
				v := YMM()
				VMOVUPS(half(pixel, i), v)
				// The result is the second source, the old one, where either
				// is not a number, as in Go's x > y.
				VMAXPS(top[i], v, top[i])
			})
		})
		eachHalf(func(i int) { VMOVUPS(top[i], half(y, i)) })
		advance(y)
		ADDQ(stride, x)
	})
	done()

	text("windowMaxGradAVX2", "func(dx, g, x, y []float32, places, taps []int, step int)", "Moves g to dx where x is first to equal y.")
	dx, g, from, at, step := pointer("dx"), pointer("g"), pointer("x"), pointer("y"), blockStride()
	places, list, all := pointer("places"), pointer("taps"), Load(Param("taps").Len(), GP64()).(reg.GPVirtual)
	SUBQ(list, places) // now how far places are from taps
	blocks("y", func() {
		left, top := fresh(2), fresh(2)
		eachHalf(func(i int) {
			VMOVUPS(half(g, i), left[i])
			VMOVUPS(half(at, i), top[i])
		})
		eachTap(list, all, 0, func(tap reg.GPVirtual) {
			place := GP64()
			MOVQ(Mem{Base: tap, Index: places, Scale: 1}, place)
			LEAQ(Mem{Base: dx, Index: place, Scale: 4}, place)
			pixel := pointTo(from, tap)
			eachHalf(func(i int) {
				equal, v := YMM(), YMM()
				VCMPPS(Imm(0), half(pixel, i), top[i], equal)
				VANDPS(left[i], equal, v)
				VADDPS(half(place, i), v, v)
				VMOVUPS(v, half(place, i))
				VANDNPS(left[i], equal, left[i])
			})
		})
		advance(g, at)
		ADDQ(step, from)
		ADDQ(step, dx)
	})
	done()
}

// pointTo is the address that a tap gives from base.
func pointTo(base, tap reg.GPVirtual) reg.GPVirtual {
	p := GP64()
	MOVQ(Mem{Base: tap}, p)
	LEAQ(Mem{Base: base, Index: p, Scale: 4}, p)
	return p
}

// eachTap runs body for n taps from the given one on, with where each is noted.
func eachTap(taps, n reg.GPVirtual, first int, body func(tap reg.GPVirtual)) {
	tap, left := GP64(), GP64()
	LEAQ(Mem{Base: taps, Disp: 8 * first}, tap)
	MOVQ(n, left)
	times(left, func() {
		body(tap)
		ADDQ(Imm(8), tap)
	})
}

// blockStride is the parameter step, a number of blocks, in bytes.
func blockStride() reg.GPVirtual {
	s := Load(Param("step"), GP64()).(reg.GPVirtual)
	SHLQ(Imm(6), s)
	return s
}

// squares is the maxima over squares of two by two pixels, one pixel apart. A
// column of two pixels is read once for the two squares that it is part of.
func squares() {
	text("squareMaxAVX2", "func(y []float32, yRow int, x []float32, xRow, rows, columns int)", "The maxima over squares of 2×2 blocks of x, a block apart.")
	y, yRest := pointer("y"), restOf("yRow")
	x, xRow, xRest := pointer("x"), inBytes("xRow"), restOf("xRow")
	column := func() []reg.VecVirtual {
		v := fresh(2)
		eachHalf(func(i int) {
			VMOVUPS(half(x, i), v[i])
			VMAXPS(below(x, xRow, i), v[i], v[i])
		})
		return v
	}
	times(Load(Param("rows"), GP64()), func() {
		left := column()
		times(Load(Param("columns"), GP64()), func() {
			advance(x)
			right := column()
			eachHalf(func(i int) {
				VMAXPS(right[i], left[i], left[i])
				VMOVUPS(left[i], half(y, i))
				VMOVAPS(right[i], left[i])
			})
			advance(y)
		})
		ADDQ(yRest, y)
		ADDQ(xRest, x)
	})
	done()
}

// squaresGrad moves the gradient of each maximum to the first pixel that equals
// it. What falls on the right column of a square waits in registers for the
// next, so that no sum goes through memory from one square to the next.
func squaresGrad() {
	text("squareMaxGradAVX2", "func(dx []float32, dxRow int, g []float32, gRow int, x []float32, xRow int, y []float32, yRow, rows, columns int)",
		"Moves g to dx where x is first to equal y: adds to the upper row of each square, and sets the lower one.")
	dx, dxRow, dxRest := pointer("dx"), inBytes("dxRow"), restOf("dxRow")
	g, gRest, y, yRest := pointer("g"), restOf("gRow"), pointer("y"), restOf("yRow")
	x, xRow, xRest := pointer("x"), inBytes("xRow"), restOf("xRow")
	times(Load(Param("rows"), GP64()), func() {
		upper, lower := fresh(2), fresh(2)         // of the left column
		waitUpper, waitLower := fresh(2), fresh(2) // for it
		eachHalf(func(i int) {
			VMOVUPS(half(x, i), upper[i])
			VMOVUPS(below(x, xRow, i), lower[i])
			VXORPS(waitUpper[i], waitUpper[i], waitUpper[i])
			VXORPS(waitLower[i], waitLower[i], waitLower[i])
		})
		times(Load(Param("columns"), GP64()), func() {
			advance(x)
			eachHalf(func(i int) {
				left, top := YMM(), YMM()
				VMOVUPS(half(g, i), left)
				VMOVUPS(half(y, i), top)
				// take replaces the pixel by its share of what is left.
				take := func(pixel reg.VecVirtual) {
					equal := YMM()
					VCMPPS(Imm(0), pixel, top, equal)
					VANDPS(left, equal, pixel)
					VANDNPS(left, equal, left)
				}
				take(upper[i])
				VADDPS(waitUpper[i], upper[i], upper[i])
				VADDPS(half(dx, i), upper[i], upper[i])
				VMOVUPS(upper[i], half(dx, i))

				VMOVUPS(half(x, i), upper[i])
				VMOVAPS(upper[i], waitUpper[i])
				take(waitUpper[i])

				take(lower[i])
				VADDPS(waitLower[i], lower[i], lower[i])
				VMOVUPS(lower[i], below(dx, dxRow, i))

				VMOVUPS(below(x, xRow, i), lower[i])
				VMOVAPS(lower[i], waitLower[i])
				take(waitLower[i])
			})
			advance(dx, g, y)
		})
		eachHalf(func(i int) {
			VADDPS(half(dx, i), waitUpper[i], waitUpper[i])
			VMOVUPS(waitUpper[i], half(dx, i))
			VMOVUPS(waitLower[i], below(dx, dxRow, i))
		})
		ADDQ(dxRest, dx)
		ADDQ(gRest, g)
		ADDQ(yRest, y)
		ADDQ(xRest, x)
	})
	done()
}

// below is half of the block one row further down.
func below(p, row reg.GPVirtual, i int) Mem {
	m := half(p, i)
	m.Index, m.Scale = row, 1
	return m
}

// restOf is the bytes from the end of a row of columns blocks to the next row.
func restOf(stride string) reg.GPVirtual {
	rest, columns := inBytes(stride), Load(Param("columns"), GP64()).(reg.GPVirtual)
	SHLQ(Imm(6), columns)
	SUBQ(columns, rest)
	return rest
}
