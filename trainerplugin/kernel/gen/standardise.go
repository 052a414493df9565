package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A wide is one float64 for each channel of a block, in four registers.
type wide struct {
	at   reg.GPVirtual
	regs [4]reg.VecVirtual
}

// wideOf loads the named parameter.
func wideOf(name string) wide {
	w := wide{at: Load(Param(name), GP64()).(reg.GPVirtual)}
	eachQuarter(func(i int) {
		w.regs[i] = YMM()
		VMOVUPD(half(w.at, i), w.regs[i])
	})
	return w
}

func (w wide) store() {
	eachQuarter(func(i int) { VMOVUPD(w.regs[i], half(w.at, i)) })
}

// eachQuarter runs body for the four registers of a block in float64.
func eachQuarter(body func(i int)) {
	for i := range 4 {
		body(i)
	}
}

// quarter is four floats of the block at p.
func quarter(p reg.GPVirtual, i int) Mem { return Mem{Base: p, Disp: 16 * i} }

// widened loads four floats as float64.
func widened(m Mem) reg.VecVirtual {
	v := YMM()
	VCVTPS2PD(m, v)
	return v
}

// narrowed is v rounded to four floats.
func narrowed(v reg.VecVirtual) reg.VecVirtual {
	x := XMM()
	VCVTPD2PSY(v, x)
	return x
}

func standardisation() {
	text("shiftedSumsAVX2", "func(s, q *[16]float64, x []float32, shift *[16]float32)", "Adds the sums of x - shift and of its squares.")
	s, q, x := wideOf("s"), wideOf("q"), pointer("x")
	from := Load(Param("shift"), GP64()).(reg.GPVirtual)
	var shift [4]reg.VecVirtual
	eachQuarter(func(i int) { shift[i] = widened(quarter(from, i)) })
	blocks("x", func() {
		eachQuarter(func(i int) {
			v := widened(quarter(x, i))
			VSUBPD(shift[i], v, v)
			VADDPD(v, s.regs[i], s.regs[i])
			VFMADD231PD(v, v, q.regs[i])
		})
		advance(x)
	})
	s.store()
	q.store()
	done()

	text("standardiseAVX2", "func(unit, y, x []float32, mean, invStd, gain *[16]float64)", "unit = (x - mean)·invStd, y = gain·unit.")
	unit, y, x := pointer("unit"), pointer("y"), pointer("x")
	mean, invStd := wideOf("mean"), wideOf("invStd")
	gain := Load(Param("gain"), GP64()).(reg.GPVirtual)
	blocks("x", func() {
		eachQuarter(func(i int) {
			v := widened(quarter(x, i))
			VSUBPD(mean.regs[i], v, v)
			VMULPD(invStd.regs[i], v, v)
			VMOVUPS(narrowed(v), quarter(unit, i))
			VMULPD(half(gain, i), v, v)
			VMOVUPS(narrowed(v), quarter(y, i))
		})
		advance(unit, y, x)
	})
	done()

	text("standardiseGradAVX2", "func(dw, g, unit []float32, mean, along, scale *[16]float64)", "dw += scale·(g - mean - unit·along).")
	dw, g, unit := pointer("dw"), pointer("g"), pointer("unit")
	mean, along, scale := wideOf("mean"), wideOf("along"), wideOf("scale")
	blocks("dw", func() {
		eachQuarter(func(i int) {
			v, u := widened(quarter(g, i)), widened(quarter(unit, i))
			VSUBPD(mean.regs[i], v, v)
			VMULPD(along.regs[i], u, u)
			VSUBPD(u, v, v)
			VMULPD(scale.regs[i], v, v)
			sum := narrowed(v)
			VADDPS(quarter(dw, i), sum, sum)
			VMOVUPS(sum, quarter(dw, i))
		})
		advance(dw, g, unit)
	})
	done()
}
