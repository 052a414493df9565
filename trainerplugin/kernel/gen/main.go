// Command gen writes the assembly of package kernel. Run it by `go generate`
// there; it is a module of its own so that nobody who builds the program needs
// the assembler.
package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	for rows := 1; rows <= 6; rows++ {
		tileAVX2(rows)
	}
	for rows := 1; rows <= 8; rows++ {
		tileAVX512(rows, 1)
		tileAVX512(rows, 2)
	}
	sums()
	pointwise()
	hyperbolic()
	pooling()
	squares()
	squaresGrad()
	normalisation()
	normalisationGrad()
	standardisation()
	winograd()
	polyphase()
	Generate()
}

// lanes is kernel.Lanes, in bytes: two AVX2 registers, one of AVX-512.
const lanes = 64

// text begins a function that uses no stack of its own.
func text(name, signature, doc string) {
	TEXT(name, attr.NOSPLIT, signature)
	Doc(doc)
	Pragma("noescape")
}

// blocks runs body once for each 16 floats of the named slice.
func blocks(slice string, body func()) {
	n := Load(Param(slice).Len(), GP64())
	SHRQ(Imm(4), n)
	times(n, body)
}

// times runs body n times, and consumes n.
func times(n reg.Register, body func()) {
	again, end := unique("again"), unique("end")
	TESTQ(n, n)
	JZ(LabelRef(end))
	Label(again)
	body()
	DECQ(n)
	JNZ(LabelRef(again))
	Label(end)
}

var labels int

func unique(prefix string) string {
	labels++
	return prefix + string(rune('A'+labels/26)) + string(rune('a'+labels%26))
}

// pointer loads the address of a slice's first float.
func pointer(slice string) reg.GPVirtual {
	return Load(Param(slice).Base(), GP64()).(reg.GPVirtual)
}

// half is the first or second register's worth of the block at p.
func half(p reg.GPVirtual, i int) Mem { return Mem{Base: p, Disp: 32 * i} }

// advance moves pointers to the next block.
func advance(ps ...reg.GPVirtual) {
	for _, p := range ps {
		ADDQ(Imm(lanes), p)
	}
}

// constant is a number in all eight lanes.
func constant(name string, v float32) Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i := range 8 {
		DATA(4*i, F32(v))
	}
	return m
}

// done returns to Go code, which uses the older encoding.
func done() {
	VZEROUPPER()
	RET()
}
