package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// accumulators is a tile's running sums: rows × the registers of a row.
type accumulators [][]reg.VecVirtual

func newAccumulators(rows, columns int, vector func() reg.VecVirtual) accumulators {
	acc := make(accumulators, rows)
	for r := range acc {
		for range columns {
			acc[r] = append(acc[r], vector())
		}
	}
	return acc
}

// tileAVX2 is up to six rows by one block. Two multiply-add units of latency
// four or five want eight or ten sums at least; six rows have twelve, and leave
// registers for the columns and one number of each row.
func tileAVX2(rows int) {
	text(fmt.Sprintf("tileAVX2x%d", rows),
		"func(runs int, taps *int, n, depth int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, d *float32, dRow int)",
		fmt.Sprintf("Runs of %d rows by one block of a Tile; strides in floats.", rows))
	eachRun(rows, []string{"b"}, []string{"c"}, []string{"d"}, 2, YMM)
	done()
}

// tileAVX512 is up to eight rows by one block or two.
func tileAVX512(rows, columns int) {
	name := fmt.Sprintf("tileAVX512x%dx%d", rows, columns)
	if columns == 1 {
		text(name,
			"func(runs int, taps *int, n, depth int, a *float32, aRow, aStep int, b *float32, bStep int, c *float32, cRow int, d *float32, dRow int)",
			fmt.Sprintf("Runs of %d rows by one block of a Tile; strides in floats.", rows))
	} else {
		text(name,
			"func(runs int, taps *int, n, depth int, a *float32, aRow, aStep int, b, b1 *float32, bStep int, c, c1 *float32, cRow int, d, d1 *float32, dRow int)",
			fmt.Sprintf("Runs of %d rows by two blocks of a Tile; strides in floats.", rows))
	}
	eachRun(rows, []string{"b", "b1"}[:columns], []string{"c", "c1"}[:columns], []string{"d", "d1"}[:columns], columns, ZMM)
	done()
}

// eachRun is runs of rows, one after the other: the parameters move on from run
// to run, where Go code would have to pass them all again. There is at least
// one run.
func eachRun(rows int, b, c, d []string, columns int, vector func() reg.VecVirtual) {
	again := unique("run")
	Label(again)
	acc := newAccumulators(rows, columns, vector)
	load(acc, d, "dRow")
	inner(acc, b, vector)
	store(acc, c, "cRow")
	moveOn(rows, "aRow", "a")
	moveOn(rows, "cRow", c...)
	moveOn(rows, "dRow", d...)
	runs, _ := Param("runs").Resolve()
	DECQ(runs.Addr)
	JNZ(LabelRef(again))
}

// moveOn adds rows strides to pointers.
func moveOn(rows int, stride string, pointers ...string) {
	n := inBytes(stride)
	IMUL3Q(Imm(uint64(rows)), n, n)
	for _, name := range pointers {
		p, _ := Param(name).Resolve()
		ADDQ(n, p.Addr)
	}
}

// inBytes loads a stride in floats as one in bytes.
func inBytes(stride string) reg.GPVirtual {
	s := Load(Param(stride), GP64()).(reg.GPVirtual)
	SHLQ(Imm(2), s)
	return s
}

// eachBlock calls do with the address of each register of the rows at the
// named pointers, one row after the other.
func eachBlock(acc accumulators, pointers []string, stride string, do func(m Mem, v reg.VecVirtual)) {
	row := inBytes(stride)
	per := len(acc[0]) / len(pointers)
	for j, name := range pointers {
		p := Load(Param(name), GP64()).(reg.GPVirtual)
		for r := range acc {
			for i := range per {
				do(half(p, i), acc[r][j*per+i])
			}
			if r+1 < len(acc) {
				ADDQ(row, p)
			}
		}
	}
}

func load(acc accumulators, pointers []string, stride string) {
	eachBlock(acc, pointers, stride, func(m Mem, v reg.VecVirtual) { VMOVUPS(m, v) })
}

func store(acc accumulators, pointers []string, stride string) {
	eachBlock(acc, pointers, stride, func(m Mem, v reg.VecVirtual) { VMOVUPS(v, m) })
}

// inner is the sum over taps and steps.
func inner(acc accumulators, columns []string, vector func() reg.VecVirtual) {
	taps := Load(Param("taps"), GP64()).(reg.GPVirtual)
	n := Load(Param("n"), GP64())
	aRow, aStep, bStep := inBytes("aRow"), inBytes("aStep"), inBytes("bStep")
	aRow3 := GP64()
	LEAQ(Mem{Base: aRow, Index: aRow, Scale: 2}, aRow3)
	times(n, func() {
		a, b := GP64(), GP64()
		MOVQ(Mem{Base: taps}, a)
		MOVQ(Mem{Base: taps, Disp: 8}, b)
		ADDQ(Imm(16), taps)
		SHLQ(Imm(2), a)
		SHLQ(Imm(2), b)
		rows := rowAddresses(len(acc), a, aRow, aRow3)
		from := columnAddresses(columns, b)
		steps := GP64()
		depth, _ := Param("depth").Resolve()
		MOVQ(depth.Addr, steps)
		times(steps, func() {
			step(acc, rows.at, from, vector)
			for _, p := range rows.moving {
				ADDQ(aStep, p)
			}
			for _, p := range from {
				ADDQ(bStep, p)
			}
		})
	})
}

// rowsOf is where the rows of A are, and which pointers move along them.
type rowsOf struct {
	at     []Mem
	moving []reg.GPVirtual
}

// rowAddresses needs one pointer for every four rows.
func rowAddresses(rows int, a, aRow, aRow3 reg.GPVirtual) rowsOf {
	base, _ := Param("a").Resolve()
	ADDQ(base.Addr, a)
	var out rowsOf
	for first := 0; first < rows; first += 4 {
		p := a
		if first > 0 {
			p = GP64()
			LEAQ(Mem{Base: a, Index: aRow, Scale: 4}, p)
		}
		out.moving = append(out.moving, p)
		all := []Mem{{Base: p}, {Base: p, Index: aRow, Scale: 1}, {Base: p, Index: aRow, Scale: 2}, {Base: p, Index: aRow3, Scale: 1}}
		out.at = append(out.at, all[:min(4, rows-first)]...)
	}
	return out
}

// columnAddresses adds the tap's offset to the pointers of the columns.
func columnAddresses(columns []string, offset reg.GPVirtual) []reg.GPVirtual {
	var ps []reg.GPVirtual
	for _, name := range columns {
		p := Load(Param(name), GP64()).(reg.GPVirtual)
		ADDQ(offset, p)
		ps = append(ps, p)
	}
	return ps
}

// step multiplies one number of each row with one row of the columns.
func step(acc accumulators, rows []Mem, from []reg.GPVirtual, vector func() reg.VecVirtual) {
	per := len(acc[0]) / len(from)
	var columns []reg.VecVirtual
	for _, p := range from {
		for i := range per {
			v := vector()
			VMOVUPS(half(p, i), v)
			columns = append(columns, v)
		}
	}
	for r, m := range rows {
		x := vector()
		VBROADCASTSS(m, x)
		for i, v := range columns {
			VFMADD231PS(v, x, acc[r][i])
		}
	}
}
